"""The cache of measured ceilings: a file for each exact unit, number of usable CPUs and version of TensorFlow."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.errors import first_fault, one_line
from bench.measure.identity import known_unit
from bench.store.cache import cache_folder
from bench.store.record import Ceilings
from bench.store.runs import read_plain, write_atomically

METHOD = 2
"""As `Ceilings.method` counts: of an older one some are too low, and what is held against them too high."""
_MOST_BYTES = 1_000_000


def unit_of(environment: Mapping[str, Any]) -> tuple[str, int, str] | None:
    """Exact unit, usable CPUs and TensorFlow's version, as `read_environment` found them, or None if one is unknown.

    Ceilings of a machine that cannot be told from another are not kept.
    """
    unit, packages = known_unit(environment), environment["packages"]
    tensorflow = packages.get("tensorflow") or packages.get("tensorflow-cpu")
    if unit is None or not tensorflow:
        return None
    return unit, environment["usable_cpus"], tensorflow


def read_ceilings(environment: Mapping[str, Any]) -> tuple[Ceilings | None, list[str]]:
    """The cached ceilings of this machine, or None; a line for a file that cannot be used, which is ignored."""
    unit = unit_of(environment)
    path = _path(*unit) if unit else None
    if path is None or not path.exists():
        return None, []
    try:
        ceilings = Ceilings.model_validate(json.loads(read_plain(path, _MOST_BYTES, "a file of ceilings")))
    except ValidationError as error:
        fault = first_fault(error)
    except OSError as error:
        fault = error.strerror or str(error)
    except (ValueError, RecursionError) as error:
        fault = f"not JSON ({error})"
    else:
        if (ceilings.exact_unit, ceilings.usable_cpus, ceilings.tensorflow) != unit:
            fault = "it is of another machine"
        elif ceilings.method != METHOD:
            fault = "it was measured in another way than today's"
        else:
            return ceilings, []
    return None, [one_line(f"{path}: ignored: {fault}; measure anew with `bench env --measure`")]


def keep_ceilings(ceilings: Ceilings) -> Path:
    """Replace the cached ceilings of their unit in one step and return the file; raises OSError."""
    path = _path(ceilings.exact_unit, ceilings.usable_cpus, ceilings.tensorflow)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ceilings.model_dump_json(indent=1))
    return path


def _path(exact_unit: str, usable_cpus: int, tensorflow: str) -> Path:
    version = re.sub(r"[^0-9A-Za-z.+-]", "_", tensorflow)
    return cache_folder() / f"{exact_unit}-{usable_cpus}-cpus-tensorflow-{version}.json"
