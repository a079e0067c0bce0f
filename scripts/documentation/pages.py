"""The pages and files of docs/, laid out for the site: docs/ at its root, what it links to under its own path."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.store.runs import write_atomically

_LINK = re.compile(r"(?<=\]\()(?P<path>[^)#\s:]+)(?=[)#])")
"""The path in a Markdown link or picture that leads to a file; addresses have a colon."""


def lay_out(root: Path, pages: Path) -> None:
    """Write the pages and files of a checkout's docs/, and what any of them names elsewhere; nothing twice."""
    waiting = [path for path in sorted((root / "docs").rglob("*")) if path.is_file()]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        if source.suffix == ".md":
            text = source.read_text(encoding="utf-8")
            new = set(_files_named(text, source, root)) - seen
            waiting, seen = [*waiting, *new], seen | new
            write_page(pages / place(source, root), relinked(text, source, root))
        else:
            _copy(source, pages / place(source, root))


def place(source: Path, root: Path) -> Path:
    """Where a file of the checkout stands in the site: those of docs/ at the top, others as in the checkout."""
    inside = source.relative_to(root)
    return inside.relative_to("docs") if inside.parts[0] == "docs" else inside


def relinked(text: str, source: Path, root: Path) -> str:
    """A page whose links lead to the places that their files have in the site."""

    def moved(link: re.Match[str]) -> str:
        target = _file(link["path"], source, root)
        if target is None:
            return link[0]
        return Path(os.path.relpath(place(target, root), place(source, root).parent)).as_posix()

    return _LINK.sub(moved, text)


def _files_named(text: str, source: Path, root: Path) -> Iterator[Path]:
    for link in _LINK.finditer(text):
        target = _file(link["path"], source, root)
        if target is not None:
            yield target


def _file(path: str, source: Path, root: Path) -> Path | None:
    """The file of the checkout that a link leads to; None where there is none, which is for the check of links."""
    target = (source.parent / path).resolve()
    return target if target.is_file() and target.is_relative_to(root) else None


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists() or target.stat().st_mtime_ns < source.stat().st_mtime_ns:
        shutil.copy2(source, target)


def write_page(path: Path, text: str) -> None:
    """Write what is new: whoever watches the folder builds again at each change."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_atomically(path, text)
