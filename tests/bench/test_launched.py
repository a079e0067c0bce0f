"""Two ranks through real launchers: sshd on loopback, namespaces, Slurm on one node, and a stand-in for kubectl.

What needs a Debian package or root skips without it; under `scripts/test --system`, which installs them, it fails.
"""

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest

from bench.execute.conduct import conduct
from bench.execute.launchers import LAUNCHERS, Launcher
from bench.execute.limits import Limits
from bench.store.record import TrialRecord
from bench.store.runs import read_run
from bench.store.windows import Window
from bench.trial import Cell, Trial

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]
REPOSITORY = Path(__file__).parents[2]
TRIAL = Trial(cell=Cell(strategy="multi_worker_mirrored", workers=2, replicas=2, global_batch=50, epochs=0))
SERVED = Trial(cell=Cell(strategy="parameter_server", workers=2, replicas=2, global_batch=50, epochs=0, engine="fused"))
SUITE = """
name = "two"
[defaults]
strategy = "multi_worker_mirrored"
workers = 2
replicas = 2
global_batch = 50
epochs = 0
[[cells]]
"""


def cannot_run(reason: str) -> NoReturn:
    """Skip; a failure under `scripts/test --system`, which is where all of this is expected to run."""
    if os.environ.get("BENCH_TEST_SYSTEM"):
        pytest.fail(reason)
    pytest.skip(reason)


def needs(*programs: str, root: bool = False) -> None:
    """Skip where a program is missing, or root where only root may."""
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
    if missing := [program for program in programs if shutil.which(program, path=path) is None]:
        cannot_run(f"{', '.join(missing)} not installed: see scripts/system-packages.txt")
    if root and os.geteuid() != 0:
        cannot_run("needs root")


def run_words(data: Path, out: Path, *words: str) -> list[str]:
    """The command line of a short run of the trial."""
    suite = out.with_suffix(".toml")
    suite.write_text(SUITE)
    common = ["run", str(suite), "--time-limit", "4", "--data", str(data), "--out", str(out), "--quiet"]
    return [sys.executable, "-m", "bench.cli", *common, *words]


class Windows:
    """Hears of windows, and at the third does something once."""

    def __init__(self, third: Callable[[], object] = lambda: None) -> None:
        self.count, self.third, self.third_at = 0, third, 0.0

    def window(self, window: Window) -> None:
        self.count += 1
        if self.count == 3:
            self.third()
            self.third_at = time.monotonic()


Lead = Callable[..., TrialRecord]


@pytest.fixture
def lead(tmp_path: Path, small_data: Path) -> Lead:
    """Leads the trial through a launcher for a few seconds."""

    def to_the_end(
        launcher: Launcher, windows: Windows | None = None, trial: Trial = TRIAL, **limits: float
    ) -> TrialRecord:
        wanted = Limits(**({"budget_s": 2.0} | limits))  # type: ignore[arg-type]  # all of them are seconds
        session = launcher(trial, tmp_path / "t.log")
        return conduct(session, trial, limits=wanted, listener=windows or Windows(), data=str(small_data))

    return to_the_end


def assert_trained(record: TrialRecord) -> None:
    assert record.status == "ok", record.reason
    assert record.effective is not None
    assert len(record.effective.devices) == 2
    assert len(record.windows) >= 2


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    pytest.fail(f"nothing listens on {port}")


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[tuple[psutil.Process, str]]:
    """A server of our own with its keys, and the template that reaches it: the preset with a config in front."""
    needs("sshd", "ssh", "ssh-keygen")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    (tmp_path / "authorized").write_text((tmp_path / "user.pub").read_text())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized\n"
        f"StrictModes no\nUsePAM no\nPidFile none\nSetEnv PYTHONPATH={REPOSITORY}\n"
    )
    (tmp_path / "config").write_text(
        f"Host *\nHostName 127.0.0.1\nPort {port}\nUser {getpass.getuser()}\nIdentityFile {tmp_path}/user\n"
        f"IdentitiesOnly yes\nUserKnownHostsFile {tmp_path}/known\nStrictHostKeyChecking accept-new\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd as root locks its unprivileged half in
    program = shutil.which("sshd", path="/usr/sbin:/sbin:" + os.environ["PATH"])
    with (tmp_path / "sshd.log").open("w") as log:
        server = subprocess.Popen([str(program), "-D", "-e", "-f", tmp_path / "sshd_config"], stderr=log)
    try:
        wait_for_port(port)
        yield psutil.Process(server.pid), LAUNCHERS["ssh"].replace("ssh ", f"ssh -F {tmp_path}/config ", 1)
    finally:
        for child in psutil.Process(server.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                child.kill()
        server.kill()
        server.wait()


def test_ssh(sshd: tuple[psutil.Process, str], lead: Lead) -> None:
    """Two ranks train through a real sshd, with nothing of this process's environment but what is sent along."""
    assert_trained(lead(Launcher(template=sshd[1], hosts=["one", "two"])))


def test_ssh_to_a_host_without_the_package(sshd: tuple[psutil.Process, str], lead: Lead) -> None:
    """The row names the rank, and in the words of the other end's shell what is missing there."""
    record = lead(Launcher(template=sshd[1], hosts=["one", "two"], python="/nowhere/python"))
    assert record.status == "error"
    assert "saying hello: rank " in (record.reason or "")
    assert "exit code 127: " in (record.reason or "")
    assert "/nowhere/python" in (record.reason or "")


def test_host_that_vanishes_behind_ssh(sshd: tuple[psutil.Process, str], lead: Lead) -> None:
    """All of rank 1's host falls silent, its sshd too; the row names it, whether ssh or the other notices first."""
    server, template = sshd

    def vanish() -> None:
        mine = psutil.Process().children(recursive=True)
        (client,) = (child for child in mine if words_of(child)[:1] == ["ssh"] and "two" in words_of(child))
        at = {connection.laddr for connection in client.net_connections()}
        (session,) = (child for child in server.children() if at & {one.raddr for one in child.net_connections()})
        for process in [session, *session.children(recursive=True)]:
            process.suspend()

    windows = Windows(vanish)
    record = lead(Launcher(template=template, hosts=["one", "two"]), windows, budget_s=90.0)
    told = "( cannot be reached|: the worker ended with exit code 255; ssh ends so when it has lost its host)"
    assert re.search(f"rank 1 on {re.escape(socket.gethostname())}{told}", record.reason or ""), record.reason
    assert time.monotonic() - windows.third_at < 40


def test_parent_of_ssh_killed(
    sshd: tuple[psutil.Process, str], tmp_path: Path, small_data: Path, seconds_until_gone: Callable[..., float]
) -> None:
    """Nothing that it started through ssh survives 12 s."""
    server, template = sshd
    words = run_words(small_data, tmp_path / "out", "--launcher", template, "--hosts", "one,two")
    with subprocess.Popen(words) as parent:
        workers = all_workers(lambda: workers_below(server), tmp_path / "out", parent)
        parent.kill()
    seconds_until_gone(*workers, at_most_s=12)


def all_workers(find: Callable[[], list[int]], out: Path, parent: "subprocess.Popen[bytes] | None" = None) -> list[int]:
    """Wait until hosts were asked and the run has begun: now there are a watchdog and its worker for each rank."""
    deadline = time.monotonic() + 120
    while len(workers := find()) < 4 or not list(out.glob("*/run.json")):
        assert time.monotonic() < deadline, workers
        assert parent is None or parent.poll() is None
        time.sleep(0.2)
    return workers


def workers_below(process: psutil.Process) -> list[int]:
    """Watchdogs and workers that a process started, through whatever shells."""
    return [child.pid for child in process.children(recursive=True) if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    """Whether it is a watchdog or a worker."""
    words = words_of(process)
    return words[1:4:2] == ["-P", "bench.worker"] or "bench.worker.conversation" in words


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; empty once it is gone."""
    with suppress(psutil.Error):
        return process.cmdline()
    return []


KUBECTL = """#!/bin/sh
# In kubectl's place: checks how it is asked, and executes here what it would execute in the pod. That hears of the
# parent's end by its stdin alone: this shell outlives it, and what is said to nobody is still taken.
[ "$1 $2 $4" = "exec -i --" ] || { echo "kubectl: unknown $*" >&2; exit 64; }
echo "$3" >>"$0.pods"
shift 4
"$@" | { cat; cat >/dev/null; }
"""
LOST = """sh -c '{ cat; sleep 20; } | "$@" | { cat; cat >/dev/null; }' sh {command}"""
"""A command of its user whose connection is lost with its parent: stdin stays open and is silent."""


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in, first on the PATH."""
    stub = tmp_path / "bin" / "kubectl"
    stub.parent.mkdir()
    stub.write_text(KUBECTL)
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stub.parent}{os.pathsep}{os.environ['PATH']}")
    return stub


def test_kubectl(kubectl: Path, lead: Lead) -> None:
    """Rank r runs in the r-th pod named, by `kubectl exec -i POD --`; the cluster itself is a stand-in."""
    assert_trained(lead(Launcher(template="kubectl", hosts=["bench-0", "bench-1"])))
    assert sorted(kubectl.with_name("kubectl.pods").read_text().split()) == ["bench-0", "bench-1"]


@pytest.mark.usefixtures("kubectl")
@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(["kubectl", "--hosts", "bench-0,bench-1"], id="kubectl"),
        pytest.param([LOST], id="own command"),
    ],
)
def test_parent_of_other_launchers_killed(
    tmp_path: Path, small_data: Path, seconds_until_gone: Callable[..., float], launcher: list[str]
) -> None:
    """Nothing that it started through a stand-in for kubectl survives 12 s, nor through a connection that is lost."""
    with subprocess.Popen(run_words(small_data, tmp_path / "out", "--launcher", *launcher)) as parent:
        workers = all_workers(lambda: workers_below(psutil.Process(parent.pid)), tmp_path / "out", parent)
        parent.kill()
    seconds_until_gone(*workers, at_most_s=12)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def listening(namespace: str) -> str:
    """What listens on TCP in a namespace, a line each."""
    words = ["ip", "netns", "exec", namespace, "ss", "--no-header", "--listening", "--tcp", "--numeric"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def namespaces() -> Iterator[str]:
    """Two hosts as network namespaces NAME0 and NAME1, 10.77.0.1 and .2, joined by a cable."""
    needs("ip", root=True)
    name = f"bench{os.getpid()}x"
    try:
        try:
            for end in "01":
                ip("netns", "add", f"{name}{end}")
            ip(
                "link",
                "add",
                "veth0",
                "netns",
                f"{name}0",
                "type",
                "veth",
                "peer",
                "name",
                "veth1",
                "netns",
                f"{name}1",
            )
        except subprocess.CalledProcessError as error:
            cannot_run(f"network namespaces are not permitted here: {error.stderr.decode().strip()}")
        for end in "01":
            ip("-n", f"{name}{end}", "addr", "add", f"10.77.0.{int(end) + 1}/24", "dev", f"veth{end}")
            ip("-n", f"{name}{end}", "link", "set", f"veth{end}", "up")
            ip("-n", f"{name}{end}", "link", "set", "lo", "up")
        yield name
    finally:
        for end in "01":
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", f"{name}{end}")


def test_two_namespaces(namespaces: str, lead: Lead) -> None:
    """Ranks that share no loopback meet on the network that was asked for, and the row says where."""
    record = lead(Launcher(template=f"ip netns exec {namespaces}{{rank}} {{command}}", network="10.77.0.0/24"))
    assert_trained(record)
    assert record.effective is not None
    assert record.effective.addresses == ["10.77.0.1", "10.77.0.2"]
    assert any("interface: veth0, veth1" in note for note in record.effective.notes)


def test_cable_cut_mid_window(namespaces: str, lead: Lead) -> None:
    """Within the deadline the row is an error or a timeout that names a rank and its host; mended, it trains again."""
    launcher = Launcher(template=f"ip netns exec {namespaces}{{rank}} {{command}}", network="10.77.0.0/24")
    windows = Windows(lambda: ip("-n", f"{namespaces}1", "link", "set", "veth1", "down"))
    record = lead(launcher, windows, budget_s=60.0, answer_s=20.0)
    assert record.status in {"error", "timeout"}, record.reason
    host = socket.gethostname()
    assert f"rank 0 on {host} and rank 1 on {host} do not reach each other; so " in (record.reason or ""), record.reason
    assert time.monotonic() - windows.third_at < 40
    assert workers_below(psutil.Process()) == []
    assert [listening(f"{namespaces}{end}") for end in "01"] == ["", ""]
    ip("-n", f"{namespaces}1", "link", "set", "veth1", "up")
    assert_trained(lead(launcher))


def test_cable_of_one_of_three(namespaces: str, lead: Lead) -> None:
    """The rank that two others no longer reach is named, whichever of them TensorFlow makes complain or end first."""
    hosts = [f"{namespaces}{end}" for end in "01"]  # in the other one is rank 1 alone
    launcher = Launcher(template="ip netns exec {host} {command}", hosts=hosts, network="10.77.0.0/24")
    windows = Windows(lambda: ip("-n", f"{namespaces}1", "link", "set", "veth1", "down"))
    cell = TRIAL.cell.model_copy(update={"workers": 3, "replicas": 3, "global_batch": 60})
    record = lead(launcher, windows, trial=Trial(cell=cell), budget_s=60.0, answer_s=20.0)
    assert record.status in {"error", "timeout"}, record.reason
    assert f"rank 1 on {socket.gethostname()} is not reached by the others" in (record.reason or ""), record.reason
    assert time.monotonic() - windows.third_at < 40
    assert workers_below(psutil.Process()) == []


def test_cable_of_a_worker_that_others_work_for(namespaces: str, lead: Lead) -> None:
    """Under a coordinator windows go on without it; the row names it and its host all the same, in time."""
    hosts = [f"{namespaces}{end}" for end in "01"]  # in the other one is the second worker alone
    launcher = Launcher(template="ip netns exec {host} {command}", hosts=hosts, network="10.77.0.0/24")
    windows = Windows(lambda: ip("-n", f"{namespaces}1", "link", "set", "veth1", "down"))
    record = lead(launcher, windows, trial=SERVED, budget_s=120.0)
    assert record.status == "timeout", record.reason
    assert re.search(rf"rank 2 \(worker\) on {re.escape(socket.gethostname())}: .*no step", record.reason or "")
    assert windows.count > 3
    assert time.monotonic() - windows.third_at < 60
    assert workers_below(psutil.Process()) == []
    assert [listening(f"{namespaces}{end}") for end in "01"] == ["", ""]


@pytest.mark.parametrize(("workers", "answer_s"), [(1, 20.0), (2, 45.0)])
def test_cable_of_a_server(namespaces: str, lead: Lead, workers: int, answer_s: float) -> None:
    """No worker does a step any more, so no step tells whose fault it is; the row names the ranks beyond the cut."""
    hosts = [f"{namespaces}{end}" for end in "01"]  # in the other one are the second server and the second worker
    launcher = Launcher(template="ip netns exec {host} {command}", hosts=hosts, network="10.77.0.0/24")
    windows = Windows(lambda: ip("-n", f"{namespaces}1", "link", "set", "veth1", "down"))
    cell = SERVED.cell.model_copy(update={"workers": workers, "replicas": workers, "servers": 2})
    record = lead(launcher, windows, trial=Trial(cell=cell), budget_s=120.0, answer_s=answer_s, window_patience=1.5)
    host = re.escape(socket.gethostname())
    cut = [rf"rank 2 \(worker\) on {host}"] * (workers == 2) + [rf"rank {workers + 2} \(server\) on {host}"]
    named = ", ".join(f"{rank} is not reached by the others" for rank in cut)
    assert record.status in {"error", "timeout"}, record.reason
    assert re.search(named, record.reason or ""), record.reason
    assert time.monotonic() - windows.third_at < answer_s + 30
    assert workers_below(psutil.Process()) == []
    assert [listening(f"{namespaces}{end}") for end in "01"] == ["", ""]


def test_namespace_without_the_network(namespaces: str, lead: Lead) -> None:
    """A network that no interface is on ends the trial with what there is instead."""
    launcher = Launcher(template=f"ip netns exec {namespaces}{{rank}} {{command}}", network="10.78.0.0/24")
    record = lead(launcher)
    assert record.status == "error"
    assert "--network 10.78.0.0/24: no address in it" in (record.reason or "")
    assert "10.77.0." in (record.reason or "")


SLURM = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus}
PartitionName=main Nodes={host} Default=YES State=UP
"""


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cluster of this one node, all of whose files are in a folder; its path is short, for a socket is in it."""
    needs("munged", "slurmctld", "slurmd", "sbatch", "srun", root=True)
    folder = Path(tempfile.mkdtemp(prefix="slurm"))
    (folder / "key").write_bytes(os.urandom(1024))
    (folder / "key").chmod(0o600)
    (folder / "spool").mkdir()
    cpus, host = os.cpu_count(), socket.gethostname().split(".")[0]
    conf = folder / "slurm.conf"
    conf.write_text(SLURM.format(host=host, folder=folder, ports=free_ports(2), cpus=cpus))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    files = {"key-file": "key", "socket": "munge.sock", "pid-file": "pid", "log-file": "munge.log", "seed-file": "seed"}
    munged = ["munged", "-F", "--force", *(f"--{option}={folder / name}" for option, name in files.items())]
    daemons = []
    try:
        for words in (munged, ["slurmctld", "-D", "-f", str(conf)], ["slurmd", "-D", "-f", str(conf)]):
            with (folder / f"{words[0]}.log").open("a") as log:
                daemons.append(subprocess.Popen(words, stdout=log, stderr=log))
            time.sleep(1)
        wait_until_idle(folder)
        yield folder
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(10)
            daemon.kill()
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def wait_until_idle(folder: Path) -> None:
    """Wait for the node; tells where this container cannot run one."""
    deadline, told = time.monotonic() + 30, ""
    while "idle" not in told:
        if time.monotonic() > deadline:
            log = (folder / "slurmd.log").read_text()
            cannot_run(f"Slurm's node does not come up here: {told} {log[-300:]}")
        told = state_of_node()
        time.sleep(0.3)


def state_of_node() -> str:
    """In Slurm's words, such as idle."""
    return subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True, check=False).stdout.strip()


def test_slurm(slurm: Path, tmp_path: Path, small_data: Path) -> None:
    """One line of sbatch: hosts come from the allocation, each rank by an srun of its own."""
    out = tmp_path / "out"
    done = sbatch(slurm, run_words(small_data, out, "--launcher", "slurm"), "--wait")
    assert done.returncode == 0, done.stderr + (slurm / "job").read_text()
    (folder,) = out.iterdir()
    (record,) = read_run(folder).records
    assert_trained(record)


def test_parent_within_slurm_killed(
    slurm: Path, tmp_path: Path, small_data: Path, seconds_until_gone: Callable[..., float]
) -> None:
    """No rank of its job survives 12 s, and the node is free again."""
    words = run_words(small_data, tmp_path / "out", "--launcher", "slurm")
    assert sbatch(slurm, words).returncode == 0
    workers = all_workers(lambda: [one.pid for one in of_jobs(slurm) if is_worker(one)], tmp_path / "out")
    (parent,) = [one for one in of_jobs(slurm) if words_of(one) == words]
    parent.kill()
    seconds_until_gone(*workers, at_most_s=12)
    deadline = time.monotonic() + 30
    while (state := state_of_node()) != "idle":
        assert time.monotonic() < deadline, state
        time.sleep(0.3)


def of_jobs(slurm: Path) -> list[psutil.Process]:
    """All that runs within a job of this cluster, none of which is a child of ours."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "SLURM_JOB_ID" in process.environ() and process.environ().get("SLURM_CONF") == f"{slurm}/slurm.conf":
                found.append(process)
    return found


def sbatch(slurm: Path, words: list[str], *options: str) -> "subprocess.CompletedProcess[str]":
    """Submit a command as a job of as many tasks as the node has room for."""
    script = slurm / "script"
    script.write_text(f"#!/bin/sh\nexec {subprocess.list2cmdline(words)}\n")
    asked: list[Any] = ["sbatch", *options, "-N1", f"-n{min(2, os.cpu_count() or 1)}", f"--output={slurm}/job", script]
    return subprocess.run(asked, capture_output=True, text=True, timeout=300, check=False)
