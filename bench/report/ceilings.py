"""The ceilings of a machine as a table, for a terminal and for Markdown."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from bench.protocol.answers import Ceiling, CeilingsMeasured
from bench.report.text import significant

HEADERS = ["device", "threads", "precision", "matmul GFLOP/s", "3×3 conv. GFLOP/s", "memory GB/s", "dispatch µs"]
"""Of each figure the best window, with the median window in brackets; 1 GB is 10⁹ bytes."""
_WORDS = 3
"""The first columns are words, the others figures."""


def ceilings_lines(measured: Sequence[CeilingsMeasured]) -> list[list[str]]:
    """A line per device, number of threads and precision; what does not depend on the precision stands once."""
    lines = []
    for one in measured:
        alike = [_figure(one.memory_bytes_per_s, 1e-9), _figure(one.dispatch_s, 1e6)]
        for precision, matmul in one.matmul_flops_per_s.items():
            convolution = one.convolution_flops_per_s.get(precision)
            words = [one.device, str(one.threads or ""), precision, _figure(matmul, 1e-9), _figure(convolution, 1e-9)]
            lines.append([*words, *alike])
            alike = ["", ""]
    return lines


def ceilings_table(measured: Sequence[CeilingsMeasured]) -> Table:
    """The table for a terminal."""
    caption = "Each figure: best window (median window). mixed_… are the compute type's own kernels."
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, caption=caption, caption_justify="left")
    for place, header in enumerate(HEADERS):
        table.add_column(header, justify="left" if place < _WORDS else "right", no_wrap=True)
    for line in ceilings_lines(measured):
        table.add_row(*map(Text, line))
    return table


def _figure(ceiling: Ceiling | None, scale: float) -> str:
    if ceiling is None:
        return ""
    return f"{significant(scale * ceiling.value)} ({significant(scale * ceiling.median)})"
