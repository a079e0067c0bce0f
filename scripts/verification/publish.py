"""Figures in a document stand between two marks and are written by the script that measured them, never by hand."""

from pathlib import Path

from bench.store.runs import write_atomically


def marks(script: str) -> tuple[str, str]:
    """What stands before and behind the figures of a script."""
    return f"<!-- {script}: begin -->", f"<!-- {script}: end -->"


def put_in(document: Path, script: str, text: str) -> None:
    """Replace what stands between the marks; ValueError for a document without exactly one pair of them."""
    begin, end = marks(script)
    old = document.read_text(encoding="utf-8")
    before, began, rest = old.partition(begin)
    _, ended, after = rest.partition(end)
    if not began or not ended or begin in rest or end in after:
        raise ValueError(f"{document}: needs {begin} and {end} once each, in this order")
    write_atomically(document, f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}")
