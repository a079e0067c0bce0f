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


THREADS_AT_WORK = """
import json, time

import numpy as np
import psutil
from bench.protocol.commands import MeasureCeilings
from bench.worker.ceilings import measure_ceilings

matrix = np.ones((1024, 1024), np.float32)

def at_work():
    spent = lambda: {thread.id: thread.user_time for thread in psutil.Process().threads()}
    began, before = time.monotonic(), spent()
    while time.monotonic() - began < 2:
        matrix @ matrix
    return sum(seconds - before.get(thread, 0.0) > 0.2 for thread, seconds in spent().items())

before = at_work()
measure_ceilings(MeasureCeilings(device="cpu", threads=1, precisions=["float32"], kernel_s=0.3))
print(json.dumps([before, at_work()]))
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
def test_numpy_takes_as_many_threads_as_were_asked_for() -> None:
    """It was imported where nothing told it how many, and takes several until a ceiling of one thread is asked for."""
    untold = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    words = [sys.executable, "-c", THREADS_AT_WORK]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120, env=untold)
    before, after = json.loads(done.stdout.splitlines()[-1])
    assert before > 1 or len(os.sched_getaffinity(0)) == 1
    assert after == 1


@pytest.mark.slow
def test_figures_agree_with_a_clock_held_by_hand() -> None:
    """FLOPs and bytes counted and timed by hand agree within a factor of 3, both in seconds of one CPU."""
    one_thread = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", BY_HAND], capture_output=True, text=True, check=True, timeout=120, env=one_thread
    )
    shares = json.loads(done.stdout.splitlines()[-1])
    assert all(1 / 3 < share < 3 for share in shares), shares
