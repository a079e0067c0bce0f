"""Write a run folder of made-up trials, as large as asked, and measure what `bench report` of it takes.

    .venv/bin/python scripts/synthetic_store.py --trials 10000 --windows 150 --out runs --report

The figures are random with a fixed seed, their spread that of a shared two-core machine: windows of one process
are correlated, and processes differ from each other by more than the windows in them.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice, product
from pathlib import Path

import numpy as np
import psutil

from bench.host import Conditions
from bench.protocol.answers import Ceiling, CeilingsMeasured
from bench.protocol.effective import EffectiveSettings
from bench.store.record import Ceilings, EpochRecord, HarnessCost, RunRecord, TrialRecord
from bench.store.runs import create_run
from bench.store.windows import WindowColumns
from bench.trial import Cell, Trial

REPEATS = 40
REPORT_DEADLINE_S = 600.0
LOOK_S = 0.1
"""Often enough for what lasts tenths of a second; shorter peaks show in VmHWM alone, which the kernel keeps."""
AXES = {
    "engine": ("fit", "step", "fused"),
    "precision": ("float32", "mixed_bfloat16"),
    "optimizer": ("rmsprop", "sgd", "adam"),
    "variant": ("article", "batchnorm", "dropout"),
    "global_batch": (16, 32, 64, 128, 200, 400, 800, 1600),
}
"""Crossed, 432 cells; the first of them are taken."""
WORDS = {
    "strategy": "_DefaultDistributionStrategy", "replicas": 1, "devices": ["/device:CPU:0"], "xla": False,
    "variable_dtype": "float32", "compute_dtype": "float32", "xla_scope": "none", "tf32": False,
    "loss_scaling": False, "cross_device_ops": None, "optimizer": "RMSprop", "intra_op_threads": 2,
    "inter_op_threads": 2, "onednn": True, "parameters": 257_162, "buffered_batches": 3,
}  # fmt: skip
CEILING = Ceiling(value=200e9, median=190e9, n=8)
CEILINGS = Ceilings(
    exact_unit="00", usable_cpus=2, tensorflow="2.21.0", measured_utc="2026-01-01T00:00:00+00:00",
    measured=[
        CeilingsMeasured(
            device="cpu", threads=2, matmul_flops_per_s={"float32": CEILING, "mixed_bfloat16": CEILING},
            convolution_flops_per_s={"float32": CEILING, "mixed_bfloat16": CEILING},
            memory_bytes_per_s=Ceiling(value=40e9, median=38e9, n=8),
            dispatch_s=Ceiling(value=5e-5, median=6e-5, n=8),
        )
    ],
)  # fmt: skip


def main() -> None:
    """Parse the command line, write, and measure if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000, help=f"at most {432 * REPEATS}")
    parser.add_argument("--windows", type=int, default=150, help="per trial, at least 8")
    parser.add_argument("--out", type=Path, required=True, help="folder that the run folder is made in")
    parser.add_argument(
        "--report", action="store_true", help="time `bench report` of it, and look at the memory of another"
    )
    asked = parser.parse_args()
    if not 0 < asked.trials <= 432 * REPEATS or asked.windows < 8:
        parser.error(f"--trials is 1 to {432 * REPEATS}, --windows at least 8")
    folder = write_store(asked.out, asked.trials, asked.windows)
    print(f"Run: {folder} ({(folder / 'trials.jsonl').stat().st_size / 1e6:,.0f} MB)")
    if asked.report:
        seconds, pss_bytes, own_bytes = measure_report(folder)
        own = f"; VmHWM of its first process {own_bytes / 1e6:,.0f} MB" if own_bytes else ""
        print(f"bench report: {seconds:.1f} s, peak PSS {pss_bytes / 1e6:,.0f} MB{own}")


def write_store(out: Path, trials: int, windows: int) -> Path:
    """Write a run of so many trials, 40 repeats of each cell, and return its folder."""
    settings = (dict(zip(AXES, values, strict=True)) for values in product(*AXES.values()))
    cells = islice(settings, -(-trials // REPEATS))
    plan = [
        Trial(cell=Cell.model_validate(cell | {"epochs": 1 + number % 3}), seed=repeat % 4, repeat=repeat // 4)
        for number, cell in enumerate(cells)
        for repeat in range(REPEATS)
    ][:trials]
    run = RunRecord(
        suite="synthetic", description="Made-up figures.", created_utc="2026-01-01T00:00:00+00:00", trials=plan,
        trial_budget_s=None, run_budget_s=None, data=None, data_sha256="00", environment={"host": "nowhere"},
        ceilings=CEILINGS,
    )  # fmt: skip
    writer, random = create_run(out, run), np.random.default_rng(0)
    with (writer.folder / "trials.jsonl").open("wb") as stream:  # the writer's fsync per trial would take minutes
        for trial in random.permutation(len(plan)):
            stream.write(made_up(plan[trial], windows, random).model_dump_json().encode() + b"\n")
    return writer.folder


def made_up(trial: Trial, count: int, random: np.random.Generator) -> TrialRecord:
    """A trial with a first step, a run-in, warm-up windows and short ones at the ends of its epochs."""
    step_s = (0.002 + trial.cell.global_batch / 4500) * random.lognormal(0, 0.08)
    noise = random.normal(0, 0.05, count)
    for place in range(1, count):
        noise[place] += 0.6 * noise[place - 1]
    steps = np.full(count, max(int(0.25 / step_s), 1))
    steps[0] = 1
    ends = [int(end) for end in np.linspace(count, 0, trial.cell.epochs, endpoint=False)]
    steps[[end - 1 for end in ends]] = 1
    window_s = steps * step_s * np.exp(noise) * (1 + np.exp(-np.arange(count) / 3))
    start_s = 1000 + np.cumsum(window_s) - window_s
    learned = 1 - np.exp(-np.arange(1, count + 1) / count * 4)
    accuracy = 0.985 + 0.002 * trial.cell.epochs + random.normal(0, 0.001)
    epochs = [
        EpochRecord(
            epoch=epoch, train_loss=0.2 / epoch, train_accuracy=0.95 + 0.01 * epoch, test_loss=0.06 / epoch,
            test_accuracy=min(accuracy - 0.004 * (trial.cell.epochs - epoch), 1.0), train_s=float(window_s.sum()),
            evaluate_s=0.8, evaluate_start_s=float(start_s[ends[trial.cell.epochs - epoch] - 1]),
        )
        for epoch in range(1, trial.cell.epochs + 1)
    ]  # fmt: skip
    return TrialRecord(
        trial=trial, status="ok", stopped_by="epochs", host="nowhere", pid=1, log=f"logs/{trial.trial_id}.log",
        started_utc="2026-01-01T00:00:00+00:00", versions={"tensorflow": "2.21.0", "keras": "3.15.1"},
        effective=EffectiveSettings.model_validate(WORDS), import_s=3.0, build_s=0.5, first_step_s=float(window_s[0]),
        train_images=60_000, training_flops_per_image=24_000_000, wall_s=float(window_s.sum()) + 5,
        training_bytes_per_image=1_000_000, build={"is_cuda_build": "False", "onednn": "True"},
        import_host_memory_bytes=500 * 2**20, pss_host_memory_bytes=700 * 2**20, worker_cpu_s=float(window_s.sum()),
        peak_host_memory_bytes=int(800e6 * random.lognormal(0, 0.02)), epochs=epochs,
        conditions_before=conditions(900.0, 0.0), conditions_after=conditions(2000.0, float(window_s.sum())),
        harness=HarnessCost(
            span_s=float(window_s.sum()), cpus=2, parent_cpu_s=0.05, watchdog_cpu_s=0.02, exchanged_bytes=40_000
        ),
        diagnosis=rounds(step_s, random) if trial.repeat == 0 else None,
        windows=WindowColumns(
            phase=["first_step", *["run_in"] * 3, *["window"] * (count - 4)], start_s=start_s.tolist(),
            window_s=window_s.tolist(), steps=steps.tolist(), loss=(2.3 * (1 - learned) + 0.05).tolist(),
            accuracy=(0.1 + 0.88 * learned).tolist(), short=[place + 1 in ends for place in range(count)],
        ),
    )  # fmt: skip


def conditions(clock_s: float, busy_s: float) -> Conditions:
    """A reading of every counter there is."""
    return Conditions(
        clock_s=clock_s, cpus=2, load_1min=1.0, busy_s=busy_s, steal_s=0.0, pressure_cpu_s=0.0, pressure_memory_s=0.0,
        pressure_io_s=0.0, throttled_s=0.0, throttled_periods=0, frequency_mhz=3000.0, governor="performance",
        memory_available_bytes=2**34, swapped_in_bytes=0, heat_throttles=0,
    )  # fmt: skip


def rounds(step_s: float, random: np.random.Generator) -> list[dict[str, float]]:
    """A diagnosis of 24 rounds under `step`."""
    shares = {"as_is": 1.0, "step_resident": 0.95, "resident": 0.9}
    return [{side: step_s * share * random.lognormal(0, 0.02) for side, share in shares.items()} for _ in range(24)]


def measure_report(folder: Path) -> tuple[float, int, int | None]:
    """Seconds of `bench report` from its start to its end, and in bytes two peaks of the memory of a second one.

    Looking at memory makes a process wait, so the one that is timed is not looked at. The first peak is the highest PSS
    of all its processes together as often as it was looked at: the peak RSS of one process would leave out the second
    one, and the sum of both would count what they share twice. The other is VmHWM of the process that was started, None
    where that is not told.
    """
    began = time.monotonic()
    with _report(folder) as process:
        process.wait(REPORT_DEADLINE_S)
    seconds = time.monotonic() - began
    pss_bytes, own_bytes, deadline = 0, None, time.monotonic() + REPORT_DEADLINE_S
    with _report(folder) as process:
        while process.poll() is None and time.monotonic() < deadline:
            pss_bytes = max(pss_bytes, _pss_bytes(process.pid))
            own_bytes = _peak_bytes(process.pid) or own_bytes
            with suppress(subprocess.TimeoutExpired):
                process.wait(LOOK_S)
    return seconds, pss_bytes, own_bytes


@contextmanager
def _report(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`bench report`, which has ended well by the end of the block, or is killed there."""
    process = subprocess.Popen([sys.executable, "-m", "bench.cli", "report", str(folder)], stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        status = process.wait()
    if status:
        raise SystemExit(f"bench report ended with {status}")


def _pss_bytes(pid: int) -> int:
    """PSS of a process and of all that it has started; 0 for one that has ended."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss
    return total


def _peak_bytes(pid: int) -> int | None:
    """The most memory that a process ever had (VmHWM); None once it has ended, or where that is not told."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None


if __name__ == "__main__":
    main()
