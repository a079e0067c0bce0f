"""Names that say what differs."""

from bench.report.cells import summarise
from bench.report.names import absent, leading, left_out, short_names
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


def test_the_highest_are_kept_in_their_order():
    """What a picture has no room for is the lowest; what stays is not moved."""
    assert leading([3, 9, 1, 7], float, 2) == [9, 7]
    assert leading([3, 9], float, 2) == [3, 9]


def test_what_is_left_out_is_counted():
    """A picture that shows all says nothing."""
    assert left_out(24, 1000, "the 24 fastest") == "Drawn are the 24 fastest of 1,000; 976 more are in trials.csv."
    assert left_out(3, 3, "the 3 fastest") == ""
