"""Reference pages of what is written in files: suites with their axes, and the stored schema, from pydantic's own."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from schema_words import cell_of_table, words

from bench.guard.live.facts import GuardFacts
from bench.guard.stored.facts import JudgementFacts
from bench.plan.axes import AXES
from bench.plan.suite import Suite, load_suite, suite_names
from bench.store.baselines import RunFigures
from bench.store.pairs import AccuracyRecord, ComparisonRecord, PairRecord
from bench.store.record import RunRecord, TrialRecord

FILES: dict[str, type[BaseModel]] = {
    "run.json": RunRecord,
    "trials.jsonl, a line for each trial": TrialRecord,
    "ab.json of a comparison": ComparisonRecord,
    "pairs.jsonl of a comparison, a line for each pair": PairRecord,
    "accuracies.jsonl of a comparison, a line for each seed": AccuracyRecord,
    "guard.json": GuardFacts,
    "guard.json of stored runs": JudgementFacts,
    "baselines/<exact unit>/<run>.json": RunFigures,
}
"""Each file that a run, a comparison or the store of baselines consists of, and the model of what is in it."""


def suites_page() -> str:
    """The parts of a suite file, every axis with its values, default and meaning, and the suites that are shipped."""
    lines = ["# Suites and axes", "", "A suite is a TOML file. `scripts/bench run FILE.toml` runs it.", ""]
    schema = Suite.model_json_schema()
    lines += _described(schema, "Suite")
    for name, inner in schema["$defs"].items():
        lines += ["", f"### {name}", "", *_described(inner, name)]
    lines += ["", "## Axes", "", "| axis | values | default | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| `{axis}` | {_values(axis)} | {_default(axis)} | {_meaning(axis)} |" for axis in AXES]
    lines += ["", "## Suites that come with bench", "", "| suite | on a CPU | on GPUs |", "| --- | --- | --- |"]
    for name in sorted(suite_names()):
        cpu, gpu = (cell_of_table(load_suite(name, device).description) for device in ("cpu", "gpu"))
        lines.append(f"| `{name}` | {cpu} | {'the same' if gpu == cpu else gpu} |")
    return "\n".join(lines) + "\n"


_ONLY_IN_SUITES = {"device": "`cpu`, `gpu`, `gpu:N`", "replicas": "or `all`, `doubling`"}
"""Values that a schema does not show: a pattern, and words that stand for numbers."""


def _values(axis: str) -> str:
    schema = AXES[axis].json_schema
    told = "" if schema.get("type") == "string" and "enum" not in schema else words(schema, nullable=False)
    return " ".join(filter(None, [told, _ONLY_IN_SUITES.get(axis)]))


def _default(axis: str) -> str:
    default = AXES[axis].default
    return "" if default is None else f"`{str(default).lower()}`"


def _meaning(axis: str) -> str:
    return cell_of_table(AXES[axis].description)


def stored_page() -> str:
    """The schema of every stored file, model by model."""
    _, schema = models_json_schema([(model, "validation") for model in FILES.values()])
    found: dict[str, Any] = schema["$defs"]
    lines = ["# Stored files", "", "Made from the models that read and write them. Times are seconds, sizes bytes;", ""]
    lines[2] += " `null` is not measured."
    lines += ["| file | holds |", "| --- | --- |"]
    lines += [f"| `{file}` | [{model.__name__}](#{model.__name__.lower()}) |" for file, model in FILES.items()]
    first = [model.__name__ for model in FILES.values()]
    for name in [*first, *sorted(found.keys() - set(first))]:
        if "properties" in found[name]:
            lines += ["", f"## {name}", "", *_described(found[name], name)]
    return "\n".join(lines) + "\n"


def _described(schema: dict[str, Any], name: str) -> list[str]:
    """A model's docstring and a line for each field."""
    required = set(schema.get("required", []))
    described = any("description" in field for field in schema["properties"].values())
    headers = ["field", "type", "default", *(["meaning"] if described else [])]
    lines = [schema.get("description", f"A {name}."), "", f"| {' | '.join(headers)} |", "| --- " * len(headers) + "|"]
    for field, inner in schema["properties"].items():
        default = "required" if field in required else _literal(inner.get("default"))
        told = [
            f"`{field}`",
            words(inner),
            default,
            *([cell_of_table(inner.get("description", ""))] if described else []),
        ]
        lines.append(f"| {' | '.join(told)} |")
    return lines


def _literal(default: object) -> str:
    """A short default as it stands in the file; of a long one nothing but that there is one."""
    if default is None or default == "":
        return "empty" if default == "" else "`null`"
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{text}`" if len(text) <= 20 else "has one"
