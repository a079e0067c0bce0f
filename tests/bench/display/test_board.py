"""The lines of the live display, at any size, without a terminal."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bench.display.board import Board
from bench.plan.estimates import Estimates
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Cell, Trial

TRIALS = [Trial(cell=Cell(global_batch=batch, epochs=0)) for batch in (100, 200, 400)]
TOLD = ["Suite t, 3 trials on CPU: a CPU, 2 CPUs", "Caution: load is 2.0 on 2 CPUs: stop it"]


class Wall:
    """A clock on the wall."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 14, 0, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def wall() -> Wall:
    return Wall()


def board_of(wall: Wall, *, budget_s: float | None = 40.0, trials: list[Trial] = TRIALS) -> Board:
    return Board(TOLD, "results/one", trials, Estimates(budget_s), target=0.03, now=wall)


def text(board: Board, width: int = 100, height: int = 30) -> list[str]:
    lines = board.lines(width, height)
    assert len(lines) <= height
    return ["".join(words for words, _ in line) for line in lines]


def progress(board: Board) -> str:
    (line,) = (line for line in text(board) if " trials · " in line)
    return line


def record(trial: Trial, status: str = "ok", **rest: Any) -> TrialRecord:
    windows = [window(0.2 + 0.001 * (place % 3)) for place in range(40)] if status == "ok" else []
    filled = {"trial": trial, "status": status, "windows": windows, "stopped_by": "target"} | rest
    return TrialRecord.model_validate(filled)


def window(window_s: float) -> Window:
    return Window(phase="window", start_s=0.0, window_s=window_s, steps=10, loss=0.5, accuracy=0.9)


def test_what_is_most_important_stands_first(wall: Wall) -> None:
    """Where and what may spoil it, the folder, how far it is, what trains now."""
    board = board_of(wall)
    board.trial_started(TRIALS[0], 1)
    board.doing("measuring")
    for _ in range(10):
        board.window(window(0.2))
    lines = text(board)
    assert lines[:4] == [*TOLD, "All cells: epochs=0", "results/one"]
    assert lines[5] == progress(board)
    assert lines[5].endswith("╌ 0 of 3 trials · at most 2 min + start left")
    assert lines[6] == "of the trials left: 3 at most, the budget + start"
    assert lines[8] == "global_batch=100 · measuring, since 14:00:00"
    assert lines[9].startswith("5,000 images/s  ▅▅")
    assert lines[10] == "±0.0 % of ±3 % · 10 windows, next look at 32"


def test_finished_trials_are_listed_the_newest_last(wall: Wall) -> None:
    """With status, figures or the reason; where the terminal is low the oldest go first."""
    board = board_of(wall)
    for number, (trial, status) in enumerate(zip(TRIALS, ("ok", "error", "ok"), strict=True), 1):
        board.trial_started(trial, number)
        reason = "the worker was killed by SIGKILL" if status == "error" else None
        board.trial_finished(record(trial, status, reason=reason, wall_s=9.0, peak_host_memory_bytes=2**30))
    rows = text(board)[-3:]
    assert rows[0].split()[:2] == ["global_batch=100", "ok"]
    assert rows[0].endswith("1,024")
    assert rows[1].split(maxsplit=2) == ["default", "error", "the worker was killed by SIGKILL"]
    assert rows[2].startswith("global_batch=400")
    assert progress(board).endswith("3 of 3 trials · nothing left")


def test_low_terminal_lists_the_newest(wall: Wall) -> None:
    """As many as there is room for."""
    trials = [Trial(cell=Cell(), seed=seed) for seed in range(8)]
    board = board_of(wall, trials=trials)
    for number, trial in enumerate(trials, 1):
        board.trial_started(trial, number)
        board.trial_finished(record(trial))
    last = [line[:14] for line in text(board, height=12)[-5:]]
    assert last == ["finished      ", *(f"default seed {seed}" for seed in range(4, 8))]


def test_time_left_learns_from_what_is_done(wall: Wall) -> None:
    """From the budget to similar cells; what the running trial took already is off, and never more than its own."""
    board = board_of(wall)
    board.trial_started(TRIALS[0], 1)
    wall.pass_s(1000)
    assert "at most 2 min + start left" in progress(board), "a budget begins with the first step"
    board.window(window(0.2))
    wall.pass_s(30)
    assert "at most 90 s + start left" in progress(board)
    board.trial_finished(record(TRIALS[0], wall_s=10.0))
    board.trial_started(TRIALS[1], 2)
    assert "about 20 s left, until 14:17" in progress(board)
    wall.pass_s(4)
    assert "about 16 s left" in progress(board)
    wall.pass_s(60)
    assert "about 10 s left" in progress(board)


def test_unknown_time_is_said_to_be_so(wall: Wall) -> None:
    """Without a budget and earlier trials there is no end to tell; what is not executed takes no time."""
    impossible = Trial(cell=Cell(), unsupported="device gpu: none here")
    board = board_of(wall, budget_s=None, trials=[TRIALS[0], impossible])
    board.trial_started(TRIALS[0], 1)
    assert progress(board).endswith("0 of 2 trials · time left unknown")


def test_control_characters_do_not_reach_the_terminal(wall: Wall) -> None:
    """A host that calls itself something else than a name, or a reason that a worker gives, repaints nothing."""
    board = Board(["Suite t on \x1b[2Jhost"], "results/\x07", TRIALS, Estimates(None), target=0.03, now=wall)
    board.trial_started(TRIALS[0], 1)
    board.trial_finished(record(TRIALS[0], "error", reason="it said\x1b]0;owned\x07\nand more"))
    assert all(line.isprintable() for line in text(board))


@pytest.mark.parametrize("width", [1, 7, 20, 80, 300])
@pytest.mark.parametrize("height", [1, 2, 5, 10, 24, 100])
def test_every_size_has_lines_for_it(wall: Wall, width: int, height: int) -> None:
    """Never more than fit, and how far it is comes first where little fits."""
    board = board_of(wall)
    assert text(board, width, height)
    board.trial_started(TRIALS[0], 1)
    board.window(window(0.2))
    board.trial_finished(record(TRIALS[0], wall_s=1.0))
    board.trial_started(TRIALS[1], 2)
    board.window(window(0.2))
    lines = text(board, width, height)
    assert any("1 of 3 trials" in line for line in lines)
    assert any("starting" in line for line in lines) == (height > 1)
