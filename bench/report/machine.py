"""The facts of the machine that a run trained on, whatever a file holds, as names and short texts."""

from collections.abc import Mapping
from typing import Any

from bench.report.further import Further
from bench.report.text import shorten
from bench.store.record import RunRecord

MOST_FACTS = 60
_DEEPEST = 3
_TITLE = "Where it ran"


def machine_table(run: RunRecord) -> Further:
    """The facts as they were, and beside them those that changed during the run."""
    before, after = _facts(_apart_from_hosts(run.environment)), _facts(_apart_from_hosts(run.environment_after or {}))
    if not before:
        return Further(_TITLE, [], [], ("Nothing is known of the machine.",))
    changed = {name for name in after if after[name] != before.get(name)}
    facts = [*before, *sorted(changed - set(before))]
    headers = ["fact", "value", *(["after the run, where it changed"] * bool(changed))]
    lines = [
        [name, before.get(name, ""), *([after[name] if name in changed else ""] if changed else [])]
        for name in facts[:MOST_FACTS]
    ]
    return Further(_TITLE, headers, [[shorten(word) for word in line] for line in lines], (more_in_run(len(facts)),))


def more_in_run(count: int) -> str:
    """What to say of so many facts, of which a report has the first; empty where it has all."""
    return f"… and {count - MOST_FACTS:,} more in run.json" if count > MOST_FACTS else ""


def _apart_from_hosts(environment: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in environment.items() if name != "hosts"}


def _facts(environment: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Nested facts as dotted names and short texts; what is empty is left out."""
    facts: dict[str, str] = {}
    for name, value in environment.items():
        inner = _inner(value) if depth < _DEEPEST else {}
        if inner:
            facts |= _facts(inner, f"{prefix}{name}.", depth + 1)
        elif value not in (None, "", [], {}):
            facts[f"{prefix}{name}"] = _fact(value)
    return facts


def _inner(value: object) -> Mapping[str, Any]:
    """The facts inside a fact: of a mapping, or of a list of mappings under their numbers."""
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return {str(number): item for number, item in enumerate(value)}
    return value if isinstance(value, Mapping) else {}


def _fact(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
