"""Who else computes here."""

import os
import subprocess
import sys

from bench.measure.busiest import busiest


def test_busy_program_is_named_with_its_share() -> None:
    """Another process that spins is told, this one is not, however busy it is itself."""
    mine, found = f"(pid {os.getpid()}, ", list[str]()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as spinning:
        for _ in range(20):  # a machine under load may not let it spin at once
            if any(f"(pid {spinning.pid}, " in line for line in found):
                break
            found += busiest(0.2)
        spinning.kill()
    assert any(f"(pid {spinning.pid}, " in line and line.endswith(" % of a CPU)") for line in found)
    assert not any(mine in line for line in found)
