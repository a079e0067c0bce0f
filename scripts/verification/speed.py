"""Claims about speed: the engines, the commands, a whole run, the harness, and the interval of a throughput."""

import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import engines
from outcomes import NOT_MEASURED, Outcome, shown, until_known, verdict_of, within
from workers import Start, workers

from bench.report.rows import row_of
from bench.store.runs import read_run
from bench.trial import Cell
from bench.worker.watchdog import kill_group

sys.path.append(str(Path(__file__).parents[1]))
import bare_loop

ROOT = Path(__file__).parents[2]
BENCH = [sys.executable, "-P", "-m", "bench.cli"]
LARGE_BATCH = 400
"""Large enough that what a step costs once, however many its images, counts for little."""
SMALL_BATCH = 100
"""Above, the large batch would tell nothing."""
WAITING_WINDOW_S = 1.0
PAGE_DEADLINE_S = 300


def interval_covers(series: int) -> list[Outcome]:
    """The coverage of the throughput's interval under the stopping rule, simulated."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "coverage.py"), "--series", str(series)],
        capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    lowest = {way: float(share) for way, share in re.findall(r"^(\w+): lowest coverage ([\d.]+) ?%", done.stdout, re.M)}
    words = ", ".join(f"{way} {share:.1f} %" for way, share in lowest.items())
    claim = "no setting's interval is proven to hold the truth in less than 93 % of correlated series, looks included"
    return [
        Outcome(claim, "simulated", f"lowest: {words}", f"{series} series a setting", verdict_of(done.returncode == 0))
    ]


def engine_is_fast(
    scratch: Path, global_batch: int, least: float, extent: engines.Extent, keep: Path | None = None
) -> list[Outcome]:
    """`fused` against Keras `fit` interleaved: as TensorFlow comes, and with the kernels that `fused` has.

    With `keep` every kind is measured, and kept for `engines.py` to draw, and beside a small batch `fused` trains at a
    large one: about what is left to win, since a small one does the same work for each image, and more.
    """
    kinds, large = (engines.FIT, engines.SAME_KERNELS, engines.FUSED), "large batch"
    cells = {kind: cell for kind, cell in engines.cells_of(global_batch).items() if keep or kind in kinds}
    if keep and global_batch <= SMALL_BATCH:
        cells[large] = engines.cells_of(LARGE_BATCH)[engines.FUSED]
    taken = engines.measure(scratch, cells, extent)
    if keep:
        engines.keep(taken, global_batch, keep)
    gain, same_kernels = (engines.ratio(taken, engines.FUSED, slow) for slow in (engines.FIT, engines.SAME_KERNELS))
    claim, n = f"fused ÷ fit at a global batch of {global_batch}", str(extent)
    measured = f"{shown(gain)}; at least {least}"
    if large in cells:
        most = engines.ratio(taken, large, engines.FIT)
        measured += f"; at the images/s of batch {LARGE_BATCH} it would be {shown(most)}"
    same = f"{shown(same_kernels)}; at least 1.0"
    return [
        Outcome(claim, "fit as TensorFlow comes", measured, n, within(gain, least)),
        Outcome(claim, "fit with oneDNN on, as fused has it", same, n, within(same_kernels, 1.0)),
    ]


def help_is_quick() -> list[Outcome]:
    """`bench --help`, the median of five."""
    took = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([*BENCH, "--help"], capture_output=True, check=True, timeout=60)
        took.append(time.monotonic() - began)
    middle = sorted(took)[2]
    return [
        Outcome(
            "bench --help is there in 0.5 s", "wall clock", f"{middle:.2f} s", "median of 5", verdict_of(middle <= 0.5)
        )
    ]


def report_is_quick(scratch: Path, trials: int) -> list[Outcome]:
    """`bench report` of a made-up store, in a process of its own."""
    printed = _made_up_report(scratch, trials)
    figures = re.search(r"([\d.]+) s\b.*?([\d.,]+) (MiB|MB|GB)", printed)
    assert figures, printed
    seconds, size = float(figures[1]), float(figures[2].replace(",", ""))
    size_mb = size * {"MiB": 1.048576, "MB": 1.0, "GB": 1000.0}[figures[3]]
    measured = f"{seconds:.1f} s, {size_mb:,.0f} MB"
    claim = f"report of {trials:,} trials × 150 windows in 10 s and 1 GB"
    return [Outcome(claim, "wall clock, peak PSS", measured, "2 runs", verdict_of(seconds <= 10 and size_mb <= 1000))]


def page_is_quick(scratch: Path, trials: int) -> list[Outcome]:
    """How soon the page of that report is sorted and filtered in a real browser; unsure where there is none."""
    claim, truth = f"page of {trials:,} trials is sorted and filtered within 2 s of opening", "the page's clock"
    needed = {
        "selenium": find_spec("selenium"),
        "chromium": which("chromium"),
        "chromium-driver": which("chromedriver"),
    }
    if missing := [name for name, found in needed.items() if not found]:
        words = f"{NOT_MEASURED}: {', '.join(missing)} not installed (scripts/test --system installs them)"
        return [Outcome(claim, truth, words, "0", "unsure")]
    if not _pages(scratch):  # the report's item was of an earlier start
        _made_up_report(scratch, trials)
    script = [sys.executable, str(ROOT / "scripts" / "open_page.py"), str(_pages(scratch)[0])]
    printed, failed = _told_by_browser(script)
    found = re.search(r"after ([\d.]+) s$", printed.strip())
    if not found:
        raise RuntimeError(next(re.finditer(r"Message: .+|\S.*\Z", failed.strip()), ["it printed nothing"])[0])
    return [Outcome(claim, truth, f"{found[1]} s", "1 opening", verdict_of(float(found[1]) <= 2))]


def _told_by_browser(script: Sequence[str]) -> tuple[str, str]:
    """What a script printed and what went wrong; its browser, which may hang, ends with it and leaves nothing."""
    # a short path of its own: Chromium's socket, 45 letters further down, has to fit into the 107 of a Unix socket
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as own:
        environment = {**os.environ, "TMPDIR": own}
        with subprocess.Popen(
            script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
        ) as opened:
            try:
                return opened.communicate(timeout=PAGE_DEADLINE_S)
            except subprocess.TimeoutExpired:
                # its own words would put paths into a published table
                raise RuntimeError(f"no answer in {PAGE_DEADLINE_S} s") from None
            finally:
                kill_group(opened.pid)  # the browser's crash handlers have left it, and end with the browser


def _pages(scratch: Path) -> list[Path]:
    return [*(scratch / "synthetic").glob("*/report/report.html")]


def _made_up_report(scratch: Path, trials: int) -> str:
    """Write a made-up store and report on it; the last line printed has the seconds and the memory."""
    script = [sys.executable, str(ROOT / "scripts" / "synthetic_store.py")]
    done = subprocess.run(
        [*script, "--trials", str(trials), "--windows", "150", "--out", str(scratch / "synthetic"), "--report"],
        capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.stdout.splitlines()[-1]


def run_is_mostly_training(scratch: Path) -> list[Outcome]:
    """A whole `quick` run against what its trials spent training and evaluating."""
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    subprocess.run(
        [*BENCH, "run", "quick", "--quiet", "--out", str(scratch / "runs")],
        check=True,
        env=environment,
        cwd=scratch,
        timeout=3600,
    )
    wall_s = time.monotonic() - began
    stored = read_run(next((scratch / "runs").iterdir()))
    rows = [row_of(record) for record in stored.records]
    useful_s = sum((row.training_s or 0) + (row.evaluation_s or 0) for row in rows)
    ratio = wall_s / useful_s
    measured = f"{ratio:.2f} × ({wall_s:.0f} s of {useful_s:.0f} s); at most 1.3 ×"
    claim = "a quick run takes little more than its training and evaluation"
    return [Outcome(claim, "wall clock", measured, f"{len(rows)} trials", verdict_of(ratio <= 1.3))]


def harness_loses_nothing(scratch: Path, looks: Sequence[int]) -> list[Outcome]:
    """The harness against a bare loop (scripts/bare_loop.py), pairs of processes until they tell."""
    options, numbers = bare_loop.arguments([]), itertools.count()
    ratio, pairs = until_known(
        lambda: bare_loop.measure(options, scratch, next(numbers)),
        lambda centre: within(centre, bare_loop.LEAST),
        looks,
    )
    claim, measured = "throughput under the harness ÷ bare loop", f"{shown(ratio, 3)}; at least {bare_loop.LEAST}"
    n = f"{pairs} pairs of processes"
    return [Outcome(claim, "a bare Keras loop", measured, n, within(ratio, bare_loop.LEAST))]


def waiting_side_costs_nothing(scratch: Path, looks: Sequence[int]) -> list[Outcome]:
    """A worker's windows beside a second one that waits for its turn, as in `bench ab`, and while that is stopped."""
    cell = Cell(engine="fused", input="resident", global_batch=64, epochs=0)
    with workers(scratch, {name: Start(cell) for name in ("timed", "waiting")}) as sides:
        timed, waiting = sides["timed"], sides["waiting"]
        waiting.step_s(8)
        steps = max(1, round(WAITING_WINDOW_S / timed.step_s(20)))
        orders = itertools.cycle([(True, False), (False, True)])

        def share_of_speed() -> float:
            step_s = {}
            for stopped in next(orders):
                with waiting.stopped() if stopped else nullcontext():
                    step_s[stopped] = timed.step_s(steps)
            return step_s[True] / step_s[False]

        ratio, rounds = until_known(share_of_speed, lambda centre: within(centre, 0.98), looks)
    claim, measured = "a side that waits costs the other nothing", f"{shown(ratio, 3)} of its speed; at least 0.98"
    return [Outcome(claim, "the same while that one is stopped", measured, f"{rounds} rounds", within(ratio, 0.98))]
