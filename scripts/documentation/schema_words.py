"""A piece of JSON Schema, as pydantic makes it, in words for the cell of a table."""

import html
from typing import Any

_GUARD = 2**31
"""An upper bound from here on guards against nonsense and tells a reader nothing."""


def words(schema: dict[str, Any], *, nullable: bool = True) -> str:
    """What values a schema allows; without `nullable` nothing is said of null."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        inner = [words(one) for one in schema["anyOf"] if nullable or one.get("type") != "null"]
        return " or ".join(inner)
    return _plain(schema)


def _plain(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array":
        return f"list of {words(schema.get('items', {}))}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"object of {words(inner)}" if isinstance(inner, dict) and inner else "object"
    if kind in {"integer", "number"}:
        return f"{'whole number' if kind == 'integer' else 'number'}{_bounds(schema)}"
    return {"string": "text", "boolean": "`true`, `false`", "null": "null"}.get(str(kind), "anything")


def _bounds(schema: dict[str, Any]) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None and high < _GUARD:
        return f" from {low:,} to {high:,}"
    said = [f"at least {low:,}" if low is not None else "", f"above {above:,}" if above is not None else ""]
    said += [f"at most {high:,}" if high is not None and high < _GUARD else ""]
    said += [f"below {below:,}" if below is not None and below < _GUARD else ""]
    told = ", ".join(filter(None, said))
    return f", {told}" if told else ""


def cell_of_table(text: str) -> str:
    """A docstring or description of ours as one line that ends no cell and is no HTML; its own Markdown stays."""
    pieces = " ".join(text.split()).replace("|", "\\|").split("`")
    return "`".join(piece if place % 2 else html.escape(piece, quote=False) for place, piece in enumerate(pieces))
