"""`bench run --json` for other programs."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.store.runs import read_run

Words = Callable[..., list[str]]
ENDLESS = "defaults = { epochs = 1000 }\n"


def events_of(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


@pytest.mark.slow
def test_every_line_is_an_event_and_the_last_tells_how_it_ended(run_words: Words) -> None:
    """From run_started to run_finished, with exit code, folder and report, also where nothing is left to run."""
    words = run_words("defaults = { epochs = 1 }\n[axes]\noptimizer = ['rmsprop', 'sgd']\n", "--json")
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    events = events_of(done.stdout)
    first, last = events[0], events[-1]
    assert (first["event"], last["event"]) == ("run_started", "run_finished")
    assert (last["exit_code"], done.returncode) == (1, 1)
    assert first["folder"] == last["folder"]
    assert (Path(last["report"]) / "summary.md").exists()
    finished = {event["trial"]["cell"]["optimizer"]: event for event in events if event["event"] == "trial_finished"}
    assert {name: event["status"] for name, event in finished.items()} == {"rmsprop": "ok", "sgd": "oom"}
    started = {event["trial_id"] for event in events if event["event"] == "trial_started"}
    assert started == {event["trial_id"] for event in finished.values()}
    doing = [event["doing"] for event in events if event["event"] == "doing"]
    assert {"training epoch 1 of 1", "evaluating after epoch 1", "measuring speed alone", "finishing"} <= {*doing}
    assert sum(event["event"] == "window" for event in events) > 32
    again = [*words[:3], "run", "--resume", first["folder"], *words[7:]]
    resumed = subprocess.run(again, capture_output=True, text=True, timeout=120, check=False)
    assert [event["event"] for event in events_of(resumed.stdout)] == ["run_started", "run_finished"]


@pytest.mark.slow
def test_interrupt_is_an_event_before_the_last(run_words: Words, tmp_path: Path) -> None:
    """It has the command that finishes the run; the exit code stands in the last event."""
    pipe = subprocess.PIPE
    bench = subprocess.Popen(run_words(ENDLESS, "--json"), stdout=pipe, stderr=pipe, text=True)
    assert bench.stdout is not None
    lines = [bench.stdout.readline() for _ in range(20)]
    time.sleep(0.1)
    bench.send_signal(signal.SIGINT)
    rest, errors = bench.communicate(timeout=120)
    events = events_of("".join(lines) + rest)
    interrupted, last = [event for event in events if event["event"] in {"interrupted", "run_finished"}]
    assert interrupted["resume"].startswith(f"bench run --resume {interrupted['folder']}")
    assert interrupted["resume"] in errors
    assert (last, bench.returncode) == (events[-1], 130)
    assert last["exit_code"] == 130
    (folder,) = (tmp_path / "out").iterdir()
    assert (read_run(folder).records[-1].status, Path(last["folder"])) == ("interrupted", folder)
