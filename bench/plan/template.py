"""A suite file to start from: it runs as it is, and every setting that there is stands in it as a comment."""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from bench.errors import one_line
from bench.plan.axes import AXES, Axis
from bench.plan.suite import Suite

_WIDTH = 118
_HEAD = """\
A suite of trials. `bench run {file} --dry-run` prints the plan, `bench run {file}` executes it. A line that begins \
with # and no space is a setting that is not made: take the # away, and put your own values.

An editor that knows schemas of TOML (taplo, Even Better TOML) completes and checks this file: `bench schema suite > \
suite.schema.json`, and here, above all settings, the line  #:schema ./suite.schema.json"""
_DEFAULTS = "Settings of every cell: any of the axes below, with one value."
_AXES = "Axes: each with a list of values. All are crossed, so that every combination is a cell."
_MADE = {"engine": ["step", "fused"]}
"""What the suite does as it is, in seconds rather than minutes."""
_FIELDS = {
    "repeats": "3",
    "target_accuracy": "0.985",
    "diagnose": "true",
    "max_batch": "true",
    "cells": "[{global_batch = 64}, {global_batch = 64, xla = true}]",
    "exclude": '[{engine = "fused", xla = true}]',
    "budget": "{trial_s = 60, run_s = 3600}",
}
"""An example of each field of a suite that is no table of axes, as TOML."""


def suite_template(file: Path) -> str:
    """The text of a suite that is named after the file it is for."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", file.stem).strip("-")[:40] or "suite"
    lines = [
        *_prose(_HEAD.format(file=one_line(file.name))),
        "",
        f'name = "{name}"',
        'description = "One epoch of two engines."',
    ]
    for field, example in _FIELDS.items():
        lines += ["", *_prose(Suite.model_fields[field].description or ""), f"#{field} = {example}"]
    lines += ["", *_prose(_DEFAULTS), "[defaults]", "epochs = 1", "", *_prose(_AXES), "[axes]"]
    for axis in AXES.values():
        lines += ["", *_axis(axis)]
    return "\n".join(lines) + "\n"


def _axis(axis: Axis) -> Iterator[str]:
    default = "" if axis.default is None else f" Default: {json.dumps(axis.default)}."
    yield from _prose(f"{axis.description}{default}")
    made = _MADE.get(axis.name)
    yield f"{'' if made else '#'}{axis.name} = {json.dumps(made or list(axis.examples))}"


def _prose(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield from (f"# {line}" for line in textwrap.wrap(paragraph, _WIDTH, break_on_hyphens=False))
