"""Peak memory against allocations of a known size, in a process of its own."""

import json
import subprocess
import sys

import pytest

MIB = 2**20
PROBE = """
import json, sys
import numpy as np
from bench.worker.memory import PeakMemory

def touch(mib):
    np.ones(mib * 2**20, np.uint8)

memory = PeakMemory([])
touch(int(sys.argv[1]))
memory.pause()
touch(int(sys.argv[2]))
memory.resume()
memory.pause()
print(json.dumps([memory.host_bytes, memory.device_bytes]))
"""


@pytest.fixture(scope="module")
def peaks():
    """Host and device peaks of a process that touched so many MiB before its first pause and in it."""

    def peaks(training: int, pause: int) -> tuple[int, int | None]:
        command = [sys.executable, "-c", PROBE, str(training), str(pause)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        return json.loads(done.stdout.splitlines()[-1])

    return peaks


def test_a_planted_allocation_is_seen_and_a_pause_is_not(peaks):
    """200 MiB that live for a moment of training raise the peak by 200 ± 10 MiB; as many in a pause do not."""
    # TensorFlow's import peaks above what stays: the smaller allocation must stand out from that too
    base, planted, paused = (peaks(*sizes)[0] / MIB for sizes in ((200, 0), (400, 0), (200, 600)))
    assert abs(planted - base - 200) < 10
    assert abs(paused - base) < 10


def test_a_cpu_has_no_device_memory(peaks):
    """Without a GPU the device's peak is not measured, rather than 0."""
    assert peaks(0, 0)[1] is None
