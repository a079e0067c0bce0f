"""Whatever a worker does, the trial ends with a status, a reason and what was measured until then."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from bench.execute.conduct import conduct
from bench.execute.limits import Limits
from bench.execute.session import WorkerLost
from bench.protocol.answers import Evaluated, Failed, Finished, Hello, WindowDone
from bench.protocol.commands import Evaluate, Finish
from bench.protocol.conversation import PROTOCOL_VERSION, AnyCommand
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Cell, Trial

Fake = Callable[..., Any]
Lead = Callable[..., TrialRecord]

# the answers of a trial of one epoch at the fake's own speed: windows from 2 to 26, those for speed alone from 28 to 39
HELLO, READY, RUN_IN, WINDOW, LAST_WINDOW, EVALUATION, SPEED_ALONE, END = 0, 1, 2, 10, 26, 27, 30, 40


def window_done(steps: int = 13, loss: float | None = 0.5) -> WindowDone:
    return WindowDone(start_s=1.0, window_s=0.2, steps=steps, loss=loss, accuracy=0.9)


def test_the_numbers_above_are_those_of_a_whole_trial(fake_worker: Fake, lead: Lead) -> None:
    """A trial without a fault hears 41 answers, 37 of them windows, which with the first step are 38."""
    worker = fake_worker()
    record = lead(worker)
    assert (worker.answers, len(record.windows)) == (END + 1, 38)
    assert [type(command) for command in worker.said[EVALUATION - 1 :: END - EVALUATION]] == [Evaluate, Finish]


@pytest.mark.parametrize(
    ("number", "windows"),
    [
        (HELLO, 0),
        (READY, 0),
        (RUN_IN, 1),
        (WINDOW, 9),
        (LAST_WINDOW, 25),
        (EVALUATION, 26),
        (SPEED_ALONE, 28),
        (END, 38),
    ],
)
def test_lost_worker(fake_worker: Fake, lead: Lead, number: int, windows: int) -> None:
    """A worker that dies at any point gives an error that says how, and at what; its windows are kept."""
    record = lead(fake_worker(faults={number: WorkerLost("the worker was killed by SIGKILL")}))
    assert record.status == "error"
    assert record.reason is not None
    assert record.reason.endswith(": the worker was killed by SIGKILL")
    assert len(record.windows) == windows
    assert len(record.epochs) == (number > EVALUATION)


@pytest.mark.parametrize(
    ("number", "doing", "waited_s"),
    [
        (HELLO, "saying hello", 60),
        (READY, "importing, building and compiling", 900),
        (RUN_IN, "in window 2", 120),
        (WINDOW, "in window 10", 120),
        (EVALUATION, "evaluating after epoch 1", 600),
        (SPEED_ALONE, "in window 29", 120),
        (END, "finishing", 120),
    ],
)
def test_hung_worker(fake_worker: Fake, lead: Lead, number: int, doing: str, waited_s: int) -> None:
    """Every wait has a deadline; missing it is a timeout that says what the worker was doing."""
    record = lead(fake_worker(hangs_at=number))
    assert (record.status, record.reason) == ("timeout", f"{doing}: no answer within {waited_s} s")


def test_deadline_grows_with_the_slowest_window(fake_worker: Fake, lead: Lead) -> None:
    """Windows of 240 s are no hang where the run-in took 180 s; ones of 20 times that are."""
    slow = {"step_s": 30.0, "train_images": 300}
    assert lead(fake_worker(**slow), global_batch=10).status == "ok"
    hung = lead(fake_worker(**slow, hangs_at=4), global_batch=10)
    assert (hung.status, hung.reason) == ("timeout", "in window 4: no answer within 3600 s")


def test_first_step_is_no_window_that_deadlines_grow_with(fake_worker: Fake, lead: Lead) -> None:
    """A minute of compiling gives the first window 20, and those after it, which take a fraction of a second, two."""
    compiling = {"first_step_s": 60.0}
    first, later = (lead(fake_worker(**compiling, hangs_at=number)) for number in (RUN_IN, WINDOW))
    assert first.reason == "in window 2: no answer within 1200 s"
    assert later.reason == "in window 10: no answer within 120 s"


@pytest.mark.parametrize(("kind", "doing"), [(Evaluate, "evaluating after epoch 1"), (Finish, "finishing")])
def test_what_waits_for_windows_under_way_waits_as_long_as_for_windows(
    fake_worker: Fake, lead: Lead, kind: type[AnyCommand], doing: str
) -> None:
    """Steps may be in flight when an evaluation or the last word is asked for: 120 s are nothing where they take 30."""
    slow = {"step_s": 30.0, "train_images": 300}
    worker = fake_worker(**slow)
    assert lead(worker, global_batch=10).status == "ok"
    (place,) = [number for number, command in enumerate(worker.said, 1) if isinstance(command, kind)]
    hung = lead(fake_worker(**slow, hangs_at=place), global_batch=10)
    assert (hung.status, hung.reason) == ("timeout", f"{doing}: no answer within 4800 s")


@pytest.mark.parametrize("number", [READY, WINDOW, EVALUATION, END])
def test_worker_that_says_it_failed(fake_worker: Fake, lead: Lead, number: int) -> None:
    """The status and the reason are the worker's own."""
    record = lead(fake_worker(faults={number: Failed(status="error", reason="ValueError: no")}))
    assert (record.status, record.reason) == ("error", "ValueError: no")


@pytest.mark.parametrize(
    ("replicas", "batch"), [(1, "global batch 2,000"), (2, "global batch 2,000 (1,000 on each of 2 replicas)")]
)
def test_out_of_memory_names_the_batch(fake_worker: Fake, lead: Lead, replicas: int, batch: str) -> None:
    """Before what the worker says of memory stands the batch that it was too little for."""
    worker = fake_worker(faults={READY: Failed(status="oom", reason="asked for it")})
    record = lead(worker, global_batch=2000, replicas=replicas, strategy="mirrored", epochs=1)
    assert (record.status, record.reason) == ("oom", f"{batch}: asked for it")


def test_worker_that_died_for_want_of_memory(fake_worker: Fake, lead: Lead) -> None:
    """Where the session knows it, it is no mere error."""
    record = lead(fake_worker(faults={WINDOW: WorkerLost("killed after 'std::bad_alloc'", "oom")}))
    expected = "global batch 200: in window 10: killed after 'std::bad_alloc'"
    assert (record.status, record.reason) == ("oom", expected)


@pytest.mark.parametrize("number", [RUN_IN, WINDOW, LAST_WINDOW])
def test_loss_that_is_not_finite(fake_worker: Fake, lead: Lead, number: int) -> None:
    """A window without a finite loss ends the trial as nan, is kept, and the reason tells the steps so far."""
    healthy = lead(fake_worker())
    steps = [window.steps for window in list(healthy.windows)[:number]]
    record = lead(fake_worker(faults={number: window_done(steps[-1], loss=None)}))
    assert record.status == "nan"
    assert [window.steps for window in record.windows] == steps
    assert record.windows.loss[-1] is None
    assert record.reason == (
        f"the training loss stopped being finite within {sum(steps)} steps; try a lower learning rate"
    )


def test_test_loss_that_is_not_finite(fake_worker: Fake, lead: Lead) -> None:
    """An evaluation without a finite loss ends the trial as nan; what it measured is kept."""
    record = lead(fake_worker(faults={EVALUATION: Evaluated(start_s=0.0, evaluate_s=1.0, loss=None, accuracy=0.1)}))
    assert (record.status, len(record.epochs)) == ("nan", 1)
    assert record.epochs[0].test_loss is None
    assert record.reason == "the test loss is not finite after epoch 1; try a lower learning rate"


@pytest.mark.parametrize("number", [READY, RUN_IN, WINDOW, EVALUATION])
def test_interrupt(fake_worker: Fake, lead: Lead, number: int) -> None:
    """Ctrl-C while waiting ends the trial as interrupted and keeps its windows."""
    record = lead(fake_worker(faults={number: KeyboardInterrupt()}))
    assert (record.status, record.reason) == ("interrupted", "interrupted by the user")
    assert len(record.windows) == number - READY


def test_interrupt_while_closing(fake_worker: Fake) -> None:
    """Ctrl-C while the worker is being ended stops the program, but the record has been kept by then."""

    class Nobody:
        def window(self, window: Window) -> None: ...

    kept: list[TrialRecord] = []
    worker = fake_worker(close_raises=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        conduct(worker, Trial(cell=Cell()), limits=Limits(), listener=Nobody(), keep=kept.append, clock=worker.clock)
    assert [record.status for record in kept] == ["ok"]


def test_wrong_protocol_version(fake_worker: Fake, lead: Lead) -> None:
    """A worker of another version is told nothing, and the reason names both versions."""
    worker = fake_worker(faults={HELLO: Hello(protocol_version=99, host="old", pid=1, versions={})})
    record = lead(worker)
    assert (record.status, record.reason) == ("error", f"worker speaks protocol 99, not {PROTOCOL_VERSION}: update it")
    assert (worker.said, record.host) == ([], "old")


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (READY, window_done()),
        (WINDOW, Evaluated(start_s=0.0, evaluate_s=1.0, loss=0.1, accuracy=0.9)),
        (EVALUATION, window_done()),
        (END, Evaluated(start_s=0.0, evaluate_s=1.0, loss=0.1, accuracy=0.9)),
        (LAST_WINDOW, Finished(peak_host_memory_bytes=None, peak_device_memory_bytes=None)),
    ],
)
def test_answers_out_of_order(fake_worker: Fake, lead: Lead, number: int, answer: Any) -> None:
    """An answer to a question that was not asked is an error, never taken for another."""
    record = lead(fake_worker(faults={number: answer}))
    assert record.status == "error"
    assert record.reason is not None
    assert f"answered {answer.kind} where" in record.reason


def test_window_of_other_steps_than_asked(fake_worker: Fake, lead: Lead) -> None:
    """A window of 12 steps where 13 were asked would make a wrong throughput, so it is an error."""
    record = lead(fake_worker(faults={WINDOW: window_done(12)}))
    assert (record.status, record.reason) == ("error", "in window 10: trained 12 steps where 13 were asked")


@pytest.mark.parametrize(
    ("effective", "told"),
    [({"tf32": True}, "tf32 is True, not False"), ({"global_batch": 100}, "global_batch is 100, not 200")],
)
def test_other_settings_than_asked(fake_worker: Fake, lead: Lead, effective: dict[str, Any], told: str) -> None:
    """A worker that runs something else is stopped at once: invalid, with the setting named."""
    worker = fake_worker(effective=effective)
    record = lead(worker)
    assert (record.status, record.reason) == ("invalid", f"ran with other settings than asked: {told}")
    assert len(record.windows) == 0
    assert len(worker.said) == 1
    assert record.effective is not None


@pytest.mark.parametrize("field", ["start_s", "window_s", "loss", "accuracy"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_answer_can_hold_what_json_cannot(field: str, value: float) -> None:
    """NaN and infinity are refused where an answer is read, so that they never reach a record."""
    with pytest.raises(ValueError, match="finite"):
        WindowDone.model_validate(window_done().model_dump() | {field: value})
