"""Trials run one after the other, each in a fresh worker, each on the disk before the next begins."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.execute.limits import Limits
from bench.execute.scheduler import Interrupted, execute, exit_code
from bench.execute.session import WorkerLost
from bench.protocol.answers import Failed, Workload
from bench.protocol.conversation import AnyAnswer
from bench.store.record import RunRecord, TrialRecord
from bench.store.runs import RunWriter, create_run, read_run
from bench.store.windows import Window
from bench.trial import Cell, Trial

Fake = Callable[..., Any]
Faults = dict[int, AnyAnswer | BaseException]
A, B, C = (Trial(cell=Cell(global_batch=batch)) for batch in (100, 200, 400))


class Events:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.phases: list[str] = []

    def trial_started(self, trial: Trial, number: int, total: int) -> None:
        self.heard.append(f"start {number}/{total}")

    def doing(self, what: str) -> None:
        self.phases.append(what)

    def window(self, window: Window) -> None:
        if self.heard[-1] != "windows":
            self.heard.append("windows")

    def trial_finished(self, record: TrialRecord) -> None:
        self.heard.append(record.status)


class Launcher:
    """Starts a fake worker for every trial, with the faults of that trial; notes what was stored by then."""

    def __init__(self, fake_worker: Fake, writer: RunWriter, faults: Sequence[Faults] = ()):
        self.fake_worker, self.writer, self.faults = fake_worker, writer, list(faults)
        self.logs: list[Path] = []
        self.stored_before: list[int] = []

    def __call__(self, trial: Trial, log: Path) -> Any:  # which trial it is does not matter here
        self.logs.append(log)
        self.stored_before.append(len(read_run(self.writer.folder).records))
        return self.fake_worker(faults=self.faults.pop(0) if self.faults else {})


@pytest.fixture
def run_trials(fake_worker: Fake, clock: Any, tmp_path: Path) -> Callable[..., tuple[Launcher, Events]]:
    """Executes a run in a folder below `tmp_path`, whose writer it makes or is given."""

    def execute_all(
        run: RunRecord, faults: Sequence[Faults] = (), folder: Path | None = None, **rest: Any
    ) -> tuple[Launcher, Events]:
        writer = RunWriter(folder) if folder else create_run(tmp_path, run)
        launcher, events = Launcher(fake_worker, writer, faults), Events()
        finished = read_run(writer.folder).finished
        execute(run, finished, writer, launch=launcher, limits=Limits(), observer=events, clock=clock, **rest)
        return launcher, events

    return execute_all


def only_run(parent: Path) -> Path:
    (folder,) = parent.iterdir()
    return folder


def test_every_trial_is_stored_before_the_next(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """When a worker starts, all earlier trials can be read from the disk already."""
    launcher, events = run_trials(plan(A, B, C))
    assert launcher.stored_before == [0, 1, 2]
    stored = read_run(only_run(tmp_path))
    assert [record.trial for record in stored.records] == [A, B, C]
    assert [record.log for record in stored.records] == [f"logs/{trial.trial_id}.log" for trial in (A, B, C)]
    assert events.heard == ["start 1/3", "windows", "ok", "start 2/3", "windows", "ok", "start 3/3", "windows", "ok"]


def test_what_a_trial_goes_on_to_is_told(run_trials: Any, plan: Any) -> None:
    """In a few words, each when it begins; with epochs and without."""
    two, none = (Trial(cell=Cell(epochs=epochs, global_batch=3000)) for epochs in (2, 0))
    begin, end = ["saying hello", "importing, building and compiling"], ["finishing"]
    epochs = [
        f"{what} {epoch}{of}"
        for epoch in (1, 2)
        for what, of in (("training epoch", " of 2"), ("evaluating after epoch", ""))
    ]
    _, events = run_trials(plan(two))
    assert events.phases == [*begin, *epochs, "measuring speed alone", *end]
    _, events = run_trials(plan(none))
    assert events.phases == [*begin, "measuring", *end]


def test_unsupported_trial_is_recorded_without_a_worker(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """A trial that cannot be executed keeps its reason on its row, and no worker starts for it."""
    impossible = B.model_copy(update={"unsupported": "device gpu: none here"})
    launcher, _ = run_trials(plan(A, impossible, C))
    assert len(launcher.logs) == 2
    row = read_run(only_run(tmp_path)).records[1]
    assert (row.status, row.reason, len(row.windows)) == ("unsupported", "device gpu: none here", 0)


def test_failed_trial_does_not_stop_the_run(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """A worker that is lost is a row of its own; the next trial runs."""
    run_trials(plan(A, B), faults=[{5: WorkerLost("the worker was killed by SIGKILL")}])
    assert [record.status for record in read_run(only_run(tmp_path)).records] == ["error", "ok"]


def test_run_budget(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """Once the run's seconds are used up the rest is skipped, each with the reason and how to finish it."""
    # a trial of the fake takes 300/64 + 2 + 1 s: the first uses the budget up, and the trial itself is not cut
    _, events = run_trials(plan(A, B, C, run_budget_s=5.0))
    records = read_run(only_run(tmp_path)).records
    assert [record.status for record in records] == ["ok", "skipped", "skipped"]
    assert records[1].reason == "the run's budget of 5 s was used up; finish it with --resume"
    assert events.heard[-1] == "skipped"


def test_resume_executes_only_what_is_missing(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """Finished trials are left alone, even failed ones; skipped ones are executed and replace their rows."""
    run = plan(A, B, C, run_budget_s=5.0)
    run_trials(run, faults=[{5: WorkerLost("gone")}])
    folder = only_run(tmp_path)
    statuses = [record.status for record in read_run(folder).records]
    launcher, events = run_trials(run.model_copy(update={"run_budget_s": None}), folder=folder)
    assert statuses == ["error", "ok", "skipped"]
    assert [log.stem for log in launcher.logs] == [C.trial_id]
    assert events.heard[0] == "start 1/1"
    assert [record.status for record in read_run(folder).records] == ["error", "ok", "ok"]


def test_interrupt_stops_the_run(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """Ctrl-C stores the current trial as interrupted, starts no other, and resuming executes it again."""
    run = plan(A, B, C)
    with pytest.raises(Interrupted):
        run_trials(run, faults=[{}, {10: KeyboardInterrupt()}])
    folder = only_run(tmp_path)
    stored = read_run(folder)
    assert [(record.status, len(record.windows) > 0) for record in stored.records] == [
        ("ok", True),
        ("interrupted", True),
    ]
    launcher, _ = run_trials(run, folder=folder)
    assert [log.stem for log in launcher.logs] == [B.trial_id, C.trial_id]
    assert [record.status for record in read_run(folder).records] == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 0),
        (["ok", "unsupported", "skipped"], 0),
        (["ok", "error"], 1),
        (["timeout"], 1),
        (["nan", "ok"], 1),
        (["invalid"], 1),
        (["oom"], 1),
    ],
)
def test_exit_code(record: Callable[..., TrialRecord], statuses: list[str], code: int) -> None:
    """Only trials that failed make the exit code 1; what was not tried does not."""
    assert exit_code([record(status) for status in statuses]) == code


def test_batches_larger_than_one_without_memory_are_skipped(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """Of the same cell only, with the batch that failed; smaller ones, and other cells, are run."""
    other = Trial(cell=Cell(global_batch=400, engine="fit"))
    out_of_memory = Failed(status="oom", reason="asked for 3 GiB where 2 GiB were free")
    launcher, _ = run_trials(plan(B, A, C, other), [{1: out_of_memory}])
    records = read_run(only_run(tmp_path)).records
    assert [record.status for record in records] == ["oom", "ok", "skipped", "ok"]
    told = "global batch 200: asked for 3 GiB where 2 GiB were free"
    assert [record.reason for record in records[::2]] == [
        told,
        f"a smaller batch of this cell ended in oom already: {told}",
    ]
    assert len(launcher.logs) == 3


def test_replicas_are_another_cell(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """What was too much for one replica may be shared by two; a skipped row tells a replica's share."""
    one, two, more = (
        Trial(cell=Cell(global_batch=batch, replicas=replicas, strategy="mirrored"))
        for batch, replicas in [(200, 1), (400, 2), (800, 2)]
    )
    out_of_memory = {1: Failed(status="oom", reason="asked for 3 GiB")}
    run_trials(plan(one, two, more), [out_of_memory, out_of_memory])
    records = read_run(only_run(tmp_path)).records
    assert [record.status for record in records] == ["oom", "oom", "skipped"]
    assert records[2].reason == (
        "a smaller batch of this cell ended in oom already: global batch 400 (200 on each of 2 replicas): "
        "asked for 3 GiB"
    )


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Failed(status="oom", reason="asked for 3 GiB"), "ended in oom already: global batch 200: asked"),
        (WorkerLost("the worker was killed by SIGKILL"), "ended in error already: importing"),
    ],
)
def test_search_ends_at_the_first_batch_that_does_not_train(
    run_trials: Any, plan: Any, tmp_path: Path, fault: Any, told: str
) -> None:
    """Memory may run out in disguise, so no failure is tried at a larger batch; another cell has its own search."""
    other = Trial(cell=Cell(global_batch=400, engine="fit"))
    launcher, _ = run_trials(plan(A, B, C, other, max_batch=True), [{}, {1: fault}])
    records = read_run(only_run(tmp_path)).records
    assert [record.status for record in records] == ["ok", records[1].status, "skipped", "ok"]
    assert f"a smaller batch of this cell {told}" in records[2].reason
    assert len(launcher.logs) == 3


def test_resumed_search_still_knows_where_it_ended(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """A search that is interrupted behind its end starts no worker for what was too large before."""
    run = plan(A, B, C, max_batch=True)
    run_trials(run, [{}, {1: Failed(status="oom", reason="asked for 3 GiB")}])
    folder = only_run(tmp_path)
    launcher, _ = run_trials(run, folder=folder, stored=read_run(folder).records)
    assert launcher.logs == []
    assert [record.status for record in read_run(folder).records] == ["ok", "oom", "skipped"]


def test_memory_that_was_searched_for_is_no_failure(record: Callable[..., TrialRecord]) -> None:
    """A search that ends as it should has the exit code 0; whatever else ends a trial fails a search too."""
    assert exit_code([record("ok"), record("oom"), record("skipped")], max_batch=True) == 0
    assert exit_code([record("ok"), record("error")], max_batch=True) == 1


def test_trial_that_was_sampled_names_its_telemetry(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """Sampling lasts as long as the trial, and writes where the record says."""
    seen: list[str] = []

    @contextmanager
    def sample(trial: Trial, gpus: Sequence[str], path: Path, log: Path) -> Iterator[bool]:
        assert not gpus
        seen.append(f"{path.relative_to(only_run(tmp_path))} beside {log.name}")
        yield trial is B
        seen.append("ended")

    run_trials(plan(A, B), sample=sample)
    first, second = read_run(only_run(tmp_path)).records
    assert first.telemetry is None
    assert second.telemetry == f"telemetry/{B.trial_id}.jsonl"
    assert seen[2:] == [f"telemetry/{B.trial_id}.jsonl beside {B.trial_id}.log", "ended"]


def test_taken_port_starts_the_trial_anew(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """Fresh workers train it, and nothing of the first attempt is stored; a third time is the last."""
    taken = Failed(status="error", reason="rank 0: Could not start gRPC server", port_taken=True)
    launcher, _ = run_trials(plan(A), [{1: taken}, {1: taken}, {}])
    assert len(launcher.logs) == 3
    assert [record.status for record in read_run(only_run(tmp_path)).records] == ["ok"]


def test_port_that_is_always_taken(run_trials: Any, plan: Any, tmp_path: Path) -> None:
    """After three starts the trial is an error with its reason; what fails otherwise is started once."""
    taken = Failed(status="error", reason="Could not start gRPC server", port_taken=True)
    other = Failed(status="error", reason="something else")
    launcher, _ = run_trials(plan(A, B, C), [{1: taken}, {1: taken}, {1: taken}, {1: other}])
    assert len(launcher.logs) == 5
    records = read_run(only_run(tmp_path)).records
    assert [record.status for record in records] == ["error", "error", "ok"]
    assert records[0].reason == "Could not start gRPC server"


@pytest.mark.parametrize(("loaded", "status"), [("a" * 64, "ok"), (None, "ok"), ("b" * 64, "invalid")])
def test_other_data_than_the_runs(
    fake_worker: Fake, clock: Any, plan: Any, tmp_path: Path, loaded: str | None, status: str
) -> None:
    """What a worker trains on another data set, by what it tells of it, is no result, and the row says what to do."""
    run = plan(A, data_sha256="a" * 64)
    writer = create_run(tmp_path, run)

    def launch(trial: Trial, log: Path) -> Any:
        return fake_worker(data_sha256=loaded)

    execute(run, set(), writer, launch=launch, limits=Limits(), observer=Events(), clock=clock)
    (record,) = read_run(writer.folder).records
    assert record.status == status
    hashes = f"sha256 {'b' * 12}… and {'a' * 12}…"
    told = f"the worker has other data than this run ({hashes}): load the same data everywhere"
    assert (record.reason == told) == (status == "invalid")


@pytest.mark.parametrize(("whose", "package"), [("sha256", "mnist_cnn"), ("worker_sha256", "bench.worker")])
def test_code_that_changes_ends_a_run_until_it_is_back(
    fake_worker: Fake, clock: Any, plan: Any, tmp_path: Path, whose: str, package: str
) -> None:
    """Repeats of other code would stand in one cell with those before: nothing of it is trained, nor anything after."""
    run = plan(A, B, C)
    writer, codes = create_run(tmp_path, run), ["a", "b", "c", "a", "a"]

    def launch(trial: Trial, log: Path) -> Any:
        worker = fake_worker()
        told = {"sha256": "d" * 64, "worker_sha256": "e" * 64} | {whose: codes.pop(0) * 64}
        worker.workload = Workload(folder="/here", **told)
        return worker

    def go_on() -> list[str]:
        before = read_run(writer.folder)
        rest: dict[str, Any] = {"launch": launch, "limits": Limits(), "observer": Events(), "clock": clock}
        execute(run, before.finished, writer, stored=before.records, **rest)
        return [record.status for record in read_run(writer.folder).records]

    told = rf"^{package} has changed since the run's first trial: bring that back, or start anew$"
    for _ in range(2):  # as it was begun, and as it is resumed
        with pytest.raises(Interrupted, match=told):
            go_on()
        first, second = read_run(writer.folder).records
        assert (first.status, second.status, list(second.windows)) == ("ok", "interrupted", [])
    assert go_on() == ["ok", "ok", "ok"]
