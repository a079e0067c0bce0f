"""Where do the cycles of a training step go? oneDNN's own timings of its primitives, on one core so that they add up.

A child with one thread trains with ONEDNN_VERBOSE=profile_exec, which makes oneDNN print each primitive with its time;
printed are the milliseconds a step by kind, their share of the step, and for convolutions the FLOP/s. What is left of
the step is TensorFlow's own: the optimizer, activations' gradients, sums, dispatch, and the printing itself.

    .venv/bin/python scripts/verification/primitives.py [--global-batch 200] [--steps 20] [--side-by-side 1]

Several children side by side take each other's caches and memory bandwidth, as the shards of a step do; means of them
are printed.
"""

import argparse
import math
import os
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from mnist_cnn.settings import ONEDNN_SWITCH

MARK = "window of steps: "
CONVOLUTION = "convolution"


@dataclass(frozen=True)
class Step:
    """A step on one core: its milliseconds, those of each kind of primitive, and FLOPs of the convolutions by kind."""

    step_ms: float
    spent: Counter[str]
    flops: Counter[str]


def main() -> None:
    """Measure, or be the child; print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--global-batch", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--side-by-side", type=int, default=1, metavar="CHILDREN")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        train(options.global_batch, options.steps)
        return
    one = measure(options.global_batch, options.steps, options.side_by_side)
    print(f"global batch {options.global_batch}, one core, {options.side_by_side} at once: {one.step_ms:.1f} ms a step")
    for kind, milliseconds in one.spent.most_common():
        speed = f"  {one.flops[kind] / milliseconds / 1e6:4.0f} GFLOP/s" if kind in one.flops else ""
        print(f"{milliseconds:8.2f} ms  {100 * milliseconds / one.step_ms:5.1f} %  {kind}{speed}")
    rest = one.step_ms - one.spent.total()
    print(
        f"{rest:8.2f} ms  {100 * rest / one.step_ms:5.1f} %  the rest: TensorFlow's own operations, dispatch, printing"
    )


def measure(global_batch: int, steps: int, side_by_side: int = 1) -> Step:
    """Start children, read what they and oneDNN print, and take the means."""
    environment = {**os.environ, "ONEDNN_VERBOSE": "profile_exec", "TF_CPP_MIN_LOG_LEVEL": "3", ONEDNN_SWITCH: "1"}
    words = [sys.executable, __file__, "--child", f"--global-batch={global_batch}", f"--steps={steps}"]
    child = partial(subprocess.run, words, env=environment, capture_output=True, text=True, check=True, timeout=600)
    with ThreadPoolExecutor(side_by_side) as threads:
        started = [threads.submit(child) for _ in range(side_by_side)]
        printed = [done.result().stdout.split(MARK) for done in started]
    step_ms = 1000 * fmean(float(after.split()[0]) for _, _, after in printed) / steps
    window = "".join(window for _, window, _ in printed)
    return Step(step_ms, *read(window, steps * side_by_side))


def read(printed: str, steps: int) -> tuple[Counter[str], Counter[str]]:
    """Milliseconds and FLOPs a step by kind of primitive, from oneDNN's lines."""
    spent: Counter[str] = Counter()
    flops: Counter[str] = Counter()
    for line in printed.splitlines():
        if not line.startswith("onednn_verbose") or ",exec," not in line:
            continue
        words = line.split(",")
        place = words.index("exec")
        kind, direction, problem = words[place + 2], words[place + 4], words[-2]
        if kind == CONVOLUTION:
            shape = {name: int(size) for name, size in re.findall(r"(mb|ic|oc|oh|ow|kh|kw)(\d+)", problem)}
            kind = f"{CONVOLUTION} {shape['ic']}→{shape['oc']}, {direction}"
            flops[kind] += 2 * math.prod(shape.values()) / steps
        spent[kind] += float(words[-1]) / steps
    return spent, flops


def train(global_batch: int, steps: int) -> None:
    """Train a window of `fused` × `resident` with one thread, marked on stdout."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from mnist_cnn.dataset import load_dataset
    from mnist_cnn.settings import TrainingSettings
    from mnist_cnn.training import Training

    settings = TrainingSettings(engine="fused", input="resident", global_batch=global_batch)
    windows, began = [5, steps, 0], 0.0

    def next_window(progress: object) -> int:
        nonlocal began
        if progress is not None:
            print(f"{MARK}{time.monotonic() - began}", flush=True)
        began = time.monotonic()
        return windows.pop(0)

    Training(settings, load_dataset()).train(next_window)


if __name__ == "__main__":
    main()
