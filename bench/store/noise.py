"""What identical code has shown on this very unit: the noise of pairs of processes, kept from run to run."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from bench.errors import first_fault, one_line
from bench.measure.stopping import TURNS_PER_WINDOW
from bench.protocol.message import Count
from bench.store.cache import cache_folder
from bench.store.ceilings import unit_of
from bench.store.model import StoredModel
from bench.store.pairs import Mode, PooledNoise
from bench.store.runs import read_plain, write_atomically

_MOST_BYTES = 1_000_000
_MOST = 100
"""Comparisons that are remembered, the newest: machines age."""


class Noise(StoredModel):
    """The spread of log(B ÷ A) over the pairs of one comparison of a cell with itself.

    `pair_s` is the most that a pair could take, `precision` what ended those that took turns sooner; None in files
    from before there was one. `turns_per_window` is into how many turns a window was cut; not at all in older files.
    """

    created_utc: str
    cell_id: str
    mode: Mode
    pair_s: Annotated[float, Field(gt=0)]
    precision: Annotated[float, Field(gt=0)] | None = None
    turns_per_window: Annotated[Count, Field(ge=1)] = 1
    pairs: Annotated[Count, Field(ge=2)]
    sd: Annotated[float, Field(gt=0)]


class _Recorded(StoredModel):
    exact_unit: str
    recorded: list[Noise]


def read_noise(environment: Mapping[str, Any]) -> tuple[list[Noise], list[str]]:
    """What was recorded on this unit with this TensorFlow, oldest first; a line for a file that cannot be used."""
    path = _path(environment)
    if path is None or not path.exists():
        return [], []
    try:
        found = _Recorded.model_validate(json.loads(read_plain(path, _MOST_BYTES, "a file of noise")))
    except ValidationError as error:
        return [], [one_line(f"{path}: ignored: {first_fault(error)}")]
    except (OSError, ValueError, RecursionError) as error:
        return [], [one_line(f"{path}: ignored: {error}")]
    if found.exact_unit != environment["exact_unit"]:
        return [], [one_line(f"{path}: ignored: it is of another machine")]
    return found.recorded, []


def keep_noise(environment: Mapping[str, Any], noise: Noise) -> None:
    """Add one comparison of a cell with itself; a machine that cannot be told from another keeps none."""
    path = _path(environment)
    if path is None:
        return
    recorded = [*read_noise(environment)[0], noise][-_MOST:]
    path.parent.mkdir(parents=True, exist_ok=True)
    unit = str(environment["exact_unit"])
    write_atomically(path, _Recorded(exact_unit=unit, recorded=recorded).model_dump_json(indent=1))


def pooled(recorded: Sequence[Noise], cell_id: str, mode: Mode, pair_s: float, precision: float) -> PooledNoise | None:
    """The spread of one pair, pooled over what was recorded of this cell, else of others, worth none; None without any.

    Only pairs that ran in the same way count: those that were ended by the same rules, else, as they are noisier, of
    shorter pairs or a rougher `precision`; never of longer or finer ones, which are steadier.
    """
    like = [one for one in recorded if one.mode == mode and one.pair_s <= pair_s and _as_rough(one, precision)]
    like = [one for one in like if one.pair_s == pair_s and one.precision in {precision, None}] or like
    own = [one for one in like if one.cell_id == cell_id]
    freedom = sum(one.pairs - 1 for one in own or like)
    if not freedom:
        return None
    sd = math.sqrt(sum((one.pairs - 1) * one.sd**2 for one in own or like) / freedom)
    return PooledNoise(sd=sd, freedom=freedom if own else 0, mode=mode)


def _as_rough(one: Noise, precision: float) -> bool:
    """Whether its pairs took turns as short, and went on to nothing finer.

    Those that ran in turn have windows as ever, and take their whole time whatever they show.
    """
    short = one.turns_per_window == TURNS_PER_WINDOW
    return one.mode == "in turn" or (short and one.precision is not None and one.precision >= precision)


def _path(environment: Mapping[str, Any]) -> Path | None:
    unit = unit_of(environment)
    if unit is None:
        return None
    version = re.sub(r"[^0-9A-Za-z.+-]", "_", unit[2])
    return cache_folder() / f"{unit[0]}-{unit[1]}-cpus-tensorflow-{version}-pairs.json"
