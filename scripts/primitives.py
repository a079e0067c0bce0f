"""Where do the cycles of a training step go? oneDNN's own timings of its primitives, on one core so that they add up.

A child trains with ONEDNN_VERBOSE=profile_exec, which makes oneDNN print each primitive with its time; printed are the
milliseconds a step by kind, their share of the step, and for convolutions the FLOP/s. What is left of the step is
TensorFlow's own: the optimizer, activations' gradients, sums, dispatch, and the printing itself.

    .venv/bin/python scripts/primitives.py [--global-batch 200] [--steps 20]
"""

import argparse
import math
import os
import re
import subprocess
import sys
import time
from collections import Counter

MARK = "window of steps: "


def main() -> None:
    """Start the child, read what it and oneDNN print, sum up."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--global-batch", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        train(options.global_batch, options.steps)
        return
    environment = {**os.environ, "ONEDNN_VERBOSE": "profile_exec", "TF_CPP_MIN_LOG_LEVEL": "3"}
    words = [sys.executable, __file__, "--child", f"--global-batch={options.global_batch}", f"--steps={options.steps}"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    _, window, after = done.stdout.split(MARK)
    step_ms = 1000 * float(after.split()[0]) / options.steps
    spent, flops = read(window, options.steps)
    print(f"global batch {options.global_batch}, one core: {step_ms:.1f} ms a step")
    for kind, milliseconds in spent.most_common():
        speed = f"  {flops[kind] / milliseconds / 1e6:4.0f} GFLOP/s" if kind in flops else ""
        print(f"{milliseconds:8.2f} ms  {100 * milliseconds / step_ms:5.1f} %  {kind}{speed}")
    rest = step_ms - spent.total()
    print(f"{rest:8.2f} ms  {100 * rest / step_ms:5.1f} %  the rest: TensorFlow's own operations, dispatch, printing")


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
        if kind == "convolution":
            shape = {name: int(size) for name, size in re.findall(r"(mb|ic|oc|oh|ow|kh|kw)(\d+)", problem)}
            kind = f"convolution {shape['ic']}→{shape['oc']}, {direction}"
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
