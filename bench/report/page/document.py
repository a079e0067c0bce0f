"""A page from a template: one file that holds its styles and scripts, runs no others, and asks no network."""

import re
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from bench.report.page.listing import figures
from bench.report.pictures.canvas import Picture
from bench.report.text import shorten

if TYPE_CHECKING:
    from jinja2 import Environment

_IN_BRACKETS = re.compile(r"(.+?)\s(\((?:n=|[-+]?\d)[^()]*\))", re.DOTALL)
_LONGEST_WORD = 1000
"""Characters of any text from a file that a page shows; what is longer is in the file."""
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_PX_PER_PT = 4 / 3


@dataclass(frozen=True)
class Inlined:
    """A stylesheet or script inside the page, and its hash, by which the page's policy lets it and no other run.

    The hash is that of Content Security Policy level 3: base64 of the SHA-256 of the text between the tags.
    """

    text: str

    @property
    def source(self) -> str:
        """The hash as a policy names it."""
        return f"sha256-{b64encode(sha256(self.text.encode()).digest()).decode()}"


@dataclass(frozen=True)
class Image:
    """A picture inside the page: its SVG as an address, in which no script runs and no id meets another's.

    Width and height are in CSS pixels, so that nothing moves when it is drawn.
    """

    picture: Picture
    address: str
    width: int
    height: int

    @classmethod
    def of(cls, picture: Picture) -> "Image":
        """From the SVG file of a picture, whose units are points."""
        svg = picture.stem.with_suffix(".svg").read_bytes()
        size = _SIZE.search(svg[:2000].decode(errors="replace"))
        width, height = (round(float(points) * _PX_PER_PT) for points in size.groups()) if size else (960, 600)
        return cls(picture, f"data:image/svg+xml;base64,{b64encode(svg).decode()}", width, height)


def render(template: str, **content: object) -> str:
    """The page of a template below `templates/`. Text in `content` is shown as it is, never taken for HTML."""
    return _environment().get_template(template).render(**content)


def prepare(template: str) -> None:
    """Read and compile a template before it is needed."""
    _environment().get_template(template)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  # only pages need it

    environment = Environment(
        loader=PackageLoader("bench.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown, "halves": halves, "figures": figures}
    environment.globals |= {"style": _asset("page.css"), "script": _asset("listing.js")}
    # what is not text in a listing is a part of it, and nothing that is not finite reaches JavaScript
    environment.policies["json.dumps_kwargs"] = {"default": vars, "separators": (",", ":"), "allow_nan": False}
    return environment


def _asset(name: str) -> Inlined:
    return Inlined(files("bench.report.page").joinpath("assets", name).read_text(encoding="utf-8"))


def shown(text: object) -> str:
    """Text from anywhere as one printable line of a sensible length."""
    return shorten(str(text), _LONGEST_WORD)


def halves(word: str) -> tuple[str, str]:
    """A figure, and what stands in brackets behind it: its interval or its number, which is set quieter."""
    found = _IN_BRACKETS.fullmatch(word)
    return (found[1], found[2]) if found else (word, "")
