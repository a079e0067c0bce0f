"""The listing of cells: the table of results, behind each line its settings, its costs and its trials."""

from collections.abc import Sequence
from itertools import accumulate

from bench.protocol.effective import EffectiveSettings
from bench.report.bounds import HEADERS as BOUNDS_HEADERS
from bench.report.bounds import cost_words
from bench.report.cells import CellSummary
from bench.report.page.listing import Facet, Facts, Listing, Word, facets, facts, plain
from bench.report.tables import MOST_NOTES, WORDS, Grid
from bench.report.text import shorten
from bench.trial import Cell

_AXES = list(Cell.model_fields)
_SETTINGS = [*_AXES, "per_replica_batch"]
_EFFECTIVE = [name for name in EffectiveSettings.model_fields if name != "notes"]
_MOST_DIFFERENT = 4
"""Sets of effective settings of one cell: what is shown of more would fill the page."""
_LONGEST_FACT = 200


def cells_listing(cells: Sequence[CellSummary], grid: Grid, axes: Sequence[Facet]) -> Listing:
    """The lines of `grid`, which is made of these cells, as are the facets `axes`."""
    return Listing(
        name="cells",
        headers=[" ".join(header.split()) for header in grid.headers],
        figures=[header not in WORDS for header in grid.headers],
        lines=[[shorten(word) for word in line] for line in grid.lines],
        notes=list(grid.footnotes),
        marks=grid.marks,
        facets=[*facets({"status": [cell.status for cell in cells]}), *axes],
        facts=[settings_facts([cell.cell for cell in cells]), _effective(cells), _costs(cells)],
        inside="trials",
        begins=list(accumulate((len(cell.rows) for cell in cells), initial=0))[:-1],
        numbered=len(grid.footnotes) <= MOST_NOTES,
        drawn=next((place for place, header in enumerate(grid.headers) if header.startswith("images/s")), None),
    )


def axis_facets(cells: Sequence[Cell]) -> list[Facet]:
    """A facet for each axis in which cells differ."""
    columns: dict[str, Sequence[Word]] = {name: [getattr(cell, name) for cell in cells] for name in _AXES}
    return facets(columns)


def settings_facts(cells: Sequence[Cell]) -> Facts:
    """Every setting of each cell."""
    return facts("Settings", _SETTINGS, [[plain(getattr(cell, name)) for name in _SETTINGS] for cell in cells])


def _effective(cells: Sequence[CellSummary]) -> Facts:
    return facts("Effective settings, read back", _EFFECTIVE, [_read_back(cell) for cell in cells])


def _read_back(cell: CellSummary) -> list[str] | None:
    """What its trials really ran with; where they differ, each of the first few."""
    told: list[EffectiveSettings] = []
    for row in cell.rows:
        one = row.record.effective
        if one is not None and one not in told:
            told.append(one)
            if len(told) == _MOST_DIFFERENT:
                break
    if not told:
        return None
    return [" / ".join(dict.fromkeys(_fact(getattr(one, name)) for one in told)) for name in _EFFECTIVE]


def _fact(value: object) -> str:
    """A setting that was read back, whatever it is, in short."""
    if isinstance(value, list):
        return shorten(", ".join(map(str, value)), _LONGEST_FACT)
    if isinstance(value, dict):
        return shorten(", ".join(f"{name}={one}" for name, one in value.items()), _LONGEST_FACT)
    return shorten(plain(value), _LONGEST_FACT) if isinstance(value, str | int | float | bool) else ""


def _costs(cells: Sequence[CellSummary]) -> Facts:
    words = [cost_words(cell.diagnosis) if cell.diagnosis else None for cell in cells]
    return facts("Diagnosis, % of the step (95 % interval)", BOUNDS_HEADERS[1:], words)
