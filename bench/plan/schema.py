"""The JSON Schema of suite files, with every axis and what it accepts."""

from typing import Any

from bench.plan.axes import AXES
from bench.plan.suite import Suite


def suite_schema() -> dict[str, Any]:
    """The schema of a suite's fields, in which a table of settings knows its axes."""
    schema = Suite.model_json_schema()
    one = {name: axis.json_schema for name, axis in AXES.items()}
    several = {name: {"type": "array", "minItems": 1, "items": value} for name, value in one.items()}
    schema["$defs"] |= {"Settings": _table(one), "Axes": _table(several)}
    settings, axes = {"$ref": "#/$defs/Settings"}, {"$ref": "#/$defs/Axes"}
    tables: dict[str, dict[str, Any]] = {
        "defaults": settings,
        "axes": axes,
        "cells": {"type": "array", "items": settings},
        "exclude": {"type": "array", "items": {**settings, "minProperties": 1}},
    }
    for field, said in tables.items():
        schema["properties"][field] = {"description": schema["properties"][field]["description"], **said}
    return schema


def _table(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}
