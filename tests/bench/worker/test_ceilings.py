"""Ceilings as a real worker measures them, and against a clock held by hand."""

import json
import os
import subprocess
import sys

import pytest

from bench.execute.ceilings import lead_measurement
from bench.execute.limits import Limits
from bench.execute.session import LOCAL_WORKER, WorkerSession
from bench.protocol.answers import CeilingsMeasured
from bench.protocol.commands import MeasureCeilings

BY_HAND = """
import json, time
time.monotonic = time.process_time  # what other programs take, such as tests beside this one, is in neither figure

import tensorflow as tf
from bench.protocol.commands import MeasureCeilings
from bench.worker.ceilings import measure_ceilings

found = measure_ceilings(MeasureCeilings(device="cpu", threads=1, precisions=["float32"], kernel_s=0.3))
side, elements = 1024, 2**26
matrix, total, summand = tf.random.normal((side, side)), tf.Variable(tf.zeros(elements)), tf.ones(elements)

def least_s(work):
    work()
    times = []
    for _ in range(10):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)

by_matmul = 2 * side**3 / least_s(lambda: tf.linalg.matmul(matrix, matrix).numpy())
by_sum = 3 * 4 * elements / least_s(lambda: total.assign_add(summand))
ours = found.matmul_flops_per_s["float32"], found.convolution_flops_per_s["float32"], found.memory_bytes_per_s
print(json.dumps([one.value / truth for one, truth in zip(ours, (by_matmul, by_matmul, by_sum))]))
"""


MANY_THREADS = """
import json, time

import tensorflow as tf
from bench.protocol.commands import MeasureCeilings
from bench.worker.ceilings import measure_ceilings

found = measure_ceilings(MeasureCeilings(device="cpu", threads=1, precisions=["float32"], kernel_s=1.0))
matrix, rates = tf.random.normal((1024, 1024)), []
for _ in range(20):
    began = time.monotonic()
    tf.linalg.matmul(matrix, matrix).numpy()
    rates.append(2 * 1024**3 / (time.monotonic() - began))
print(json.dumps(found.matmul_flops_per_s["float32"].value / max(rates)))
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> CeilingsMeasured:
    """One thread of the CPU in two precisions, with as little time as there can be."""
    asked = MeasureCeilings(device="cpu", threads=1, precisions=["float32", "mixed_bfloat16"], kernel_s=0.3)
    log = tmp_path_factory.mktemp("ceilings") / "worker.log"
    return lead_measurement(WorkerSession(LOCAL_WORKER, log), asked, Limits())


@pytest.mark.slow
def test_worker_measures_what_was_asked_and_nothing_else(measured: CeilingsMeasured) -> None:
    """Each precision asked for has both kernels, each figure at least one window, the best not below the median."""
    assert (measured.device, measured.threads) == ("cpu", 1)
    both = [measured.matmul_flops_per_s, measured.convolution_flops_per_s]
    assert [set(found) for found in both] == [{"float32", "mixed_bfloat16"}] * 2
    rates = [ceiling for found in both for ceiling in found.values()] + [measured.memory_bytes_per_s]
    assert all(rate.value >= rate.median > 0 and rate.n >= 1 for rate in rates)
    assert 0 < measured.dispatch_s.value <= measured.dispatch_s.median < 0.1


@pytest.mark.slow
def test_library_that_takes_more_threads_than_asked_does_not_count() -> None:
    """NumPy was imported where nothing told it to keep to one thread; with two it is twice as fast as TensorFlow."""
    untold = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    words = [sys.executable, "-c", MANY_THREADS]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=120, env=untold | {"TF_ENABLE_ONEDNN_OPTS": "1"}
    )
    assert json.loads(done.stdout.splitlines()[-1]) < 1.6


@pytest.mark.slow
def test_figures_agree_with_a_clock_held_by_hand() -> None:
    """FLOPs and bytes counted and timed by hand agree within a factor of 3, both in seconds of one CPU."""
    one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", BY_HAND], capture_output=True, text=True, check=True, timeout=120, env=one_thread
    )
    shares = json.loads(done.stdout.splitlines()[-1])
    assert all(1 / 3 < share < 3 for share in shares), shares
