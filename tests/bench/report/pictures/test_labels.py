"""Labels stand where they belong, in both kinds of file."""

import itertools
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.pictures.accuracy import plot_accuracy
from bench.report.pictures.geometry import apart
from bench.report.pictures.history import plot_history

COLOURS = ("#0173b2", "#de8f05", "#029e73")
"""Of the first three series."""


def places_in(svg):
    """Where each text begins, by its words, and where the marks of each colour are, in the SVG's own units."""
    texts = {
        words: (float(x), float(y))
        for words, x, y in re.findall(r"<!-- (.*?) -->\s*<g[^>]*?translate\(([\d.]+) ([\d.]+)\)", svg, re.DOTALL)
    }
    uses = re.findall(r'<use [^>]*?x="([\d.]+)" y="([\d.]+)" style="fill: (#\w+)', svg)
    return texts, [(colour, (float(x), float(y))) for x, y, colour in uses]


def test_a_label_is_beside_its_mark_in_the_svg_too(build, tmp_path):
    """An SVG has other pixels than a PNG, and a place in those of one would be another in the other."""
    pair = {"default": ({}, 1, 0.98), "xla": ({"xla": True}, 2, 0.99)}
    records = [build.record(cell, step_s=[0.1 * times] * 8, accuracies=[top]) for cell, times, top in pair.values()]
    plot_accuracy(tmp_path / "plot", build.cells(*records))
    texts, uses = places_in((tmp_path / "plot.svg").read_text())
    marks = sorted({place for colour, place in uses if colour == COLOURS[0]})
    assert len(marks) == 2
    for name, mark in zip(("xla", "default"), marks, strict=True):
        assert math.dist(texts[name], mark) < 40


def test_lines_are_named_at_their_ends(build, tmp_path):
    """Labels stand right of the ends, in the order of their heights, and there is no legend to look up."""
    tops = {"xla": 0.97, "default": 0.99, "onednn=on": 0.98}
    cells = {"xla": {"xla": True}, "default": {}, "onednn=on": {"onednn": "on"}}
    records = [build.record(cells[name], accuracies=[top - 0.02, top]) for name, top in tops.items()]
    plot_history(tmp_path / "plot", build.cells(*records))
    texts, uses = places_in((tmp_path / "plot.svg").read_text())
    right = max(x for colour, (x, _) in uses if colour in COLOURS)
    assert all(right < texts[name][0] < right + 60 for name in tops)
    assert sorted(tops, key=lambda name: texts[name][1]) == ["default", "onednn=on", "xla"]


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(5, 30)), max_size=15))
def test_labels_apart_keep_their_order_and_do_not_overlap(labels):
    """Whatever their heights, they stay in the picture; the room is enough here."""
    places, heights = [place for place, _ in labels], [height for _, height in labels]
    found = apart(places, heights, 0.0, 500.0)
    order = sorted(range(len(labels)), key=lambda index: places[index])
    for one, other in itertools.pairwise(order):
        assert found[other] - found[one] >= (heights[one] + heights[other]) / 2 - 1e-6
    for place, height in zip(found, heights, strict=True):
        assert height / 2 - 1e-6 <= place <= 500 - height / 2 + 1e-6


def test_labels_with_room_stay_where_they_are():
    """And of two that would overlap both give way by half."""
    assert apart([10.0, 100.0, 50.0], [12.0, 12.0, 12.0], 0.0, 200.0) == pytest.approx([10, 100, 50])
    assert apart([50.0, 52.0], [12.0, 12.0], 0.0, 200.0) == pytest.approx([45, 57])
    assert apart([], [], 0.0, 200.0) == []
