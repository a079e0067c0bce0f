"""A suite: a TOML file that names trials by axes, explicit cells and excludes; validated before anything runs."""

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import UsageError, did_you_mean, first_fault
from bench.plan.axes import Setting, Settings, check_setting
from bench.trial import TARGET_ACCURACY, Device

MOST_CELLS = 10_000
"""At a second each, three hours: nobody means more."""


class Budget(BaseModel):
    """How long it may take; what is reached ends a trial in order, and the run between two trials."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    trial_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds of training and evaluation in each trial."""
    run_s: Annotated[float, Field(gt=0)] | None = None
    """Seconds of the whole run."""


class Suite(BaseModel):
    """A named set of cells, each executed with every seed and repeat."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
    """What the folder of a run is called after: letters, digits, _ and -."""
    description: str = ""
    """What it is for, in a sentence; stands in every report."""
    defaults: Settings = {}
    """A value for an axis, in every cell."""
    axes: dict[str, Annotated[list[Setting], Field(min_length=1)]] = {}
    """Values for an axis; axes are crossed with one another and with the explicit cells, where there are any."""
    cells: list[Settings] = []
    """Explicit cells: the settings of each."""
    exclude: list[Annotated[Settings, Field(min_length=1)]] = []
    """A cell that matches every setting of one of these is left out."""
    repeats: Annotated[int, Field(ge=1, le=1000)] = 1
    """Fresh processes for each cell and seed; from 3 on there is an interval between processes."""
    target_accuracy: Annotated[float, Field(gt=0, le=1)] = TARGET_ACCURACY
    """The share of test images right that time to accuracy waits for; nothing stops there."""
    budget: Budget = Budget()
    """How long it may take."""
    diagnose: bool = False
    """Also find out what bounds each trial: up to 90 s more for each."""
    max_batch: bool = False
    """Instead of the batches given, search the largest one that trains in every cell."""


def load_suite(name: str, device: Device) -> Suite:
    """Load a suite by path (ends in .toml) or by name, `quick.gpu.toml` before `quick.toml` on a GPU machine.

    Raises UsageError with one line that names the file, the field and the fix.
    """
    if name.endswith(".toml"):
        return parse_suite(_read(Path(name)), name)
    shipped = files("bench.plan") / "suites"
    for candidate in (f"{name}.{device}.toml", f"{name}.toml"):
        if "/" not in name and (shipped / candidate).is_file():
            return parse_suite((shipped / candidate).read_text(encoding="utf-8"), candidate)
    there = Path(name).name in _files_beside(Path(name))
    near = f"; did you mean {name + '.toml'!r}?" if there else did_you_mean(name, suite_names())
    known = f"; give one of {', '.join(sorted(suite_names()))}, or the path of a .toml file"
    raise UsageError(f"unknown suite {name!r}{near or known}")


def suite_names() -> set[str]:
    """Names of the suites that come with the product."""
    shipped = (files("bench.plan") / "suites").iterdir()
    return {entry.name.split(".")[0] for entry in shipped if entry.name.endswith(".toml")}


def parse_suite(text: str, source: str) -> Suite:
    """Validate the text of a suite file; `source` names it in errors."""
    try:
        suite = Suite.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise UsageError(f"{source}: {first_fault(error)}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets without end
        raise UsageError(f"{source}: not TOML: {error}") from None
    for axis, values in suite.axes.items():
        check_setting(f"{source}: axes.{axis}", axis, values)
    groups = [("defaults", suite.defaults)]
    groups += [(f"cells.{number}", cell) for number, cell in enumerate(suite.cells)]
    groups += [(f"exclude.{number}", excluded) for number, excluded in enumerate(suite.exclude)]
    for group, settings in groups:
        for axis, value in settings.items():
            check_setting(f"{source}: {group}.{axis}", axis, [value])
    return suite


def parse_overrides(options: Iterable[str], name: str = "--set") -> dict[str, list[Setting]]:
    """Turn `axis=v1,v2` words of the command line into axes; `name` is the option they were given with."""
    axes: dict[str, list[Setting]] = {}
    for option in options:
        axis, equals, values = option.partition("=")
        if not equals or not values:
            raise UsageError(f"{name} {option}: write it as axis=value or axis=value,value")
        if axis in axes:
            raise UsageError(f"{name} {option}: {axis} is set twice; write its values behind one another: v1,v2")
        axes[axis] = [_parse_value(value.strip()) for value in values.split(",")]
        check_setting(f"{name} {option}", axis, axes[axis])
    if {"global_batch", "per_replica_batch"} <= set(axes):
        raise UsageError(f"{name}: give global_batch or per_replica_batch, not both")
    return axes


def override(cells: Iterable[Mapping[str, Setting]], axes: Mapping[str, list[Setting]]) -> list[Settings]:
    """Cross cells with axes, which replace what the cells said."""
    crossed: list[Settings] = [dict(cell) for cell in cells]
    for axis, values in axes.items():
        replaced = _REPLACES.get(axis, axis)
        kept = [{name: value for name, value in cell.items() if name != replaced} for cell in crossed]
        if len(kept) * len(values) > MOST_CELLS:
            raise UsageError(f"{axis}: more than {MOST_CELLS:,} cells; give fewer values, or several suites")
        crossed = [{**cell, axis: value} for cell in kept for value in values]
    return crossed


_REPLACES = {"global_batch": "per_replica_batch", "per_replica_batch": "global_batch"}


def _parse_value(text: str) -> Setting:
    """A value as TOML reads it, else a plain word."""
    try:
        value: Any = tomllib.loads(f"v = {text}")["v"]
    except ValueError:
        return text
    return value if isinstance(value, str | int | float | bool) else text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        missing = isinstance(error, FileNotFoundError)
        near = did_you_mean(path.stem, _files_beside(path), ".toml") if missing else ""
        others = f"; give another file or one of {', '.join(sorted(suite_names()))}; `bench init FILE` writes one"
        raise UsageError(f"{path}: {reason}{near or others}") from None


def _files_beside(path: Path) -> set[str]:
    """The suite files in the folder that a path is in, without their ending."""
    return {file.stem for file in path.parent.glob("*.toml")} if path.parent.is_dir() else set()
