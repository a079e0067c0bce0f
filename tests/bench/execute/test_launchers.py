"""The command lines that launchers make of templates, and what is refused before anything is started."""

import json
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.execute.conduct import conduct
from bench.execute.launchers import LAUNCHERS, Launcher
from bench.execute.limits import Limits
from bench.execute.session import WorkerLost
from bench.trial import Cell, Trial
from tests.bench.execute.conftest import Heard

WORKER = [sys.executable, "-P", "-m", "bench.worker"]
REFUSED = {
    "no place for the worker": ({"template": "echo {host}"}, "give one of local, ssh, slurm, kubectl, or words with"),
    "mistyped": ({"template": "slrum"}, "did you mean 'slurm'?"),
    "quotes": ({"template": "sh -c '{command}"}, "No closing quotation"),
    "no such program": ({"template": "no-such-program {command}"}, "there is no program no-such-program here"),
    "no hosts": ({"template": "env {host} {command}"}, "no hosts; name them with --hosts a,b"),
    "no network": ({"network": "10.0.0.0/99"}, "--network 10.0.0.0/99: give an interface such as eth0, or a network"),
    "no such Python": ({"python": "/nowhere/python"}, "--python /nowhere/python: no such program here"),
    "misspelt place": ({"template": "env {hots}=1 {command}"}, "nothing is put in for {hots}, but for command, host,"),
    "its fix": ({"template": "ssh {hots} {command}", "hosts": ["a"]}, "; did you mean 'host'?"),
    "an option": ({"network": "-x"}, "--network -x: give an interface"),
}


@pytest.fixture(autouse=True)
def nothing_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NCCL_DEBUG", "GRPC_VERBOSITY", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of all launchers are there."""
    for name in ("ssh", "srun", "kubectl", "ip"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    """One line names the option and what to give instead."""
    settings, expected = REFUSED[case]
    with pytest.raises(UsageError) as caught:
        Launcher(**settings)  # type: ignore[arg-type]  # a table of cases has one type for all
    assert expected in str(caught.value)


def test_local_worker_is_a_plain_child() -> None:
    """The default is nothing but the worker's own words; another Python takes this one's place."""
    assert Launcher().command_line(3) == WORKER
    assert Launcher(python="/bin/sh").command_line(0)[0] == "/bin/sh"
    assert Launcher(network="10.0.0.0/8").command_line(0) == [*WORKER, "--network=10.0.0.0/8"]


@pytest.mark.usefixtures("programs")
def test_ranks_take_hosts_in_turn() -> None:
    """Rank r starts on the r-th host, and with more ranks than hosts from the first again."""
    launcher = Launcher(template="slurm", hosts=["a", "b"])
    assert [words[words.index("-w") + 1] for words in map(launcher.command_line, range(4))] == ["a", "b", "a", "b"]
    assert launcher.command_line(0)[-4:] == WORKER


def test_workers_of_a_coordinator_have_the_hosts_to_themselves(tmp_path: Path) -> None:
    """Workers take hosts in turn from the first, and so do servers; each rank has a log of its own."""
    launcher = Launcher(template="sh -c 'echo {rank} on {host} >&2; {command}'", hosts=["a", "b"], python="false")
    cell = Cell(strategy="parameter_server", workers=2, replicas=2, servers=1)
    launcher(Trial(cell=cell), tmp_path / "t.log").close()
    told = [path.read_text().split("\n")[0] for path in sorted(tmp_path.glob("t*.log"), key=lambda path: path.stem)]
    assert told == ["0 on a", "1 on a", "2 on b", "3 on a"]


@pytest.mark.usefixtures("programs")
def test_ssh_gets_one_word_for_the_shell_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other end's shell reads the worker's words, quoted, with this process's settings of the network."""
    monkeypatch.setenv("NCCL_DEBUG", "a b")
    words = Launcher(template="ssh", hosts=["a"], python="/my env/python").command_line(0)
    assert words[-2] == "a"
    assert shlex.split(words[-1]) == ["env", "NCCL_DEBUG=a b", "/my env/python", "-P", "-m", "bench.worker"]


@pytest.mark.usefixtures("programs")
def test_own_template() -> None:
    """A user's words get rank and host put in, and values that look like places are left as they are."""
    assert Launcher(template="ip netns exec host{rank} {command}").command_line(1)[:4] == [
        "ip",
        "netns",
        "exec",
        "host1",
    ]
    words = Launcher(template="ssh {host} 'cd /x && exec {command}'", hosts=["{rank}"], python="/p{host}").command_line(
        7
    )
    assert words == ["ssh", "{rank}", "cd /x && exec '/p{host}' -P -m bench.worker"]


@pytest.mark.usefixtures("programs")
def test_ranks_of_one_place() -> None:
    """Where command lines are equal the host is; a place for the rank makes a host of each."""
    assert Launcher().places(3) == {0: [0, 1, 2]}
    assert Launcher(template="ssh", hosts=["a", "b"]).places(4) == {0: [0, 2], 1: [1, 3]}
    assert Launcher(template="ssh", hosts=["a", "b"]).places(1) == {0: [0]}
    assert Launcher(template="ip netns exec host{rank} {command}").places(2) == {0: [0], 1: [1]}


@pytest.mark.usefixtures("programs")
def test_sampler_starts_where_its_worker_does() -> None:
    """By the same words, with what to sample instead of a network; a sentence names the host."""
    launcher = Launcher(template="slurm", hosts=["a", "b"], network="10.0.0.0/8")
    assert launcher.command_line(1, ["--sample", "GPU-x"])[-6:] == [*WORKER, "--sample", "GPU-x"]
    assert "b" in launcher.command_line(1, ["--sample", "GPU-x"])
    assert (launcher.name_of(1), Launcher().name_of(1)) == ("rank 1 on b", "rank 1")


@pytest.mark.usefixtures("programs")
def test_workers_are_shared_out_evenly() -> None:
    """Three workers on two hosts would measure the fuller one; one, two or four are fine, and so is what never runs."""
    launcher = Launcher(template="ssh", hosts=["a", "b"])
    trials = [Trial(cell=Cell(workers=number, replicas=number, global_batch=12)) for number in (1, 2, 3, 4)]
    launcher.check([trials[0], trials[1], trials[3], trials[2].model_copy(update={"unsupported": "it is"})])
    with pytest.raises(UsageError, match="3 workers cannot be shared out evenly to 2 hosts; name 3"):
        launcher.check(trials)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"python": "/nowhere/python", "template": "sh -c 'exec {command}'"},
            "exit code 127: .*/nowhere/python.*not found",
        ),
        (
            {"template": "sh -c 'PYTHONPATH= exec {command}'", "python": "BARE"},
            "exit code 1: .*No module named .*bench",
        ),
        (
            {"template": "sh -c 'echo; echo ssh: Connection refused >&2; exit 255; {command}'"},
            "255: ssh: Connection refused$",
        ),
    ],
    ids=["python", "package", "host"],
)
def test_worker_that_never_greets(settings: dict[str, str], expected: str, tmp_path: Path) -> None:
    """Where a Python or package is missing, or a host lets nobody in, the reason holds the last line of the log."""
    if settings.get("python") == "BARE":
        bare = tmp_path / "python"
        bare.write_text(f'#!/bin/sh\nexec {sys.base_prefix}/bin/python3 -S "$@"\n')
        bare.chmod(0o755)
        settings = settings | {"python": str(bare)}
    session = Launcher(**settings)(Trial(cell=Cell()), tmp_path / "log")  # type: ignore[arg-type]  # as above
    try:
        with pytest.raises(WorkerLost, match=expected):
            session.hear(20)
    finally:
        session.close()


def test_presets_hold_the_worker() -> None:
    """Every preset has a place for the worker; the Slurm one keeps a step to one task on one host, unbuffered."""
    assert all("{command}" in words or "{quoted}" in words for words in LAUNCHERS.values())
    assert {"--overlap", "--exact", "-N1", "-n1", "--unbuffered"} <= set(LAUNCHERS["slurm"].split())
    assert json.dumps(LAUNCHERS).isascii()


@pytest.mark.parametrize("of", ["processes", "threads"])
def test_rank_that_cannot_be_started_is_an_error_of_its_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    """With no more processes or threads to have, those that run are ended, and the row says why."""
    start, begin = subprocess.Popen, threading.Thread.start
    started, begun = list["subprocess.Popen[bytes]"](), list[threading.Thread]()

    def popen(command: list[str], **rest: Any) -> "subprocess.Popen[bytes]":
        if of == "processes" and started:
            raise OSError(24, "Too many open files")
        started.append(start(command, **rest))
        return started[-1]

    def thread(self: threading.Thread) -> None:
        begun.append(self)
        if of == "threads" and len(begun) == 4:  # the second rank's second; those that end them begin again
            raise RuntimeError("can't start new thread")
        begin(self)

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(threading.Thread, "start", thread)
    cell = Cell(strategy="multi_worker_mirrored", workers=2, replicas=2, epochs=0)
    session = Launcher()(Trial(cell=cell), tmp_path / "log")
    assert len(started) == (1 if of == "processes" else 2)
    assert all(one.returncode is not None for one in started)
    record = conduct(session, Trial(cell=cell), limits=Limits(), listener=Heard(), conditions=None)
    assert record.status == "error"
    why = {"processes": "[Errno 24] Too many open files", "threads": "can't start new thread"}[of]
    assert record.reason == f"saying hello: rank 1 could not be started: {why}"


def test_shell_variables_in_a_template_are_no_places() -> None:
    """The shell at the other end fills them in, even where one is nearly spelt as a place is."""
    assert "${HOSTS}" in Launcher(template="env A=${HOSTS} {command}").command_line(0)[1]


@pytest.mark.usefixtures("programs")
def test_hosts_without_a_worker_are_told() -> None:
    """Of three hosts two workers leave one idle; a sweep up to three leaves none."""
    launcher = Launcher(template="ssh", hosts=["a", "b", "c"])
    trials = [
        Trial(cell=Cell(strategy="multi_worker_mirrored", workers=count, replicas=count, global_batch=6))
        for count in (2, 3)
    ]
    assert launcher.idle(trials[:1]) == ["c"]
    assert launcher.idle(trials) == []
