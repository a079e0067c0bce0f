"""Names that say what differs."""

from bench.report.cells import summarise
from bench.report.names import absent, short_names
from bench.trial import Cell


def test_what_all_cells_share_is_said_once():
    """Three epochs on the GPU are no news on every line."""
    cells = [Cell(device="gpu", epochs=3), Cell(device="gpu", epochs=3, xla=True)]
    assert short_names(cells) == (["default", "xla"], "gpu epochs=3")


def test_single_cell_keeps_its_whole_name():
    """There is nothing it could share with."""
    assert short_names([Cell(epochs=3)]) == (["epochs=3"], "")
    assert short_names([Cell()]) == (["default"], "")
    assert short_names([]) == ([], "")


def test_cells_that_are_not_drawn_are_named_with_the_reason(build):
    """The first six by name, the others counted."""
    rows = build.rows(*(build.record({"global_batch": batch}, status="oom") for batch in range(1, 10)))
    cells = summarise(rows)
    sentence = absent(cells, cells[:1], lambda cell: cell.status)
    assert sentence.startswith("Not drawn: global_batch=2 (oom), global_batch=3 (oom),")
    assert sentence.endswith(" and 2 more.")
    assert absent(cells, cells, lambda cell: cell.status) == ""
