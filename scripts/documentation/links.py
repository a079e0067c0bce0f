"""Which links lead nowhere: of the built site, and of Markdown as a reader of the repository sees it.

There is no network here. An address of another site is held to its syntax; what a page would fetch from one, such as
a font or a script, is a fault.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

_FETCHED = re.compile(rb"""(?:url\(|@import)\s*['"]?(?:https?:)?//""")
"""What a style sheet would fetch from a network."""
_OUTSIDE = {"http", "https", "mailto"}


class _Page(HTMLParser):
    """The anchors and addresses of a page; those that a browser fetches by itself are apart."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.followed: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the element is called and what it leads to."""
        told = {name: value for name, value in attrs if value}
        self.anchors |= {told[name] for name in ("id", "name") if name in told}
        followed = tag in {"a", "area"}
        addresses = [told[name] for name in ("href", "src", "data", "poster") if name in told]
        (self.followed if followed else self.fetched).extend(addresses)


def broken_in_site(site: Path) -> list[str]:
    """A line for each link of each page that leads nowhere, and for all that comes from a network."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        where = path.relative_to(site)
        found += [f"{where}: {url}: fetched from a network" for url in page.fetched if _outside(url)]
        found += [f"{where}: {url}: no address" for url in page.followed if _outside(url) and not _well_formed(url)]
        inside = [url for url in (*page.fetched, *page.followed) if not _outside(url)]
        found += [f"{where}: {url}: leads nowhere" for url in inside if not _leads(url, path, site, pages)]
    sheets = (sheet for sheet in sorted(site.rglob("*.css")) if _FETCHED.search(sheet.read_bytes()))
    return found + [f"{sheet.relative_to(site)}: fetches from a network" for sheet in sheets]


def _outside(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.netloc or parts.scheme) and parts.scheme != "data"


def _well_formed(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in _OUTSIDE and (parts.scheme == "mailto" or "." in parts.netloc) and " " not in url


def _leads(url: str, path: Path, site: Path, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(url)
    if parts.scheme == "data":
        return True
    start = site if parts.path.startswith("/") else path.parent
    target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file() or not target.is_relative_to(site):
        return False
    return not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].anchors


def read_by_hand(root: Path) -> list[Path]:
    """The Markdown that people read in the repository itself."""
    apart = [root / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md")]
    return [*apart, *sorted(root.glob("docs/*.md"))]


def broken_in_markdown(root: Path, files: Iterable[Path]) -> list[str]:
    """A line for each link or picture of some Markdown files that leads to no file, or to no heading of one."""
    found = []
    for file in files:
        where = file.relative_to(root)
        for url in _addresses(_tokens(file)):
            if _outside(url):
                found += [] if _well_formed(url) else [f"{where}: {url}: no address"]
            elif not _is_there(url, file):
                found.append(f"{where}: {url}: leads nowhere")
    return found


def _is_there(url: str, file: Path) -> bool:
    path, _, anchor = unquote(url).partition("#")
    target = file.parent / path if path else file
    if not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in headings(target))


@cache
def _tokens(file: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(file.read_text(encoding="utf-8"))


def _addresses(tokens: Iterable[Token]) -> Iterator[str]:
    for token in tokens:
        for inner in token.children or []:
            address = inner.attrGet({"link_open": "href", "image": "src"}.get(inner.type, ""))
            if address is not None:
                yield str(address)


def headings(file: Path) -> set[str]:
    """The anchors of a file's headings as repository hosts make them: lower case, hyphens, no punctuation."""
    tokens = _tokens(file)
    texts = [after.content for token, after in pairwise(tokens) if token.type == "heading_open"]
    slugs = [re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts]
    before = [slugs[:place].count(slug) for place, slug in enumerate(slugs)]
    return {f"{slug}-{count}" if count else slug for slug, count in zip(slugs, before, strict=True)}
