"""Figures in a document stand between two marks and are written by the script that measured them, never by hand."""

from pathlib import Path

from bench.store.runs import write_atomically

BEGIN, END = "<!-- verify-guard: begin -->", "<!-- verify-guard: end -->"


def put_in(document: Path, text: str) -> None:
    """Replace what stands between the marks; ValueError for a document without exactly one pair of them."""
    old = document.read_text(encoding="utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"{document}: needs {BEGIN} and {END} once each, in this order")
    write_atomically(document, f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}")
