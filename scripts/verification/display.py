"""What showing a run costs its parent: the CPU time of each display while windows of 0.2 s come in.

    python scripts/verification/display.py [--seconds 20] [--rounds 3]

Each display lives in a process of its own, in a pseudo-terminal that is read; displays take turns. The share is of one
CPU, everything included that the process does between the first window and the last: waking, arithmetic, drawing.
"""

import argparse
import fcntl
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

WINDOW_S = 0.2
TRIALS = 12
SIZES = {"live 80×24": (80, 24), "live 200×50": (200, 50)}
KINDS = ("silent", "lines", *SIZES)


def show(kind: str, seconds: float, answer: Path) -> None:
    """Tell a display of a run whose first half of trials is done and whose next is measuring; write its CPU share."""
    from rich.console import Console

    from bench.display.board import Board
    from bench.display.lines import Lines, Silent
    from bench.display.live import Live
    from bench.plan.estimates import Estimates
    from bench.store.record import TrialRecord
    from bench.store.windows import Window
    from bench.trial import Cell, Trial

    trials = [Trial(cell=Cell(global_batch=100 * number, epochs=0)) for number in range(1, TRIALS + 1)]
    window = Window(phase="window", start_s=0.0, window_s=WINDOW_S, steps=10, loss=0.5, accuracy=0.9)
    console = Console()
    board = Board(["Suite t, 12 trials on CPU: a CPU, 2 CPUs"], "results/x", trials, Estimates(40.0), target=0.03)
    displays = {"silent": Silent(), "lines": Lines(console)} | dict.fromkeys(SIZES, Live(console, board))
    with displays[kind] as display:
        for number, trial in enumerate(trials[: TRIALS // 2], 1):
            display.trial_started(trial, number, TRIALS)
            done = {"trial": trial, "status": "ok", "windows": [window] * 40, "stopped_by": "target", "wall_s": 9.0}
            display.trial_finished(TrialRecord.model_validate(done))
        display.trial_started(trials[TRIALS // 2], TRIALS // 2 + 1, TRIALS)
        display.doing("measuring")
        began_s, cpu_s = time.monotonic(), time.process_time()
        for place in range(round(seconds / WINDOW_S)):
            time.sleep(WINDOW_S)
            display.window(window.model_copy(update={"window_s": WINDOW_S * (1 + 0.01 * (place % 5))}))
        share = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
    answer.write_text(json.dumps(share))


def share_of(kind: str, seconds: float) -> float:
    """The share of one CPU that a display took, in a process and a terminal of its own."""
    master, slave = os.openpty()
    columns, lines = SIZES.get(kind, (80, 24))
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    with tempfile.TemporaryDirectory(prefix="bench-display-") as folder:
        answer = Path(folder) / "share.json"
        words = [sys.executable, __file__, "--show", kind, "--seconds", str(seconds), "--answer", str(answer)]
        variables = os.environ | {"TERM": "xterm-256color"}
        process = subprocess.Popen(words, stdin=slave, stdout=slave, env=variables)
        os.close(slave)
        threading.Thread(target=_drain, args=(master,), daemon=True).start()
        if process.wait(timeout=10 * seconds + 60):
            raise SystemExit(f"{kind} ended with exit code {process.returncode}")
        return float(json.loads(answer.read_text()))


def _drain(master: int) -> None:
    try:
        while os.read(master, 65_536):
            pass
    except OSError:  # Linux's way to say that the other end is closed
        os.close(master)


def main() -> None:
    """Measure every display in turn, and print a table."""
    parser = argparse.ArgumentParser(description="CPU share of each display of bench run")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--show", choices=KINDS)
    parser.add_argument("--answer", type=Path)
    asked = parser.parse_args()
    if asked.show:
        show(asked.show, asked.seconds, asked.answer)
        return
    shares: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(asked.rounds):
        for kind in KINDS:
            shares[kind].append(share_of(kind, asked.seconds))
    print(f"| display | % of one CPU, median of {asked.rounds} | lowest to highest |\n| --- | ---: | ---: |")
    for kind, found in shares.items():
        told = f"{100 * min(found):.2f}–{100 * max(found):.2f}"
        print(f"| {kind} | {100 * statistics.median(found):.2f} | {told} |")


if __name__ == "__main__":
    main()
