"""The conversation with the workers of one trial, step by step, and what was found out in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.execute.effective import mismatch
from bench.execute.limits import Limits
from bench.execute.meter import Meter
from bench.execute.session import NoAnswer, Session, WorkerLost
from bench.execute.windows import Ended, PortTaken, Windows, expect
from bench.host import Conditions
from bench.measure.versions import differing_content
from bench.protocol.answers import Evaluated, Finished, Hello, Ready, WindowDone, Workload
from bench.protocol.commands import Evaluate, Finish, Prepare
from bench.protocol.conversation import PROTOCOL_VERSION
from bench.store.record import EpochRecord, TrialRecord
from bench.store.windows import Window
from bench.trial import Status, Trial

BY_THE_USER = "interrupted by the user"


def outcome_of(
    conductor: "Conductor", lead: Callable[[], str | None], *, last: bool = True
) -> tuple[Status, str | None]:
    """Lead to the end, whichever it is, as status and reason."""
    try:
        return "ok", lead()
    except KeyboardInterrupt:
        return "interrupted", BY_THE_USER
    except Ended as end:
        if isinstance(end, PortTaken) and not last:
            raise
        return end.status, str(end)
    except NoAnswer as late:
        return "timeout", f"{conductor.place}: {late}"
    except WorkerLost as lost:
        return lost.status, f"{conductor.place}: {lost}"


@dataclass
class Conductor:
    """Leads one live trial step by step, and keeps what it finds out."""

    session: Session
    trial: Trial
    limits: Limits
    windows: Windows
    clock: Callable[[], float]
    conditions: Callable[[], Conditions] | None
    told: Callable[[str], None] = lambda _: None
    doing: str = "starting"
    epochs: list[EpochRecord] = field(default_factory=list)
    data_sha256: str | None = None
    workload: Workload | None = None

    def __post_init__(self) -> None:
        self.meter = Meter(self.session, self.clock)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.found: dict[str, Any] = {"started_utc": now, "windows": self.windows.kept, "epochs": self.epochs}

    def record(self, status: Status, reason: str | None, **more: Any) -> TrialRecord:
        """The trial as it went; its conditions are read once more where it ended before they were."""
        if self.conditions is not None and "conditions_before" in self.found and "conditions_after" not in self.found:
            self.found["conditions_after"] = self.conditions()
        reason = f"global batch {self.trial.cell.batch_words}: {reason}" if status == "oom" else reason
        return TrialRecord(trial=self.trial, status=status, reason=reason, **more, **self.found)

    @property
    def place(self) -> str:
        """Where in the conversation it is, for a reason."""
        return self.doing or f"in window {len(self.windows.kept) + 1}"

    def go_on(self, to: str, *, in_windows: bool = False) -> None:
        """Do something else, and tell so: who listens takes a moment, which falls into no timed window.

        Within windows the place is the window, whatever they serve.
        """
        self.doing = "" if in_windows else to
        self.told(to)

    def prepare(self, prepare: Prepare) -> Ready:
        """Hello, prepare, ready: the first step is done and nothing runs but what was asked."""
        self.tell(prepare)
        return self.readied()

    def tell(self, prepare: Prepare) -> None:
        """Hear hello and tell the worker what to build, without waiting for it."""
        self.go_on("saying hello")
        hello = expect(self.session, Hello, self.limits.hello_s)
        if changed := _changed(self.workload, hello.workload):
            raise Ended(
                "interrupted", f"{changed} has changed since the run's first trial: bring that back, or start anew"
            )
        self.found |= {"host": hello.host, "pid": hello.pid, "versions": hello.versions, "workload": hello.workload}
        if hello.protocol_version != PROTOCOL_VERSION:
            raise Ended("error", f"worker speaks protocol {hello.protocol_version}, not {PROTOCOL_VERSION}: update it")
        if self.conditions is not None:
            self.found["conditions_before"] = self.conditions()
        self.session.say(prepare)
        self.go_on("importing, building and compiling")

    def readied(self) -> Ready:
        """Hear that what was told is built and its first step done, and that nothing runs but what was asked."""
        ready = expect(self.session, Ready, self.limits.ready_s)
        names = (
            "effective",
            "build",
            "import_s",
            "build_s",
            "first_step_s",
            "train_images",
            "training_flops_per_image",
            "training_bytes_per_image",
        )
        self.found |= {name: getattr(ready, name) for name in names}
        if wrong := mismatch(self.trial.cell, ready.effective):
            raise Ended("invalid", f"ran with other settings than asked: {wrong}")
        whose = "the worker", "this run"
        if differing := differing_content("data", whose, ready.data_sha256, self.data_sha256):
            raise Ended("invalid", differing)
        start_s, first_s = ready.first_step_start_s, ready.first_step_s
        done = WindowDone(start_s=start_s, window_s=first_s, steps=1, loss=ready.loss, accuracy=ready.accuracy)
        self.doing = ""
        self.meter.start()
        self.windows.in_flight_steps, self.windows.asked_steps = ready.effective.in_flight_steps, done.steps
        self.windows.keep(done, "first_step", short=False)
        return ready

    def evaluate(self, epoch: int, windows: list[Window]) -> None:
        """Keep an epoch of these windows and what the test set says after it; raises Ended where that is no number."""
        self.session.say(Evaluate())
        self.go_on(f"evaluating after epoch {epoch}")
        evaluated = expect(self.session, Evaluated, max(self.limits.answer_s * 5, self.windows.patience_s))
        steps = sum(window.steps for window in windows)
        self.epochs.append(
            EpochRecord(
                epoch=epoch,
                train_loss=sum(window.steps * (window.loss or 0.0) for window in windows) / steps,
                train_accuracy=sum(window.steps * window.accuracy for window in windows) / steps,
                test_loss=evaluated.loss,
                test_accuracy=evaluated.accuracy,
                train_s=sum(window.window_s for window in windows if window.phase != "first_step"),
                evaluate_s=evaluated.evaluate_s,
                evaluate_start_s=evaluated.start_s,
            )
        )
        self.doing = ""
        if evaluated.loss is None:
            raise Ended("nan", f"the test loss is not finite after epoch {epoch}; try a lower learning rate")

    def end(self) -> None:
        """Hear the last word, and keep it."""
        self.take(self.finish())

    def finish(self) -> Finished:
        """Have the worker end, and hear its last word."""
        self.session.say(Finish())
        self.go_on("finishing")
        return expect(self.session, Finished, self.windows.patience_s)

    def take(self, finished: Finished) -> None:
        """Keep what the worker tells at the end of the trial proper, and the conditions up to there.

        A diagnosis takes CPU time that the worker has not told, which would pass for other programs'.
        """
        self.found |= finished.model_dump(exclude={"kind", "watchdog_cpu_s", "hosts"})
        self.found["harness"] = self.meter.cost(finished.watchdog_cpu_s)
        first = next(iter(finished.hosts.values()), None)
        if self.conditions is not None:
            self.found["conditions_after"] = self.conditions()
            self.found["own_cpu_s"] = first.own_cpu_s if first else None
        elif first:
            self.found |= {
                "hosts": finished.hosts,
                "conditions_before": first.before,
                "conditions_after": first.after,
            }


def _changed(before: Workload | None, now: Workload | None) -> str | None:
    """The package that is another than it was, where both times it was told."""
    if before is None or now is None:
        return None
    if now.sha256 != before.sha256:
        return "mnist_cnn"
    both = {before.worker_sha256, now.worker_sha256}
    return "bench.worker" if len(both) == 2 and None not in both else None
