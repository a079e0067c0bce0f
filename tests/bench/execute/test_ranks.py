"""Several workers behind one session: what they did together, and who is to blame where one of them cannot go on."""

import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest

from bench.execute import ranks as ranks_module
from bench.execute.ranks import Ranks
from bench.execute.session import NoAnswer, WorkerLost
from bench.host import Conditions, HostPart
from bench.protocol.answers import (
    Evaluated,
    Failed,
    Finished,
    Hello,
    Ready,
    Serving,
    WindowDone,
    WorkerState,
    Workload,
)
from bench.protocol.commands import AskState, Evaluate, Finish, LookFor, Prepare, RunWindow
from bench.protocol.conversation import PROTOCOL_VERSION, AnyAnswer, AnyCommand
from bench.protocol.effective import EffectiveSettings
from bench.trial import Cell, Role, Trial


class FakeRank:
    """A session that hears what a test puts in; its watchdog answers as told, or not at all for None.

    It does not reach the addresses in `misses`.
    """

    exchanged_bytes = 50

    def __init__(self, state: str | None = "running") -> None:
        self.state, self.said, self.closed = state, list[AnyCommand](), 0
        self.answers: queue.SimpleQueue[AnyAnswer | WorkerLost] = queue.SimpleQueue()
        self.misses: set[str] = set()

    def say(self, command: AnyCommand) -> None:
        if not isinstance(command, AskState):
            self.said.append(command)
        elif self.state:
            missed = None if command.others is None else [other for other in command.others if other in self.misses]
            self.answers.put(WorkerState.model_validate({"state": self.state, "unreached": missed}))

    def hear(self, timeout_s: float) -> AnyAnswer:
        answer = self.answers.get(timeout=timeout_s)
        if isinstance(answer, WorkerLost):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1


def hello(rank: int, **changes: Any) -> Hello:
    told: dict[str, Any] = {"host": f"h{rank}", "address": f"10.0.0.{rank}", "port": 5000 + rank, "versions": {}}
    return Hello(protocol_version=PROTOCOL_VERSION, pid=7, **told | changes)


def window(**changes: Any) -> WindowDone:
    return WindowDone(**{"start_s": 1.0, "window_s": 2.0, "steps": 8, "loss": 0.25, "accuracy": 0.25} | changes)


def as_ready(**changes: Any) -> Ready:
    effective = EffectiveSettings(
        strategy="S", replicas=2, devices=["/device:CPU:0"], variable_dtype="float32", compute_dtype="float32",
        xla=False, xla_scope="none", tf32=False, loss_scaling=False, cross_device_ops="C", optimizer="SGD",
        intra_op_threads=1, inter_op_threads=1, onednn=True, parameters=1, buffered_batches=0,
    )  # fmt: skip
    return Ready(
        effective=effective.model_copy(update=changes), build={}, import_s=1, build_s=1, first_step_s=1,
        first_step_start_s=1, train_images=1, training_flops_per_image=1, training_bytes_per_image=1, loss=0.5,
        accuracy=0.5,
    )  # fmt: skip


Team = Callable[..., tuple[Ranks, list[FakeRank]]]
PEER_LOST = Failed(status="error", reason="UnavailableError: Connection reset by peer")


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Team:
    """Makes greeted ranks whose watchdogs see them in the given states."""
    monkeypatch.setattr(ranks_module, "_INQUEST_S", 0.2)
    monkeypatch.setattr(ranks_module, "_DYING_S", 0.2)

    def make(*states: str | None) -> tuple[Ranks, list[FakeRank]]:
        fakes = [FakeRank(state) for state in states or ("running", "running")]
        ranks = Ranks(fakes)
        for rank, fake in enumerate(fakes):
            fake.answers.put(hello(rank))
        assert ranks.hear(5) == hello(0)
        return ranks, fakes

    return make


def test_window_is_as_long_as_its_slowest_rank(team: Team) -> None:
    """Losses and accuracies of ranks are parts of a sum, steps are everybody's, the beginning is rank 0's."""
    ranks, (first, second) = team()
    ranks.say(RunWindow(steps=8))
    second.answers.put(window(start_s=900.0, window_s=3.0, loss=0.5, accuracy=0.5))
    first.answers.put(window())
    assert ranks.hear(5) == window(window_s=3.0, loss=0.75, accuracy=0.75)
    assert first.said == second.said == [RunWindow(steps=8)]


def test_loss_of_one_rank_that_is_not_finite(team: Team) -> None:
    """Makes the sum not finite, whatever the others have."""
    ranks, (first, second) = team()
    ranks.say(RunWindow(steps=8))
    first.answers.put(window())
    second.answers.put(window(loss=None))
    answer = ranks.hear(5)
    assert isinstance(answer, WindowDone)
    assert answer.loss is None


def test_rank_ahead_of_the_others(team: Team) -> None:
    """Two windows of one rank before the first of the other are kept apart."""
    ranks, (first, second) = team()
    for steps in (1, 2):
        ranks.say(RunWindow(steps=steps))
        first.answers.put(window(steps=steps))
    for steps in (1, 2):
        second.answers.put(window(steps=steps))
        answer = ranks.hear(5)
        assert isinstance(answer, WindowDone)
        assert answer.steps == steps


def test_evaluation_is_rank_0s_alone(team: Team) -> None:
    """The others are neither asked nor waited for, nor named where it never comes."""
    ranks, (first, second) = team()
    ranks.say(Evaluate())
    evaluated = Evaluated(start_s=1.0, evaluate_s=1.0, loss=0.1, accuracy=0.9)
    first.answers.put(evaluated)
    assert ranks.hear(5) == evaluated
    assert second.said == []
    ranks.say(Evaluate())
    with pytest.raises(NoAnswer, match=r"^rank 0 on h0: no answer within 0 s$"):
        ranks.hear(0.1)


def test_memory_and_cpu_time_of_all_ranks(team: Team) -> None:
    """What ranks took together is a sum, of peaks the highest of one; what one could not tell is unknown."""
    ranks, fakes = team()
    ranks.say(Finish())
    told = ((5, None, 1.5), (9, 3, 2.0))
    for fake, (host, device, cpu_s) in zip(fakes, told, strict=True):
        fake.answers.put(Finished(peak_host_memory_bytes=host, peak_device_memory_bytes=device, worker_cpu_s=cpu_s))
    assert ranks.hear(5) == Finished(peak_host_memory_bytes=9, peak_device_memory_bytes=None, worker_cpu_s=3.5)
    assert ranks.exchanged_bytes == 100


@pytest.mark.parametrize(
    ("changes", "cluster", "local"),
    [
        ({}, ["10.0.0.0:5000", "10.0.0.1:5001"], [(0, 0, 1), (0, 0, 1)]),
        ({"host": "one", "address": "10.0.0.9"}, ["127.0.0.1:5000", "127.0.0.1:5001"], [(0, 0, 2), (1, 1, 2)]),
        ({"host": "one"}, ["10.0.0.0:5000", "10.0.0.1:5001"], [(0, 0, 2), (1, 1, 2)]),
        ({"host": "one", "cpus": "0-3"}, ["10.0.0.0:5000", "10.0.0.1:5001"], [(0, 0, 2), (1, 1, 2)]),
        ({"host": "one", "interface": "eth0"}, ["10.0.0.0:5000", "10.0.0.1:5001"], [(0, 0, 2), (1, 1, 2)]),
        ({"address": "fd00::1"}, ["[fd00::1]:5000", "[fd00::1]:5001"], [(0, 0, 1), (0, 0, 1)]),
    ],
    ids=["hosts", "loopback", "namespaces of one name", "same CPUs", "network", "ipv6"],
)
def test_cluster_is_made_of_the_hellos(changes: Any, cluster: list[str], local: list[tuple[int, int, int]]) -> None:
    """At one address ranks meet on the loopback, unless a network was asked for; each knows who shares its host."""
    fakes = [FakeRank(), FakeRank()]
    ranks = Ranks(fakes)
    for rank, fake in enumerate(fakes):
        fake.answers.put(hello(rank, **changes))
    ranks.hear(5)
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    places = [fake.said[0].place for fake in fakes if isinstance(fake.said[0], Prepare)]
    assert [place.cluster for place in places if place] == [cluster, cluster]
    assert [(place.local_rank, place.cpu_rank, place.cpu_ranks) for place in places if place] == local
    assert {place.interface for place in places if place} == {changes.get("interface")}


def test_workers_that_a_launcher_bound_apart_share_no_cpus() -> None:
    """On one host each takes a GPU of its own, and keeps all CPUs that its launcher gave it alone."""
    fakes = [FakeRank() for _ in range(3)]
    ranks = Ranks(fakes)
    for rank, (fake, cpus) in enumerate(zip(fakes, ("0-1", "2-3", "2-3"), strict=True)):
        fake.answers.put(hello(rank, host="one", cpus=cpus))
    ranks.hear(5)
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    places = [fake.said[0].place for fake in fakes if isinstance(fake.said[0], Prepare)]
    told = [(place.local_rank, place.cpu_rank, place.cpu_ranks) for place in places if place]
    assert told == [(0, 0, 1), (1, 0, 2), (2, 1, 2)]


def test_other_versions_on_another_host() -> None:
    """One line names package, ranks, hosts and both versions, and what to do."""
    fakes = [FakeRank(), FakeRank()]
    ranks = Ranks(fakes)
    fakes[0].answers.put(hello(0, versions={"keras": "3.15.1", "numpy": "2.4.6"}))
    fakes[1].answers.put(hello(1, versions={"keras": "3.15.0", "numpy": "2.3.0"}))
    told = "rank 1 on h1 has keras 3.15.0, rank 0 on h0 has 3.15.1: install the same on every host"
    assert ranks.hear(5) == Failed(status="error", reason=told)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("name", ["sha256", "worker_sha256"])
def test_other_code_on_another_host(told: bool, name: str) -> None:
    """Ranks of another workload or worker do not train together, and one line says whose; untold code is believed."""
    fakes = [FakeRank(), FakeRank()]
    ranks = Ranks(fakes)
    for rank, letter in enumerate("ab"):
        workload = Workload(folder="/a", **{"sha256": "c" * 64, name: letter * 64})
        fakes[rank].answers.put(hello(rank, workload=workload if told or rank == 0 else None))
    hashes = f"sha256 {'b' * 12}… and {'a' * 12}…"
    refused = f"rank 1 on h1 has other code than rank 0 on h0 ({hashes}): install the same package on every host"
    assert (ranks.hear(5) == Failed(status="error", reason=refused)) == told


def test_other_protocol_is_what_is_told() -> None:
    """A rank of another protocol is the one whose hello the conductor judges."""
    fakes = [FakeRank(), FakeRank()]
    ranks = Ranks(fakes)
    fakes[0].answers.put(hello(0))
    fakes[1].answers.put(hello(1).model_copy(update={"protocol_version": 99}))
    answer = ranks.hear(5)
    assert isinstance(answer, Hello)
    assert answer.protocol_version == 99


@pytest.mark.parametrize("says_so", [True, False])
def test_ranks_that_all_end_at_once_were_cut_off_from_one(team: Team, says_so: bool) -> None:
    """TensorFlow ends every rank, with words or by SIGABRT; whom each had lost their watchdogs say unasked."""
    ranks, fakes = team("running", "running", "running")
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    met = [told.others for fake in fakes for told in fake.said if isinstance(told, LookFor)]
    for rank, fake in reversed(list(enumerate(fakes))):
        lost = WorkerState(state="ended", unreached=met[1] if rank == 1 else met[0][:1])
        end = WorkerLost("the worker ended with exit code 1" if says_so else "the worker was killed by SIGABRT")
        for said in [*[PEER_LOST] * says_so, lost, end]:
            fake.answers.put(said)
    with pytest.raises(WorkerLost, match=r"^rank 1 on h1 is not reached by the others; so rank \d on h\d: "):
        ranks.hear(5)


def test_first_that_fails_by_itself_is_named(team: Team) -> None:
    """A rank out of memory ends the trial at once, with its status, however much the others complain."""
    ranks, (first, second, _) = team("running", "running", "running")
    ranks.say(RunWindow(steps=8))
    second.answers.put(window())
    first.answers.put(PEER_LOST)
    second.answers.put(Failed(status="oom", reason="out of memory: asked for 1 MiB"))
    assert ranks.hear(5) == Failed(status="oom", reason="rank 1 on h1: out of memory: asked for 1 MiB")


def test_killed_rank_is_named_not_the_one_that_misses_it(team: Team) -> None:
    """Its watchdog sees it ended, and how it ended comes after what the other says."""
    ranks, (first, second) = team("running", "ended")
    ranks.say(RunWindow(steps=8))
    first.answers.put(PEER_LOST)
    second.answers.put(WorkerLost("the worker was killed by SIGKILL"))
    with pytest.raises(WorkerLost, match=r"^rank 1 on h1: the worker was killed by SIGKILL$"):
        ranks.hear(5)


@pytest.mark.parametrize(("state", "fault"), [("stopped", "is stopped"), (None, "cannot be reached")])
def test_rank_that_others_wait_for(team: Team, state: str | None, fault: str) -> None:
    """Where a deadline passes the stopped or unreachable rank is named alone, and before one that complains of it."""
    ranks, (first, _) = team("running", state)
    ranks.say(RunWindow(steps=8))
    with pytest.raises(NoAnswer, match=rf"^rank 1 on h1 {fault}: no answer within 0 s$"):
        ranks.hear(0.1)
    first.answers.put(PEER_LOST)
    with pytest.raises(WorkerLost, match=rf"^rank 1 on h1 {fault}; so rank 0 on h0: UnavailableError"):
        ranks.hear(5)


def cut(fakes: list[FakeRank], *here: int) -> None:
    """Divide the network: some ranks, and all the others."""
    for rank, fake in enumerate(fakes):
        others = [other for other in range(len(fakes)) if (other in here) != (rank in here)]
        fake.misses = {f"10.0.0.{other}:{5000 + other}" for other in others}


@pytest.mark.parametrize(("here", "word"), [([2], None), ([2], 0), ([2], 2), ([0], 1)])
def test_rank_whose_cable_is_cut_is_named(team: Team, here: list[int], word: int | None) -> None:
    """By what the watchdogs of both sides reach: whoever complains first may be on either side of the cut."""
    ranks, fakes = team("running", "running", "running")
    cut(fakes, *here)
    ranks.say(RunWindow(steps=8))
    named = rf"^rank {here[0]} on h{here[0]} is not reached by the others"
    if word is None:
        with pytest.raises(NoAnswer, match=rf"{named}: no answer within 0 s$"):
            ranks.hear(0.1)
    else:
        fakes[word].answers.put(PEER_LOST)
        with pytest.raises(WorkerLost, match=rf"{named}; so rank {word} on h{word}: UnavailableError: "):
            ranks.hear(5)


def test_two_ranks_that_do_not_reach_each_other(team: Team) -> None:
    """Which end of the cable is out nobody can tell, so both are told."""
    ranks, fakes = team()
    cut(fakes, 1)
    ranks.say(RunWindow(steps=8))
    pair = "rank 0 on h0 and rank 1 on h1 do not reach each other"
    with pytest.raises(NoAnswer, match=f"^{pair}; so rank 0 on h0, rank 1 on h1: no answer within 0 s$"):
        ranks.hear(0.1)
    fakes[0].answers.put(PEER_LOST)
    answer = ranks.hear(5)
    assert isinstance(answer, Failed)
    assert answer.reason == f"{pair}; so rank 0 on h0: {PEER_LOST.reason}"


def test_many_pairs_that_do_not_reach_each_other(team: Team) -> None:
    """Of halves the first pair is told and how many there are."""
    ranks, fakes = team("running", "running", "running", "running")
    cut(fakes, 2, 3)
    fakes[0].answers.put(PEER_LOST)
    ranks.say(RunWindow(steps=8))
    answer = ranks.hear(5)
    assert isinstance(answer, Failed)
    told = "rank 0 on h0 and rank 2 on h2 do not reach each other (nor do 3 more pairs); so rank 0 on h0: "
    assert (answer.reason or "").startswith(told)


def test_ranks_that_die_before_they_can_tell(team: Team) -> None:
    """The larger part complains and goes, and only the one that is cut off tells whom it reaches: it is named still."""
    ranks, fakes = team("ended", "ended", "running")
    cut(fakes, 2)
    ranks.say(RunWindow(steps=8))
    fakes[0].answers.put(PEER_LOST)
    fakes[1].answers.put(PEER_LOST)
    with pytest.raises(WorkerLost, match=r"^rank 2 on h2 is not reached by the others; so rank [01] on h[01]: "):
        ranks.hear(5)


def test_nobody_to_blame(team: Team) -> None:
    """Where all workers run, all that owe an answer are named, or the one that complained, as it put it."""
    ranks, (first, _) = team()
    ranks.say(RunWindow(steps=8))
    with pytest.raises(NoAnswer, match=r"^rank 0 on h0, rank 1 on h1: no answer within 0 s$"):
        ranks.hear(0.1)
    first.answers.put(PEER_LOST)
    assert ranks.hear(5) == PEER_LOST.model_copy(update={"reason": f"rank 0 on h0: {PEER_LOST.reason}"})


def test_host_that_lets_nobody_in() -> None:
    """Before the hellos nobody can miss another rank: the one whose launcher failed is named at once."""
    fakes = [FakeRank(), FakeRank()]
    ranks = Ranks(fakes)
    fakes[1].answers.put(WorkerLost("the worker ended with exit code 255: ssh: Connection refused"))
    with pytest.raises(WorkerLost, match=r"^rank 1: the worker ended with exit code 255: ssh: Connection refused$"):
        ranks.hear(5)


def test_ranks_that_answer_different_things(team: Team) -> None:
    """Are not merged."""
    ranks, (first, second) = team()
    ranks.say(RunWindow(steps=8))
    first.answers.put(window())
    second.answers.put(Finished(peak_host_memory_bytes=1, peak_device_memory_bytes=None))
    with pytest.raises(WorkerLost, match="ranks answered window_done and finished at once"):
        ranks.hear(5)


def test_taken_port_stays_told(team: Team) -> None:
    """That another start may help survives the naming of the rank."""
    ranks, (first, _) = team()
    first.answers.put(Failed(status="error", reason="UnknownError: Could not start gRPC server", port_taken=True))
    answer = ranks.hear(5)
    assert isinstance(answer, Failed)
    assert answer.port_taken


def test_close_ends_every_rank(team: Team) -> None:
    """Once each."""
    ranks, fakes = team()
    ranks.close()
    assert [fake.closed for fake in fakes] == [1, 1]


def test_rank_that_goes_after_its_last_word_is_not_lost(team: Team) -> None:
    """Its end may be heard before the others' last word is: the trial is whole all the same."""
    ranks, (first, second) = team()
    ranks.say(Finish())
    last = Finished(peak_host_memory_bytes=5, peak_device_memory_bytes=None)
    second.answers.put(last)
    second.answers.put(WorkerLost("the worker ended with exit code 0"))
    first.answers.put(last)
    assert isinstance(ranks.hear(5), Finished)


def test_hosts_without_an_address_for_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would wait for itself on its own loopback."""
    monkeypatch.setattr(ranks_module, "_INQUEST_S", 0.2)
    monkeypatch.setattr(ranks_module, "_DYING_S", 0.2)
    fakes = [FakeRank(), FakeRank()]
    ranks = Ranks(fakes)
    for rank, fake in enumerate(fakes):
        fake.answers.put(hello(rank, address="127.0.0.1"))
    told = ranks.hear(5)
    assert isinstance(told, Failed)
    assert told.reason.startswith("rank 0 on h0 has no address that others could reach; name a network")


@pytest.mark.parametrize(
    ("field", "value"),
    [("tf32", True), ("onednn", False), ("cross_device_ops", "NcclAllReduce"), ("allocator", "growth")],
)
def test_ranks_that_run_other_programs_are_invalid(team: Team, field: str, value: Any) -> None:
    """One that multiplies in TF32, or without oneDNN, makes the window another cell's."""
    ranks, fakes = team()
    ready = as_ready()
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    fakes[0].answers.put(ready)
    fakes[1].answers.put(as_ready(**{field: value}))
    told = ranks.hear(5)
    assert isinstance(told, Failed)
    assert (told.status, field in told.reason) == ("invalid", True)


def test_cpus_and_cores_of_all_ranks_are_told(team: Team) -> None:
    """Rank by rank; that they differ is no news."""
    ranks, fakes = team()
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    for rank, fake in enumerate(fakes):
        fake.answers.put(as_ready(cpus=[f"h {rank}"], cores=[f"h {rank},{rank + 2}"]))
    told = ranks.hear(5)
    assert isinstance(told, Ready)
    found = told.effective
    assert (found.cpus, found.cores, found.notes) == (["h 0", "h 1"], ["h 0,2", "h 1,3"], [])


def test_ranks_on_other_data_are_invalid(team: Team) -> None:
    """Each would average gradients of a data set that the others do not have; who does not tell is believed."""
    for loaded, differs in (("b" * 64, True), ("a" * 64, False), (None, False)):
        ranks, fakes = team()
        ranks.say(Prepare(trial=Trial(cell=Cell())))
        for fake, sha256 in zip(fakes, ("a" * 64, loaded), strict=True):
            fake.answers.put(as_ready().model_copy(update={"data_sha256": sha256}))
        told = ranks.hear(5)
        assert isinstance(told, Failed if differs else Ready)
        hashes = f"sha256 {'b' * 12}… and {'a' * 12}…"
        reason = f"rank 1 has other data than rank 0 ({hashes}): load the same data everywhere"
        assert (told == Failed(status="invalid", reason=reason)) == differs


LED: tuple[Role, ...] = ("coordinator", "worker", "worker", "server")


def serving(rank: int, **changes: Any) -> Serving:
    told: dict[str, Any] = {
        "intra_op_threads": 3, "inter_op_threads": 4, "onednn": True, "allocator": None, "gpu_models": [],
        "cpus": [f"h{rank} 0-2"], "addresses": [f"10.0.0.{rank}"], "interface": None, "network_settings": {},
        "notes": ["oneDNN is on"],
    }  # fmt: skip
    return Serving(**told | changes)


@pytest.fixture
def led(monkeypatch: pytest.MonkeyPatch) -> tuple[Ranks, list[FakeRank]]:
    """Greeted ranks under a coordinator, all at one host but for the last worker."""
    monkeypatch.setattr(ranks_module, "_INQUEST_S", 0.2)
    monkeypatch.setattr(ranks_module, "_DYING_S", 0.2)
    fakes = [FakeRank() for _ in LED]
    ranks = Ranks(fakes, LED)
    for rank, fake in enumerate(fakes):
        fake.answers.put(hello(rank, host="h2" if rank == 2 else "h"))
    ranks.hear(5)
    return ranks, fakes


Led = tuple[Ranks, list[FakeRank]]


def test_places_of_those_who_are_led(led: Led) -> None:
    """Everybody knows all roles; who shares CPUs and GPUs with whom is counted among workers alone."""
    ranks, fakes = led
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    places = [fake.said[0].place for fake in fakes if isinstance(fake.said[0], Prepare)]
    assert [place.role for place in places if place] == list(LED)
    assert [(place.local_rank, place.cpu_rank, place.cpu_ranks) for place in places if place] == [(0, 0, 1)] * 4


def test_settings_of_those_who_are_led(led: Led) -> None:
    """Threads, CPUs and kernels are the workers', addresses everybody's, and what differs between workers is told."""
    ranks, fakes = led
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    fakes[0].answers.put(as_ready(addresses=["10.0.0.0"], cpus=["h 0-7"], notes=["asynchronous"], onednn=False))
    for rank, fake in enumerate(fakes[1:], 1):
        fake.answers.put(serving(rank, intra_op_threads=2 + rank, onednn=rank != 3, cores=[f"h{rank} 0-5"]))
    answer = ranks.hear(5)
    assert isinstance(answer, Ready)
    found = answer.effective
    assert (found.intra_op_threads, found.inter_op_threads, found.onednn) == (3, 4, True)
    assert (found.cpus, found.addresses) == (["h1 0-2", "h2 0-2"], [f"10.0.0.{rank}" for rank in range(4)])
    assert found.cores == ["h1 0-5", "h2 0-5"]
    assert found.notes == ["asynchronous", "oneDNN is on", "workers differ in intra_op_threads: 3, 4"]


@pytest.mark.parametrize(("cpus", "told"), [("0-3", True), ("0-4", False)])
def test_coordinator_on_the_workers_cpus(led: Led, cpus: str, told: bool) -> None:
    """Where workers leave a coordinator or server no CPU of its own the row says so."""
    ranks, fakes = led
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    fakes[0].answers.put(as_ready(cpus=[f"h {cpus}"]))
    for rank, own in enumerate(["0-1", "2-3", "0-7"], 1):
        fakes[rank].answers.put(serving(rank, cpus=[f"h {own}"], notes=[]))
    answer = ranks.hear(5)
    assert isinstance(answer, Ready)
    assert answer.effective.notes == ["the coordinator or a server has no core but the workers'"] * told


def test_workers_that_run_other_kernels_are_invalid(led: Led) -> None:
    """One of two workers without oneDNN makes it another cell."""
    ranks, fakes = led
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    fakes[0].answers.put(as_ready())
    for rank, fake in enumerate(fakes[1:], 1):
        fake.answers.put(serving(rank, onednn=rank != 2))
    told = "ran with other settings than asked: workers differ in onednn: True, False"
    assert ranks.hear(5) == Failed(status="invalid", reason=told)


def test_server_with_too_few_threads_is_invalid(led: Led) -> None:
    """With fewer than four inter-op threads servers hang on some machines: it is told before anything is timed."""
    ranks, fakes = led
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    fakes[0].answers.put(as_ready())
    for rank, fake in enumerate(fakes[1:], 1):
        fake.answers.put(serving(rank, inter_op_threads=4 if rank < 3 else 2))
    told = "ran with other settings than asked: a server has 2 inter-op threads, not 4 at least"
    assert ranks.hear(5) == Failed(status="invalid", reason=told)


def test_rank_that_does_not_serve(led: Led) -> None:
    """An answer of another kind is not taken for one."""
    ranks, fakes = led
    ranks.say(Prepare(trial=Trial(cell=Cell())))
    for fake in fakes:
        fake.answers.put(as_ready())
    with pytest.raises(WorkerLost, match="ranks answered ready and ready at once"):
        ranks.hear(5)


def test_coordinator_alone_is_asked_and_told_by_role(led: Led) -> None:
    """Windows are its own, the end is everybody's, and who is late is named with what it does."""
    ranks, fakes = led
    ranks.say(RunWindow(steps=8))
    fakes[0].answers.put(window())
    assert ranks.hear(5) == window()
    assert [len(fake.said) for fake in fakes] == [1, 0, 0, 0]
    ranks.say(Finish())
    for fake in fakes[:3]:
        fake.answers.put(Finished(peak_host_memory_bytes=5, peak_device_memory_bytes=None, worker_cpu_s=1.5))
    with pytest.raises(NoAnswer, match=r"^rank 3 \(server\) on h: no answer within 0 s$"):
        ranks.hear(0.1)


def test_server_that_still_seems_to_run_while_it_dies(led: Led, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux calls a killed process running for a moment after its connections were reset; its end is waited for."""
    monkeypatch.setattr(ranks_module, "_DYING_S", 20.0)
    ranks, fakes = led
    ranks.say(RunWindow(steps=8))
    fakes[0].answers.put(Failed(status="error", reason="UnavailableError: recvmsg:Connection reset by peer"))
    threading.Timer(0.5, fakes[3].answers.put, [WorkerLost("the worker was killed by SIGKILL")]).start()
    with pytest.raises(WorkerLost, match=r"^rank 3 \(server\) on h: the worker was killed by SIGKILL$"):
        ranks.hear(5)


def test_server_that_is_cut_off_is_named(led: Led) -> None:
    """The coordinator waits for its word and says nothing, and workers owe no answer."""
    ranks, fakes = led
    cut(fakes, 3)
    ranks.say(RunWindow(steps=8))
    with pytest.raises(NoAnswer, match=r"^rank 3 \(server\) on h is not reached by the others: no answer within 0 s$"):
        ranks.hear(0.1)


def test_worker_without_steps_is_not_to_blame_where_a_server_is_cut_off(led: Led) -> None:
    """The coordinator sees that a worker does nothing, and not why."""
    ranks, fakes = led
    cut(fakes, 3)
    ranks.say(RunWindow(steps=8))
    fakes[0].answers.put(Failed(status="timeout", reason="has done no step for 31 s", rank=1))
    told = (
        r"^rank 3 \(server\) on h is not reached by the others; so rank 1 \(worker\) on .*: has done no step for 31 s$"
    )
    with pytest.raises(WorkerLost, match=told) as lost:
        ranks.hear(5)
    assert lost.value.status == "timeout"


def test_device_memory_is_the_workers(led: Led) -> None:
    """A coordinator and a server without a device leave the peak known; a worker that cannot tell does not."""
    ranks, fakes = led
    for told, peak in (([None, 7, 9, None], 9), ([None, 7, None, None], None)):
        ranks.say(Finish())
        for fake, device in zip(fakes, told, strict=True):
            fake.answers.put(Finished(peak_host_memory_bytes=5, peak_device_memory_bytes=device, worker_cpu_s=1.5))
        finished = ranks.hear(5)
        assert isinstance(finished, Finished)
        assert finished.peak_device_memory_bytes == peak


def test_server_that_is_killed_while_the_coordinator_complains(led: Led) -> None:
    """It is named, with its role, though nobody asked it anything, and TensorFlow's words are the coordinator's."""
    ranks, fakes = led
    ranks.say(RunWindow(steps=8))
    fakes[3].state = "ended"
    fakes[0].answers.put(Failed(status="error", reason="PSUnavailableError: failed to connect to all addresses"))
    fakes[3].answers.put(WorkerLost("the worker was killed by SIGKILL"))
    with pytest.raises(WorkerLost, match=r"^rank 3 \(server\) on h: the worker was killed by SIGKILL$"):
        ranks.hear(5)


def test_each_rank_takes_its_own_gpus(team: Team) -> None:
    """Those of the trial come rank by rank; where they are not told every rank chooses for itself."""
    cell = Cell(strategy="multi_worker_mirrored", device="gpu", workers=2, replicas=4, global_batch=8)
    for gpus, own in ((["a", "b", "c", "d"], [["a", "b"], ["c", "d"]]), ([], [[], []])):
        ranks, fakes = team()
        ranks.say(Prepare(trial=Trial(cell=cell), gpus=gpus))
        assert [fake.said[0].gpus for fake in fakes if isinstance(fake.said[0], Prepare)] == own


def test_clocks_of_hosts_are_told_apart_by_the_windows_they_begin_together(team: Team) -> None:
    """The offset is the median over windows, of which one may begin late on a rank; rank 0's is none."""
    ranks, fakes = team()
    for begun, late in ((10.0, 0.0), (20.0, 0.5), (30.0, 0.001)):
        ranks.say(RunWindow(steps=8))
        fakes[0].answers.put(window(start_s=begun))
        fakes[1].answers.put(window(start_s=begun + 900 + late))
        ranks.hear(5)
    finished = finish(ranks, fakes, ["h0", "h1"])
    assert {host: part.clock_offset_s for host, part in finished.hosts.items()} == {"h0": 0.0, "h1": 900.001}


def test_host_of_several_ranks_has_one_part(team: Team) -> None:
    """The conditions are its first rank's, the CPU seconds those of all; without a window no clock is known."""
    ranks, fakes = team("running", "running", "running")
    finished = finish(ranks, fakes, ["h0", "h1", "h1"])
    assert [part.own_cpu_s for part in finished.hosts.values()] == [1.0, 5.0]
    assert [part.after.clock_s for part in finished.hosts.values()] == [0.0, 1.0]
    assert finished.hosts["h1"].clock_offset_s is None


def finish(ranks: Ranks, fakes: list[FakeRank], hosts: list[str]) -> Finished:
    """What ranks on these hosts say last, rank r having taken r + 1 CPU seconds."""
    ranks.say(Finish())
    for rank, (fake, host) in enumerate(zip(fakes, hosts, strict=True)):
        reading = Conditions(clock_s=rank)
        own = {host: HostPart(before=reading, after=reading, own_cpu_s=rank + 1.0)}
        fake.answers.put(Finished(peak_host_memory_bytes=5, peak_device_memory_bytes=None, hosts=own))
    finished = ranks.hear(5)
    assert isinstance(finished, Finished)
    return finished


def test_stopped_worker_whose_work_others_do_ends_the_trial(led: Led, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows go on without it, so its watchdog is asked now and then: stopped twice in a row is told with its name."""
    monkeypatch.setattr(ranks_module, "_STATES_EVERY_S", 0.02)
    ranks, fakes = led
    fakes[2].state = "stopped"
    ranks.say(RunWindow(steps=8))
    with pytest.raises(NoAnswer, match=r"^rank 2 \(worker\) on h2 is stopped$"):
        ranks.hear(5)


def test_worker_that_a_debugger_stopped_for_a_moment_goes_on(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once stopped and then running ends nothing, however often, and its word is no answer."""
    ranks, (first, second) = team()
    for state in ("stopped", "running", "stopped"):
        second.answers.put(WorkerState.model_validate({"state": state}))
    ranks.say(RunWindow(steps=8))
    first.answers.put(window())
    second.answers.put(window(window_s=3.0))
    assert isinstance(ranks.hear(5), WindowDone)


def test_rank_that_has_ended_in_order_is_not_blamed(team: Team) -> None:
    """It can say nothing more; who hangs is the one that has not said its last word."""
    ranks, (_, second) = team()
    ranks.say(Finish())
    second.answers.put(Finished(peak_host_memory_bytes=5, peak_device_memory_bytes=None))
    second.state = None
    with pytest.raises(NoAnswer, match=r"^rank 0 on h0: no answer within 0 s$"):
        ranks.hear(0.3)


def test_rank_that_goes_in_order_is_not_who_the_others_died_of(team: Team) -> None:
    """Its connections close as it goes; that another complains of them is that other's own fault."""
    ranks, (first, second) = team()
    ranks.say(Finish())
    second.answers.put(Finished(peak_host_memory_bytes=5, peak_device_memory_bytes=None))
    second.state = None
    with pytest.raises(NoAnswer):
        ranks.hear(0.3)
    second.answers.put(WorkerLost("the worker ended with exit code 0"))
    first.answers.put(PEER_LOST)
    told = ranks.hear(5)
    assert isinstance(told, Failed)
    assert told.reason == f"rank 0 on h0: {PEER_LOST.reason}"


@pytest.mark.parametrize(("rank", "named"), [(2, "rank 2 (worker) on h2"), (9, "rank 0 (coordinator) on h")])
def test_rank_that_another_tells_of_is_named(led: Led, rank: int, named: str) -> None:
    """A coordinator knows which worker hangs; a rank that there is not is nobody's name."""
    ranks, (first, *_) = led
    ranks.say(RunWindow(steps=8))
    first.answers.put(Failed(status="timeout", reason="has done no step for 31 s", rank=rank))
    answer = ranks.hear(5)
    assert isinstance(answer, Failed)
    assert answer.reason == f"{named}: has done no step for 31 s"
