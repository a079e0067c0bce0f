"""Claims about what is measured: windows, memory, settings, conditions, the harness itself."""

import re
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from busy import busy_cpu
from outcomes import Outcome, Verdict, shown, until_known, verdict_of, within
from workers import LIMITS, Side, command, worker

from bench.execute.conduct import conduct
from bench.execute.limits import Limits
from bench.execute.session import Session, WorkerSession
from bench.execute.windows import Windows
from bench.measure.paired import Centre, centre_of
from bench.measure.stopping import window_steps
from bench.protocol.answers import WindowDone
from bench.protocol.conversation import AnyAnswer
from bench.report.rows import row_of
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Cell, Trial
from mnist_cnn.dataset import load_dataset

MEBIBYTE = 2**20
LONGEST_SPIN_S = 300.0
UNUSUAL = {
    "strategy": "mirrored",
    "replicas": 2,
    "precision": "mixed_bfloat16",
    "onednn": "off",
    "engine": "fused",
    "input": "resident",
    "variant": "dropout",
    "recipe": "tuned",
    "learning_rate": 0.0005,
    "optimizer": "adam",
}
"""Of every kind of setting one that a worker has not by default."""
READ_BACK_AS = {"precision": "compute_dtype"}


class Silent:
    """Hears of windows and says nothing."""

    def window(self, window: Window) -> None:
        """Say nothing."""


def _windowed_s(side: Side, steps: int, count: int) -> float:
    """Seconds of so many windows as a trial runs them: run in, then back to back, the next one queued."""
    windows = Windows(side.session, LIMITS, Silent(), time.monotonic)
    windows.keep(WindowDone(start_s=0, window_s=1, steps=1, loss=0.0, accuracy=0.0), "first_step", short=False)
    windows.run_in(side.run_in_steps)
    windows.run([("window", steps, False)] * count)
    return sum(window.window_s for window in windows.timed)


def without_windows(ratio: float, count: int) -> float:
    """Time in windows ÷ that of steps without any, from the ratio of so many windows to a single one as long as all.

    The single one costs what a window costs, too: without this the ratio of two lacks half of the cost.
    """
    return ratio / (1 - (ratio - 1) / (count - 1))


def windows_agree(scratch: Path, looks: tuple[int, ...], kind: str, cell: Cell, amount: float) -> list[Outcome]:
    """Windowed and uninterrupted step times of one worker, in turn; for a slow input also against its known delay."""
    windowed: list[float] = []
    count = 2 if amount else 4  # what a sleep paces takes long and has hardly any noise
    with worker(scratch, cell, kind, amount) as side:
        for _ in range(2):
            step_s = side.step_s(20)
        steps = window_steps(step_s, side.ready.effective.buffered_batches)

        def ratio() -> float:
            first = _windowed_s(side, steps, count) if len(windowed) % 2 else None
            side.window(side.run_in_steps)
            uninterrupted_s = side.window(count * steps).window_s
            windowed_s = first or _windowed_s(side, steps, count)
            windowed.append(windowed_s / (count * steps))
            return without_windows(windowed_s / uninterrupted_s, count)

        def judge(centre: Centre) -> Verdict:
            """Of the ratio, and where there is a known delay of that too: unsure while either is."""
            verdicts = {within(centre, 0.98, 1.02), *([delayed(windowed)[1]] if amount else [])}
            return "unsure" if "unsure" in verdicts else within(centre, 0.98, 1.02)

        def delayed(step_s: Sequence[float]) -> tuple[Centre, Verdict]:
            centre = centre_of(step_s, 0.05 / len(looks))
            assert centre is not None, "a look has enough values"
            return centre, within(centre, 0.98 * amount, 1.02 * amount)

        centre, pairs = until_known(ratio, judge, looks)
    bound = "input-bound" if kind == "input" else "compute-bound"
    outcomes = [
        Outcome(
            f"windows measure what an uninterrupted run takes, {bound} cell",
            f"one window of {count * steps} steps, less what a window costs",
            f"{shown(centre, 3)} of it; within 2 %",
            f"{pairs} pairs",
            within(centre, 0.98, 1.02),
        )
    ]
    if kind == "input":
        known, verdict = delayed(windowed)
        claim = "an input of known delay is measured as that"
        measured = f"{1000 * known.value:.1f} ms ({1000 * known.low:.1f}–{1000 * known.high:.1f}); within 2 %"
        outcomes.append(
            Outcome(claim, f"{1000 * amount:.0f} ms a batch", measured, f"{len(windowed)} × {count} windows", verdict)
        )
    return outcomes


def memory_is_seen(scratch: Path, planted_bytes: int = 200 * MEBIBYTE) -> list[Outcome]:
    """The peaks of a clean worker and of one that holds more, alive at once.

    Both with oneDNN's kernels: of TensorFlow's own two equal workers take up to 20 MiB more or less (docs/findings.md).
    """
    cell = Cell(global_batch=32, epochs=0, onednn="on")
    with worker(scratch, cell) as clean, worker(scratch, cell, "memory", planted_bytes) as planted:
        for side in (clean, planted):
            side.step_s(20)
        # told while both live: the pages they share would be all the survivor's
        ends = [side.told_so_far() for side in (clean, planted)]
    differences = []
    for name in ("peak_host_memory_bytes", "pss_host_memory_bytes"):
        less, more = (getattr(end, name) for end in ends)
        differences.append((more - less) / MEBIBYTE)
    words = f"VmHWM {differences[0]:.1f}, PSS {differences[1]:.1f} MiB; within 10 MiB"
    holds = all(abs(difference - planted_bytes / MEBIBYTE) <= 10 for difference in differences)
    return [
        Outcome("planted memory shows", f"{planted_bytes / MEBIBYTE:.0f} MiB", words, "2 workers", verdict_of(holds))
    ]


def _conduct(scratch: Path, cell: Cell, kind: str, budget_s: float) -> TrialRecord:
    """The record of one trial with a faulty worker."""
    session = WorkerSession(command(kind), scratch / f"trial-{kind}-{cell.cell_id}.log")
    return _led(session, cell, Limits(budget_s=budget_s))


def _led(session: Session, cell: Cell, limits: Limits, data: Path | None = None) -> TrialRecord:
    """The record of one trial; raises KeyboardInterrupt where that ended it, for it is no finding."""
    trial = Trial(cell=cell)
    record = conduct(session, trial, limits=limits, listener=Silent(), data=str(data) if data else None)
    if record.status == "interrupted":
        raise KeyboardInterrupt
    return record


def settings_are_read_back(scratch: Path) -> list[Outcome]:
    """Workers that do as asked, and ones that compile otherwise or are deaf to precision, oneDNN and replicas."""
    cell = Cell(global_batch=16, epochs=0, xla=True)
    several = Cell.model_validate({"global_batch": 16, "epochs": 0, **UNUSUAL})
    asked = [(cell, "none"), (cell, "settings"), (cell.model_copy(update={"xla": False}), "unasked")]
    asked += [(several, "none"), (several, "deaf")]
    with ThreadPoolExecutor(2) as pool:  # two at a time: nothing is timed
        found = pool.map(lambda one: _conduct(scratch, *one, budget_s=3), asked)
    honest, deaf, eager, heard, plain = found
    program = honest.effective.xla_program if honest.effective else None
    return [
        Outcome(
            "XLA asked for is proved by its program",
            "compiled",
            program or "no HLO",
            "1 trial",
            verdict_of(program is not None),
        ),
        Outcome(
            "a worker that ignores a setting gives no number",
            "status invalid",
            "; ".join(_status_and_names(one) for one in (deaf, eager)),
            "2 trials",
            verdict_of(deaf.status == eager.status == "invalid"),
        ),
        Outcome(
            "a worker deaf to settings gives no number and names each; one that heeds them does",
            f"status invalid, naming at least {len(UNUSUAL)} settings, and ok",
            "; ".join(_status_and_names(one) for one in (plain, heard)),
            "2 trials",
            verdict_of(
                (plain.status, heard.status) == ("invalid", "ok")
                and {READ_BACK_AS.get(name, name) for name in UNUSUAL} <= set(_named(plain))
                and row_of(heard).throughput_images_per_s is not None
                and not plain.windows
            ),
        ),
    ]


def _named(record: TrialRecord) -> list[str]:
    """The settings that a row's reason names."""
    return re.findall(r"(\w+) (?:is|are) ", (record.reason or "").partition("than asked: ")[2])


def _status_and_names(record: TrialRecord) -> str:
    named = ", ".join(_named(record))
    return f"{record.status}, naming {named}" if named else f"{record.status}: {record.reason or 'as asked'}"


class _Clocked(WorkerSession):
    """Keeps when the parent heard answers of each kind, by its own clock."""

    def __init__(self, words: Sequence[str], log: Path):
        super().__init__(words, log)
        self.heard_s: dict[str, list[float]] = defaultdict(list)

    def hear(self, timeout_s: float) -> AnyAnswer:
        """Wait for the next answer."""
        answer = super().hear(timeout_s)
        self.heard_s[answer.kind].append(time.monotonic())
        return answer


def time_to_accuracy_is_wall_clock(scratch: Path) -> list[Outcome]:
    """The row's seconds to an accuracy that the second of three short epochs reaches, against the parent's clock.

    And to one that none reaches. Each epoch is of a tenth of the images.
    """
    session = _Clocked(command("none"), scratch / "trial.log")
    cell = Cell(engine="fused", input="resident", global_batch=100, epochs=3)
    record = _led(session, cell, LIMITS, data=_tenth(scratch / "tenth.npz"))
    assert record.status == "ok", record.reason
    assert record.first_step_s is not None
    reached = [epoch.test_accuracy for epoch in record.epochs]
    assert reached[0] < reached[1] < 1.0, f"no epoch to tell from the others: {reached}"
    truth = session.heard_s["evaluated"][1] - session.heard_s["ready"][0] + record.first_step_s
    told, missed = (row_of(record, target_accuracy=target).time_to_accuracy_s for target in (reached[1], 1.0))
    words = f"{'nothing' if told is None else f'{told:.2f} s'}; within 0.1 s; of 100 %: {missed or 'empty'}"
    near = told is not None and abs(told - truth) <= 0.1 and missed is None
    claim = "time to accuracy runs from the first step to the end of the first evaluation that reached it"
    return [Outcome(claim, f"{truth:.2f} s by the parent's clock", words, "1 trial", verdict_of(near))]


def _tenth(path: Path) -> Path:
    """A file with every tenth image of the data set."""
    data, tenth = load_dataset(), slice(None, None, 10)
    arrays = {
        f"{letter}_{name}": array[tenth]
        for name, split in (("train", data.train), ("test", data.test))
        for letter, array in (("x", split.images), ("y", split.labels))
    }
    np.savez(path, **arrays)
    return path


def disturbance_is_seen(scratch: Path) -> list[Outcome]:
    """What the row says of a trial beside a program that keeps one CPU busy, whose own CPU time is the truth."""
    with busy_cpu(LONGEST_SPIN_S) as end:
        began = time.monotonic()
        record = _conduct(scratch, Cell(global_batch=64, epochs=0), "none", budget_s=8)
        elapsed_s = time.monotonic() - began
        truth = end() / elapsed_s
    notes = "; ".join(row_of(record).notes)
    told = re.search(r"other programs used ([\d.]+) of", notes)
    seen = told is not None and abs(float(told[1]) - truth) <= 0.2
    claim = "another program's load is told on the row"
    return [Outcome(claim, f"{truth:.2f} CPUs", f"{notes or 'nothing'}; within 0.2", "1 trial", verdict_of(seen))]


def harness_is_cheap(scratch: Path, budget_s: float) -> list[Outcome]:
    """What the harness itself used while a real trial's windows ran."""
    record = _conduct(scratch, Cell(epochs=0), "none", budget_s)
    gaps = row_of(record).gap_share
    assert record.harness is not None
    assert record.harness.watchdog_cpu_s is not None
    assert gaps is not None
    cpu = record.harness.cpu_share
    words = f"{100 * cpu:.2f} % of a CPU's time, {100 * gaps:.2f} % between windows"
    count = f"{len(record.windows)} windows"
    claim = "the harness takes at most 1 %"
    return [Outcome(claim, "the kernel's CPU clocks", words, count, verdict_of(cpu + gaps <= 0.01))]
