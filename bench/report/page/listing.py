"""A table that a reader sorts, filters and opens line by line, as a page carries it: words, no figures to compute."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_CHOICES = 200
"""Values of a facet: nobody looks for one among more in a list; the text filter finds it."""
_FIGURE = re.compile(r"[+-]?\d[\d,]*(\.\d+)?([ /].*)?")

Word = str | int | float | bool | None


@dataclass(frozen=True)
class Facet:
    """What lines can be chosen by: its values in order, and for each line the place of its own among them."""

    name: str
    values: list[str]
    of: list[int]


@dataclass(frozen=True)
class Facts:
    """Named words behind the lines, each set of words once; `of` is the place of each line's set, -1 for none."""

    title: str
    names: list[str]
    distinct: list[list[str]]
    of: list[int]


@dataclass(frozen=True)
class Listing:
    """Lines of words under headers, where `figures` tells columns of numbers.

    `marks` are for each line the numbers, from 1 on, of its `notes`; `links` the words and relative paths of files.
    `begins` are the places of each line's first line in the listing called `inside`, which has them in the same order;
    `within` names the listing whose lines these are inside of. Notes that are `numbered` stand beneath the table.
    `drawn` is the place of the column whose figures are drawn to scale, or None.
    """

    name: str
    headers: list[str]
    figures: list[bool]
    lines: list[list[str]]
    notes: list[str]
    marks: list[list[int]]
    facets: list[Facet]
    facts: list[Facts] = field(default_factory=list)
    links: list[list[tuple[str, str]]] = field(default_factory=list)
    inside: str = ""
    begins: list[int] = field(default_factory=list)
    within: str = ""
    numbered: bool = False
    drawn: int | None = None


def facets(columns: dict[str, Sequence[Word]]) -> list[Facet]:
    """A facet for each column in which lines differ, but not in more ways than a reader can choose from."""
    found = []
    for name, words in columns.items():
        values = sorted(set(words), key=_rank)
        if 1 < len(values) <= MOST_CHOICES:
            places = {value: place for place, value in enumerate(values)}
            found.append(Facet(name, [plain(value) or "none" for value in values], [places[word] for word in words]))
    return found


def _rank(word: Word) -> tuple[bool, float, str]:
    number = isinstance(word, int | float)
    return not number, float(word) if isinstance(word, int | float) else 0.0, str(word)


def facts(title: str, names: Sequence[str], sets: Sequence[Sequence[str] | None]) -> Facts:
    """Facts of some lines, with None for a line that has none."""
    places: dict[tuple[str, ...], int] = {}
    of = [-1 if words is None else places.setdefault(tuple(words), len(places)) for words in sets]
    return Facts(title, list(names), [list(words) for words in places], of)


def plain(word: Word) -> str:
    """A setting as a suite file has it; empty for None."""
    if word is None:
        return ""
    return str(word).lower() if isinstance(word, bool) else str(word)


def figures(lines: Sequence[Sequence[str]]) -> list[bool]:
    """Which columns hold numbers: those in which every word that is not empty begins with one."""
    return [
        any(column) and all(_FIGURE.fullmatch(word) for word in column if word) for column in zip(*lines, strict=True)
    ]
