"""What is known of a trial while it runs is what its record would say."""

import random
from collections.abc import Sequence

import pytest

from bench.display.running import Running
from bench.report.rows import row_of
from bench.store.record import TrialRecord
from bench.store.windows import Window, WindowColumns
from bench.trial import Cell, Trial


def windows(count: int, phase: str = "window", short_every: int = 0) -> list[Window]:
    """Of 13 steps, the first two much slower, the others with noise."""
    noise = random.Random(7)
    rows = []
    for place in range(count):
        short = short_every > 0 and place % short_every == 9
        window_s = 0.2 * (2.0 if place < 2 else noise.uniform(0.95, 1.05))
        told = {"phase": phase, "start_s": float(place), "steps": 6 if short else 13, "window_s": window_s}
        rows.append(Window.model_validate({**told, "loss": 0.5, "accuracy": 0.9, "short": short}))
    return rows


def heard(trial: Trial, told: Sequence[Window]) -> Running:
    running = Running(trial, 0.03)
    for window in told:
        running.hear(window)
    return running


@pytest.mark.parametrize(("epochs", "stopped_by"), [(0, "target"), (2, "epochs")])
@pytest.mark.parametrize("count", [1, 7, 8, 33, 200])
def test_speed_is_that_of_the_record(epochs: int, stopped_by: str, count: int) -> None:
    """Throughput and interval of any number of windows, with warm-up, short and untimed ones, as in every report."""
    trial = Trial(cell=Cell(epochs=epochs))
    told = [*windows(2, "run_in"), *windows(count, short_every=20 if epochs else 0)]
    record = TrialRecord.model_validate(
        {"trial": trial, "status": "ok", "stopped_by": stopped_by, "windows": WindowColumns.of(told)}
    )
    row, speed = row_of(record), heard(trial, told).speed()
    assert speed is not None
    assert (speed.images_per_s, speed.interval) == (row.throughput_images_per_s, row.interval)
    assert speed.windows == count


def test_nothing_is_said_before_there_is_a_window() -> None:
    """Compiling and running in are no throughput."""
    running = heard(Trial(cell=Cell()), [*windows(1, "first_step"), *windows(3, "run_in")])
    assert (running.speed(), running.words(80)) == (None, ("", ""))


@pytest.mark.parametrize(
    ("epochs", "count", "expected"),
    [
        (0, 1, "no interval yet of ±3 % · 1 window, next look at 32"),
        (0, 32, " % of ±3 % · 32 windows, next look at 64"),
        (0, 256, " % of ±3 % · 256 windows"),
        (3, 4, "no interval yet · 4 windows, an interval takes 8"),
        (3, 40, " % · 40 windows"),
    ],
)
def test_certainty_is_told_against_its_target(epochs: int, count: int, expected: str) -> None:
    """With the look at which the stopping rule decides; where epochs decide there is neither."""
    figure, certainty = heard(Trial(cell=Cell(epochs=epochs)), windows(count)).words(60)
    assert certainty.endswith(expected)
    assert certainty.startswith(("±", "no interval"))
    assert ("of ±" in certainty) == (epochs == 0)
    assert "images/s" in figure
    assert len(figure) <= 60
