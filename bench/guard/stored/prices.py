"""What machines cost, as the user tells: images for the money, and the cost of reaching an accuracy."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace

from bench.errors import UsageError, did_you_mean
from bench.guard.stored.compare import Compared
from bench.guard.stored.machines import machine_words, text_of

_PRICE = re.compile(r"(?P<name>.+)=(?P<price>[0-9]{1,12}(\.[0-9]{1,12})?)/h", re.DOTALL)
_SECONDS_PER_H = 3600


def priced(runs: Sequence[Compared], options: Sequence[str]) -> list[Compared]:
    """The runs with the prices of `NAME=2.5/h` options; raises UsageError for one that fits no run.

    NAME is a run's letter, or the name of its folder or host, its machine in words, or the id of its machine class; of
    all runs that it fits each gets that price.
    """
    found = list(runs)
    for option in options:
        name, price = _parsed(option)
        for place in places_of(runs, name, "--price"):
            if found[place].price_per_h not in {None, price}:
                raise UsageError(f"--price {option}: run {runs[place].letter} has another price already; give it one")
            found[place] = replace(found[place], price_per_h=price)
    return found


def places_of(runs: Sequence[Compared], name: str, option: str) -> list[int]:
    """The places of the runs that a name fits; UsageError, which names the option, where it fits none."""
    places = [place for place, run in enumerate(runs) if name.casefold() in map(str.casefold, names_of(run))]
    if not places:
        known = {known for run in runs for known in names_of(run)}
        raise UsageError(
            f"{option} {name}: no run has that letter, folder, host, machine or machine class"
            f"{did_you_mean(name, known)}; known here: {', '.join(sorted(known))}"
        )
    return places


def names_of(run: Compared) -> list[str]:
    """What an option may call a run."""
    environment = run.stored.run.environment
    kind = environment.get("machine_class")
    told = [text_of(environment, "host"), text_of(kind, "id") if isinstance(kind, dict) else None]
    return [run.letter, run.name, machine_words(environment), *filter(None, told)]


def _parsed(option: str) -> tuple[str, float]:
    match = _PRICE.fullmatch(option)
    price = float(match["price"]) if match else 0.0
    if match is None or not price:
        raise UsageError(f"--price {option}: give a name and a price above 0 for an hour, such as A=2.5/h")
    return match["name"].strip(), price


def images_for_one(throughput_images_per_s: float | None, price_per_h: float | None) -> float | None:
    """Images that one unit of the currency trains; None where the price or the throughput is not known."""
    if not throughput_images_per_s or not price_per_h:
        return None
    return throughput_images_per_s * _SECONDS_PER_H / price_per_h


def cost_of(seconds: float | None, price_per_h: float | None) -> float | None:
    """What so many seconds cost; None where either is not known."""
    if seconds is None or price_per_h is None or not math.isfinite(seconds):
        return None
    return seconds * price_per_h / _SECONDS_PER_H
