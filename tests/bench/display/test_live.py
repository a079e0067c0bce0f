"""The live display in a real terminal, as a person sees it."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.store.runs import read_run

CTRL_C = b"\x03"
THREE = "defaults = { epochs = 0 }\n[axes]\nglobal_batch = [100, 300, 400]\n"
ENDLESS = "defaults = { epochs = 1000 }\n[axes]\nglobal_batch = [100, 400]\n"
FAILING = "defaults = { epochs = 0 }\n[[cells]]\n[[cells]]\nglobal_batch = 400\n[[cells]]\noptimizer = 'sgd'\n"
COLOURS = re.compile(rb"\x1b\[[0-9;]*\b(3[0-7]|4[0-7]|9[0-7]|38|48)[0-9;]*m")
Words = Callable[..., list[str]]
Start = Callable[..., Any]


def only_run(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "out").iterdir()
    return folder


def test_trial_is_shown_while_it_runs(terminal: Start, run_words: Words) -> None:
    """What trains now, its throughput with bars, interval against target, the next look, and the time left."""
    screen = terminal(run_words(THREE), FAKE_WINDOW_S="0.2")
    shown = screen.watch_until(lambda shown: "windows, next look at" in shown and "no interval" not in shown)
    assert shown.startswith("Suite t, 3 trials on ")
    assert re.search(r"[━╌]{20} 0 of 3 trials · ", shown)
    assert re.search(r"global_batch=\d+ · measuring, since \d\d:\d\d:\d\d", shown)
    assert re.search(r"\d{1,2},\d{3} images/s  [▁▂▃▄▅▆▇█]{8,}", shown)
    assert re.search(r"±\d\.\d % of ±3 % · \d+ windows, next look at 32", shown)
    assert screen.screen.cursor.hidden


@pytest.mark.slow
def test_finished_trials_are_listed_and_the_screen_is_given_back(terminal: Start, run_words: Words) -> None:
    """Status and figures, or the reason; at the end the table of results stands where the shell was, with a cursor."""
    screen = terminal(run_words(FAILING), columns=120, FAKE_WINDOW_S="0.05")
    # the seeded order has the trial that fails in second place: its row is there while the third one runs
    shown = screen.watch_until(lambda shown: "2 of 3 trials" in shown)
    assert re.search(
        r"^optimizer=sgd +oom +global batch 200: asked for 3 GiB where 2 GiB were free", shown, re.MULTILINE
    )
    assert re.search(r"^(default|global_batch=400) +ok +\d{1,2},\d{3} \(\d.* 512$", shown, re.MULTILINE)
    assert screen.end(at_most_s=120) == 1
    assert "(95 % interval)" in screen.left_behind
    assert screen.left_behind.count("target") == 2
    assert "Report: " in screen.left_behind
    assert not screen.screen.cursor.hidden


@pytest.mark.slow
def test_any_size_then_ctrl_c(terminal: Start, run_words: Words, tmp_path: Path) -> None:
    """A change of size is drawn before the next news; Ctrl-C records the trial, says how to resume, exits 130."""
    screen = terminal(run_words(ENDLESS), columns=100, lines=30, FAKE_WINDOW_S="60")
    screen.watch_until(lambda shown: "training epoch 1 of 1000" in shown)
    for columns, lines in [(80, 24), (40, 6), (20, 3), (8, 1), (220, 60)]:
        screen.screen.reset()
        screen.resize(columns, lines)
        screen.watch_until(lambda shown: bool(shown.strip()), at_most_s=40.0)
        top = "Suite t, 2 trials" if lines > 20 else "╌" * 20
        assert screen.shown.startswith(top[:columns])
        assert ("training epoch" in screen.shown) == (columns >= 40)
    screen.press(CTRL_C)
    assert screen.end(at_most_s=120) == 130
    (record,) = read_run(only_run(tmp_path)).records
    assert (record.status, len(record.windows) > 0) == ("interrupted", True)
    assert screen.left_behind.count("Interrupted; finish it with: bench run --resume") == 1
    assert str(only_run(tmp_path)) in screen.left_behind.replace("\r\n", "")
    assert "Traceback" not in screen.left_behind
    assert not screen.screen.cursor.hidden


def test_no_color_means_no_colours(terminal: Start, run_words: Words) -> None:
    """NO_COLOR leaves bold letters at most; without it there are colours."""
    plain, coloured = terminal(run_words(THREE), NO_COLOR="1"), terminal(run_words(THREE))
    for screen in (plain, coloured):
        screen.watch_until(lambda shown: "1 of 3" in shown)
    assert not COLOURS.search(plain.written)
    assert COLOURS.search(coloured.written)


def test_terminal_that_cannot_be_redrawn_gets_plain_lines(terminal: Start, run_words: Words) -> None:
    """TERM=dumb: a line for each trial, and no code at all."""
    screen = terminal(run_words(THREE), TERM="dumb")
    screen.watch_until(lambda shown: "[2/3]" in shown)
    assert b"\x1b" not in screen.written
    assert re.search(rb"\[1/3\] global_batch=\d+ epochs=0 .* ok .* images/s", screen.written)


@pytest.mark.parametrize("variables", [{}, {"FORCE_COLOR": "1"}])
def test_pipe_gets_plain_lines(run_words: Words, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    """A line for each trial as it ends; nothing takes over a screen, whatever colours are wanted."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with subprocess.Popen(run_words(THREE), stdout=subprocess.PIPE, text=True) as bench:
        assert bench.stdout is not None
        printed: list[str] = []
        while not any("[2/3]" in line for line in printed):
            printed.append(bench.stdout.readline())
            assert printed[-1], "it ended early"
        bench.kill()
    assert re.search(r"\[1/3\] .*images/s", "".join(printed))
    assert "\x1b[?" not in "".join(printed)
