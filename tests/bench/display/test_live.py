"""The live display in a real terminal, as a person sees it."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.store.runs import read_run

CTRL_C = b"\x03"
THREE = "defaults = { epochs = 0 }\n[axes]\nglobal_batch = [100, 200, 400]\n"
ENDLESS = "defaults = { epochs = 1000 }\n[axes]\nglobal_batch = [100, 200]\n"
FAILING = "defaults = { epochs = 0 }\n[axes]\noptimizer = ['sgd', 'rmsprop']\nglobal_batch = [100, 200]\n"
COLOURS = re.compile(rb"\x1b\[[0-9;]*\b(3[0-7]|4[0-7]|9[0-7]|38|48)[0-9;]*m")
Words = Callable[..., list[str]]
Start = Callable[..., Any]


def only_run(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "out").iterdir()
    return folder


def test_running_trial_is_shown_while_it_runs(terminal: Start, run_words: Words) -> None:
    """What trains now, its throughput with bars, interval against target, the next look, and the time left."""
    screen = terminal(run_words(THREE), FAKE_WINDOW_S="0.2")
    shown = screen.watch_until(lambda shown: "next look at" in shown and "%" in shown)
    lines = shown.splitlines()
    assert lines[0].startswith("Suite t, 3 trials on ")
    assert re.search(r"[━╌]{20} 0 of 3 trials · ", shown)
    assert re.search(r"global_batch=\d+ · measuring, since \d\d:\d\d:\d\d", shown)
    assert re.search(r"1?\d,\d{3} images/s  [▁▂▃▄▅▆▇█]{8,}", shown)
    assert re.search(r"±\d\.\d % of ±3 % · \d+ windows, next look at 32", shown)
    assert screen.screen.cursor.hidden


def test_screen_is_given_back_with_the_results(terminal: Start, run_words: Words) -> None:
    """At the end the table of results stands where the shell was, the cursor is there, and the exit code is 0."""
    screen = terminal(run_words(THREE), columns=120)
    screen.watch_until(lambda shown: "2 of 3 trials" in shown)
    assert screen.end() == 0
    assert "images/s" in screen.left_behind
    assert screen.left_behind.count("target") == 3
    assert "Report: " in screen.left_behind
    assert not screen.screen.cursor.hidden


def test_finished_trials_stand_beneath_with_what_came_of_them(terminal: Start, run_words: Words) -> None:
    """Status, throughput with interval and memory; of one that failed the reason."""
    screen = terminal(run_words(FAILING), columns=120)
    shown = screen.watch_until(lambda shown: "3 of 4 trials" in shown and "oom" in shown)
    assert re.search(r"global_batch=\d+ +ok +1?\d,\d{3} \(\d.*512", shown)
    assert re.search(r"optimizer=sgd +oom +global batch \d+: asked for 3 GiB where 2 GiB were free", shown)
    assert screen.end() == 1


def test_ctrl_c_finishes_the_record_and_says_how_to_resume(terminal: Start, run_words: Words, tmp_path: Path) -> None:
    """The trial is stored as interrupted, one line tells the command, exit code 130, the screen is given back."""
    screen = terminal(run_words(ENDLESS), columns=100)
    screen.watch_until(lambda shown: "training epoch 2 of 1000" in shown)
    screen.press(CTRL_C)
    assert screen.end() == 130
    (record,) = read_run(only_run(tmp_path)).records
    assert (record.status, len(record.windows) > 1) == ("interrupted", True)
    assert screen.left_behind.count("Interrupted; finish it with: bench run --resume") == 1
    assert str(only_run(tmp_path)) in screen.left_behind.replace("\r\n", "")
    assert "Traceback" not in screen.left_behind
    assert not screen.screen.cursor.hidden


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 6), (20, 3), (220, 60), (8, 1)])
def test_any_size_of_terminal_and_any_change_of_it(terminal: Start, run_words: Words, columns: int, lines: int) -> None:
    """The display is there again, whole and at the top, before the next piece of news."""
    screen = terminal(run_words(ENDLESS), columns=100, lines=30, FAKE_WINDOW_S="3")
    screen.watch_until(lambda shown: "training epoch 1 of 1000" in shown)
    screen.screen.reset()
    screen.resize(columns, lines)
    screen.watch_until(lambda shown: bool(shown.strip()), at_most_s=2.0)
    top = "Suite t, 2 trials" if lines > 20 else "╌" * 20
    assert screen.shown.startswith(top[:columns])
    assert ("training epoch" in screen.shown) == (lines > 1 and columns > 40)
    screen.press(CTRL_C)
    assert screen.end() == 130


def test_no_color_means_no_colours(terminal: Start, run_words: Words) -> None:
    """NO_COLOR leaves bold letters at most; without it there are colours."""
    plain, coloured = terminal(run_words(THREE), NO_COLOR="1"), terminal(run_words(THREE))
    assert plain.end() == 0
    assert not COLOURS.search(plain.written)
    coloured.watch_until(lambda shown: "1 of 3" in shown)
    assert COLOURS.search(coloured.written)


def test_terminal_that_cannot_be_redrawn_gets_plain_lines(terminal: Start, run_words: Words) -> None:
    """TERM=dumb: a line for each trial, and no code at all."""
    screen = terminal(run_words(THREE), TERM="dumb")
    assert screen.end() == 0
    assert b"\x1b" not in screen.written
    assert re.search(rb"\[3/3\] global_batch=\d+ epochs=0 .* ok .* images/s", screen.written)


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}])
def test_pipe_gets_plain_lines(run_words: Words, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """A line for each trial; nothing takes over a screen, whatever colours are wanted."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(run_words(THREE), capture_output=True, text=True, timeout=60, check=True)
    assert len(re.findall(r"\[\d/3\] .*images/s", done.stdout)) == 3
    assert "\x1b[?" not in done.stdout
