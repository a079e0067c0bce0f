"""Options of `pytest bench/perf` become cells, and a clock for each."""

import argparse
from types import SimpleNamespace

import pytest

from bench.errors import UsageError
from bench.perf.clock import WindowClock
from bench.perf.plan import add_options, plan
from bench.store.windows import Window


class Parser:
    """Takes options as pytest does, and gives them to `plan`."""

    def __init__(self):
        self._parser = argparse.ArgumentParser(exit_on_error=False)
        self._parser.add_argument("--benchmark-min-rounds", type=int, default=5)
        self._parser.add_argument("--benchmark-cprofile")
        add_options(self)

    def getgroup(self, *words):
        return SimpleNamespace(addoption=self._parser.add_argument)

    def config(self, *words):
        given = vars(self._parser.parse_args(words))
        return SimpleNamespace(getoption=lambda name: given[name.lstrip("-").replace("-", "_")])


def planned(*words):
    return plan(Parser().config(*words))


def test_default_cells():
    """Every engine at batch 64, speed alone, and as many windows as any trial has at least."""
    found = planned()
    cells = [case.trial.cell for case in found.cases.values()]
    assert {(cell.engine, cell.global_batch, cell.epochs) for cell in cells} >= {
        (engine, 64, 0) for engine in ("step", "fused", "fit")
    }
    assert (found.windows, found.epochs) == (32, 0)


def test_names_are_what_the_command_line_takes():
    """A test is named by the settings of its cell, so that the name given as --bench-cell is that test again."""
    words = ["engine=fused,xla=true,learning_rate=0.01", "strategy=mirrored,replicas=2", "global_batch=200", "seed=3"]
    names = [*planned(*(word for cell in words for word in ("--bench-cell", cell))).cases]
    assert sorted(names) == [
        "default",
        "engine=fused,xla=true,learning_rate=0.01",
        "seed=3",
        "strategy=mirrored,replicas=2",
    ]
    again = planned(*(word for cell in names if cell != "default" for word in ("--bench-cell", cell)))
    assert set(again.cases) == set(names) - {"default"}


def test_axes_are_crossed_with_the_cells_of_a_suite():
    """As `bench run --set` does; the epochs of a suite are not trained."""
    found = planned("--bench-suite", "smoke", "--bench-set", "engine=fit,step", "--bench-set", "precision=float32")
    assert {case.trial.cell.engine for case in found.cases.values()} == {"fit", "step"}
    assert {case.trial.cell.epochs for case in found.cases.values()} == {0}


def test_rounds_that_pytest_benchmark_was_asked_for_are_the_fewest():
    """--benchmark-min-rounds holds here too."""
    assert planned("--bench-windows", "4").windows == 5
    assert planned("--bench-windows", "4", "--benchmark-min-rounds", "50").windows == 50


BAD = {
    "axis": (["--bench-set", "engin=fit"], "--bench-set engin=fit: unknown; did you mean 'engine'?"),
    "value": (["--bench-cell", "engine=fast"], "--bench-cell engine=fast: one of fit, step, fused"),
    "no value": (["--bench-cell", "engine"], "--bench-cell engine: write it as axis=value"),
    "epochs of a cell": (["--bench-cell", "epochs=3"], "for an accuracy give --bench-epochs"),
    "epochs of all": (["--bench-set", "epochs=3"], "for an accuracy give --bench-epochs"),
    "two sets of cells": (["--bench-suite", "quick", "--bench-cell", "xla=true"], "give --bench-suite or --bench-cell"),
    "suite": (["--bench-suite", "quik"], "unknown suite 'quik'; did you mean 'quick'?"),
    "data": (["--bench-data", "nowhere.npz"], "--bench-data nowhere.npz: no such file"),
    "batch": (["--bench-cell", "global_batch=70000"], "the training set has only 60000 images"),
    "profile": (["--benchmark-cprofile", "cumtime"], "--benchmark-cprofile profiles no worker"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    """Each is one line that names the option and the fix."""
    words, expected = BAD[case]
    with pytest.raises(UsageError) as error:
        planned(*words)
    assert expected in str(error.value)


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many", "9" * 5000, "²"])
def test_windows_are_a_whole_number_of_one_or_more(number):
    """Anything else is refused as the command line is read."""
    with pytest.raises(argparse.ArgumentError, match="give a whole number from 1"):
        planned(f"--bench-windows={number}")


def test_clock_moves_by_seconds_per_image_of_timed_windows():
    """Whatever the steps of a window, and not during a first step or a run-in."""
    clock, told = WindowClock(50), []
    for phase, seconds, steps in [("first_step", 9.0, 1), ("run_in", 5.0, 3), ("window", 1.0, 10), ("window", 2.0, 20)]:
        before = clock()
        clock.window(Window(phase=phase, start_s=0.0, window_s=seconds, steps=steps, loss=0.1, accuracy=0.9))
        told.append(clock() - before)
    assert told == pytest.approx([0, 0, 1 / 500, 1 / 500])
