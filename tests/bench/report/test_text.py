"""Hostile and missing words."""

import pytest

from bench.measure.statistics import Interval
from bench.report.text import (
    markdown,
    mebibytes,
    percent,
    printable,
    shorten,
    significant,
    spreadsheet,
    with_interval,
)


@pytest.mark.parametrize("text", ["a\nb", "a\r\n\tb", "a\x1b\x00b", "a\u202eb", "a\u2028b", "a\ud800b", " a  b "])
def test_text_becomes_one_printable_line(text):
    """Line ends, terminal escapes, direction marks and broken surrogates are gone, and what is left is UTF-8."""
    assert printable(text) == "a b"
    assert printable(text).encode()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " -", "\x00@", "＝"])
def test_no_text_is_a_spreadsheet_formula(start):
    """A quote in front makes it text, also where blanks or control characters came first."""
    assert spreadsheet(f"{start}1+1").startswith("'")


def test_harmless_text_stays_as_it_is_in_a_spreadsheet():
    """Only what would run is marked."""
    assert spreadsheet("mixed_float16 a=b -c") == "mixed_float16 a=b -c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("[x](http://y)", r"\[x\](http://y)"),
        ("`code` *bold* $m$", r"\`code\` \*bold\* \$m\$"),
        ("mixed_float16 _it_", r"mixed_float16 \_it\_"),
        ("a\n\n# b", "a # b"),
        ("\\|", r"\\\|"),
    ],
)
def test_markdown_shows_the_text_itself(text, shown):
    """No cell end, HTML, link, code or emphasis comes out of a string from a file."""
    assert markdown(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (4012.3, "4,012"),
        (12.345, "12.3"),
        (1.8349, "1.83"),
        (0.04567, "0.0457"),
        (0.0, "0"),
        (None, ""),
    ],
)
def test_numbers_have_about_three_digits_and_gaps_none(value, shown):
    """What was not measured is empty, and only a measured 0 is 0."""
    assert significant(value) == shown


def test_figure_and_bounds_have_the_same_decimals():
    """The interval is read against its figure."""
    assert with_interval(4012.4, Interval(3950.2, 4076.6)) == "4,012 (3,950–4,077)"
    assert with_interval(41.26, Interval(9.876, 101.2)) == "41.3 (9.9–101.2)"
    assert (with_interval(4012.4, None), with_interval(None, Interval(1, 2))) == ("4,012", "")


def test_memory_and_accuracy_have_their_units():
    """Bytes become MiB, shares become percent, None stays empty."""
    assert [mebibytes(3 * 2**30), mebibytes(None), percent(0.98931), percent(None)] == ["3,072", "", "98.93", ""]


def test_long_text_is_cut_with_a_sign():
    """A traceback in a reason does not flood the table."""
    assert shorten("x" * 1000, 10) == "x" * 9 + "…"
