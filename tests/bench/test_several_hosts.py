"""`bench run` on several hosts: processes of this machine, each with a name and a scripted driver of its own."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli import app
from bench.errors import UsageError
from bench.protocol.conversation import PROTOCOL_VERSION
from bench.store.runs import read_run
from bench.worker.network import own_address

STAND_IN = Path(__file__).parent / "stand_in"
SUITE = """
name = "t"
[defaults]
strategy = "multi_worker_mirrored"
device = "gpu"
workers = 2
global_batch = 48
epochs = 0
"""
ELSEWHERE = [] if sys.platform != "linux" else ["unshare", "--time", "--fork", "--monotonic", "{rank}0000"]
"""A host that has run for 10,000 s longer, where root may make a time namespace."""
Run = Callable[..., int]


def gpus(name: str, count: int, watts: int, *, util: int = 97, model: str = "NVIDIA H100", rest: str = "") -> str:
    """The script of a driver."""
    keys = "0.name {model}\n0.uuid GPU-{name}{place}\n0.power {watts}000\n0.util {util}\n0.memory 4096\n"
    each = [
        keys.replace("0.", f"{place}.", 5).format(model=model, name=name, place=place, watts=watts, util=util)
        for place in range(count)
    ]
    return f"count {count}\n{''.join(each)}{rest}"


@pytest.fixture
def run(driver_folder: Path, small_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a suite on hosts that have these scripts, in this process, whose own driver has no GPU; the exit code."""
    path = os.pathsep.join([str(STAND_IN), str(driver_folder), os.environ["PYTHONPATH"]])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def run(scripts: dict[str, str], *options: str, suite: str = SUITE, prefix: list[str] | None = None) -> int:
        for host, script in scripts.items():
            (tmp_path / f"{host}.nvml").write_text(f"began {time.monotonic()}\n{script}")
        (tmp_path / "t.toml").write_text(suite)
        variables = f"STAND_IN_HOST={{host}} FAKE_NVML={tmp_path}/{{host}}.nvml LD_LIBRARY_PATH={driver_folder}"
        template = f"{' '.join(prefix or [])} env {variables} PYTHONPATH={path} {{command}}"
        where = ["--launcher", template, "--hosts", ",".join(scripts), "--data", str(small_data)]
        words = ["run", *(["--resume"] if "RUN" in options else [str(tmp_path / "t.toml"), "--out", str(tmp_path)])]
        words += [str(next(tmp_path.glob("*-t"))) if option == "RUN" else option for option in options]
        words += where if "RUN" not in options else where[:4]
        return int(app(words, standalone_mode=False) or 0)

    return run


def refused(run: Run, *arguments: Any, **settings: Any) -> str:
    """The one line that a run is refused with."""
    with pytest.raises(UsageError) as caught:
        run(*arguments, **settings)
    return str(caught.value)


def test_plan_is_made_of_the_hosts_gpus(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Two GPUs here and one there are one for each worker; what differs between them is told."""
    scripts = {"n1": gpus("a", 2, 100), "n2": gpus("b", 1, 100, model="NVIDIA A100")}
    assert run(scripts, "--dry-run", "--set", "replicas=all,4") == 0
    told = capsys.readouterr()
    assert "2 trials on n1: GPUs: NVIDIA H100, NVIDIA H100; n2: GPUs: NVIDIA A100" in told.err
    assert "×2" in next(line for line in told.out.splitlines() if "to run" in line)
    assert "unsupported: 2 replicas on n2 need as many GPUs from 0 on, n2 has 1" in told.out


def test_gpus_in_use_on_any_host_refuse(run: Run) -> None:
    """The process is named with its host; one on a GPU that no worker takes is nobody's harm."""
    scripts = {"n1": gpus("a", 2, 100, rest="1.process 4242:1000\n"), "n2": gpus("b", 1, 100)}
    busy = gpus("b", 1, 100, rest="0.process 77:1000\n")
    told = refused(run, scripts | {"n2": busy})
    assert told.startswith("the GPUs are in use by process 77 on NVIDIA H100 (GPU-b0) on n2:")
    assert "4242" not in told


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        (
            "sh -c 'test {rank} = 0 || { echo no route to {host} >&2; exit 255; }; exec \"$@\"' sh",
            "exit code 255: no rou",
        ),
        ("sh -c 'test {rank} = 0 || exec echo no worker; exec \"$@\"' sh", "the worker ended with exit code 0"),
    ],
    ids=["unreachable", "noise"],
)
def test_host_that_does_not_answer_is_one_line(run: Run, prefix: str, expected: str) -> None:
    """It names rank and host, before anything is planned or written."""
    told = refused(run, {"n1": gpus("a", 1, 100), "n2": gpus("b", 1, 100)}, prefix=[prefix])
    assert "rank 1 on n2: the worker ended with exit code" in told
    assert expected in told


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"protocol_version": PROTOCOL_VERSION - 1}, f"speaks protocol {PROTOCOL_VERSION - 1}, not {PROTOCOL_VERSION}"),
        ({"keras": "2.0"}, "rank 1 on n2 has keras 2.0, rank 0 on n1 has 3."),
        ({"code_sha256": "ab" * 32}, "rank 1 on n2 has other code than rank 0 on n1 (sha256 abababababab… and "),
        ({"deaf": True}, "rank 0 on n1 cannot reach rank 1 on n2 at "),
        ({"tensorflow": False}, "rank 1 on n2: TensorFlow is not installed there; install the extra cpu or gpu"),
    ],
    ids=["protocol", "keras", "code", "firewall", "tensorflow"],
)
def test_host_with_other_versions_is_one_line(run: Run, tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    """Before the first trial, and with what to do."""
    (tmp_path / "impostor.py").write_text(IMPOSTOR)
    impostor = f"{sys.executable} {tmp_path}/impostor.py {json.dumps(json.dumps(changes))} {{rank}}"
    told = refused(run, {"n1": gpus("a", 1, 100), "n2": gpus("b", 1, 100)}, prefix=[impostor])
    assert expected in told


IMPOSTOR = """
import json, socket, subprocess, sys
from bench.measure.environment import read_environment
from bench.protocol.answers import EnvironmentRead, Hello, Met
from bench.protocol.conversation import HELLO_TOKEN, PROTOCOL_VERSION
from bench.worker.network import own_address

changes, rank, *command = json.loads(sys.argv[1]), *sys.argv[2:]
if rank == "0":
    sys.exit(subprocess.run(command).returncode)
version = changes.pop("protocol_version", PROTOCOL_VERSION)
open_port = socket.create_server(("", 0))
port = open_port.getsockname()[1]
if changes.pop("deaf", False):
    open_port.close()
hello = {"host": "n2", "pid": 1, "versions": {}, "address": own_address(), "port": port}
print(HELLO_TOKEN + Hello(protocol_version=version, **hello).model_dump_json(), flush=True)
for line in sys.stdin.buffer:
    if b'"meet"' in line:
        print(Met().model_dump_json(), flush=True)
    if b"ask_environment" in line:
        break
found = changes.pop("tensorflow", True)
environment = read_environment()
environment["code_sha256"] = changes.pop("code_sha256", environment["code_sha256"])
environment["packages"] = environment["packages"] | {"tensorflow": "2.21.0"} | changes
print(EnvironmentRead(environment=environment, tensorflow=found).model_dump_json(), flush=True)
sys.stdin.buffer.read()
"""
"""In the place of rank 1's worker: says that it has other versions, or other code."""


@pytest.mark.slow
@pytest.mark.skipif(own_address().startswith("127."), reason="hosts of two names meet at an address, and here is none")
def test_two_hosts_train_and_are_told_apart(run: Run, tmp_path: Path) -> None:
    """Each trains on its own GPUs and is sampled on its own clock; figures are of both, and notes name the host."""
    scripts = {"n1": gpus("a", 2, 100), "n2": gpus("b", 1, 200, util=30, rest="driver 580.1\n")}
    shifted = may_shift_clocks()
    assert run(scripts, "--time-limit", "14", "--quiet", prefix=ELSEWHERE if shifted else []) == 0
    (folder,) = tmp_path.glob("*-t")
    stored = read_run(folder)
    (record,) = stored.records
    assert record.status == "ok", record.reason
    logs = sorted((folder / "logs").iterdir())
    assert ["takes GPU-a0" in logs[1].read_text(), "takes GPU-b0" in logs[0].read_text()] == [True, True]
    assert list(record.hosts) == ["n1", "n2"]
    assert record.hosts["n2"].clock_offset_s == pytest.approx(10_000 if shifted else 0, abs=0.1)
    assert [part.after.clock_s > part.before.clock_s for part in record.hosts.values()] == [True, True]
    with (folder / "report" / "trials.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["power_w"]) == pytest.approx(300)
    assert float(row["energy_j"]) == pytest.approx(300 * float(row["energy_stretch_s"]), rel=0.01)
    assert "suspicious: GPU GPU-b0 on n2 was used 30 % of the time" in row["notes"]
    environment = stored.run.environment
    assert [one["host"] for one in environment["hosts"]] == ["n1", "n2"]
    assert environment["exact_unit"] not in {one["exact_unit"] for one in environment["hosts"]}
    assert "hosts differ in driver: 570.86.15 on n1; 580.1 on n2" in (folder / "report" / "summary.md").read_text()
    other = scripts | {"n2": scripts["n2"].replace("GPU-b0", "GPU-c0")}
    assert "it ran on other GPUs of this model on n2" in refused(run, other, "RUN", prefix=ELSEWHERE if shifted else [])


def may_shift_clocks() -> bool:
    """Whether a host can be given a clock of its own."""
    if shutil.which("unshare") is None:
        return False
    words = [word.replace("{rank}", "1") for word in ELSEWHERE]
    return subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0
