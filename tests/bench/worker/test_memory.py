"""Peak memory against allocations of a known size, in a process of its own."""

import json
import subprocess
import sys

import pytest

MIB = 2**20
PROBE = """
import json
import numpy as np
from bench.worker.memory import PeakMemory

def touch():
    np.ones(200 * 2**20, np.uint8)

memory = PeakMemory([])
memory.resume()
memory.pause()
before = memory.host_bytes
touch()  # in the pause
memory.resume()
memory.pause()
paused = memory.host_bytes
memory.resume()
touch()
memory.pause()
print(json.dumps([before, paused, memory.host_bytes, memory.device_bytes]))
"""


@pytest.fixture(scope="module")
def peaks():
    """Host peaks before, after 200 MiB in a pause and after 200 MiB outside one, and the device's."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_planted_allocation_is_seen(peaks):
    """200 MiB that live for a moment raise the peak by 200 ± 10 MiB."""
    _, before, after, _ = peaks
    assert abs((after - before) / MIB - 200) < 10


def test_what_happens_in_a_pause_does_not_count(peaks):
    """200 MiB in a pause, as an evaluation takes them, leave the peak where it was."""
    before, after, _, _ = peaks
    assert abs(after - before) / MIB < 10


def test_a_cpu_has_no_device_memory(peaks):
    """Without a GPU the device's peak is not measured, rather than 0."""
    assert peaks[3] is None
