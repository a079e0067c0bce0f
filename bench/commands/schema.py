"""`bench schema` and `bench init`: what a file may hold, for editors and programs, and a suite file to start from."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bench.errors import UsageError, did_you_mean
from bench.plan.schema import suite_schema
from bench.plan.template import suite_template
from bench.store.baselines import RunFigures
from bench.store.pairs import AccuracyRecord, ComparisonRecord, PairRecord
from bench.store.record import RunRecord, TrialRecord
from bench.store.runs import write_atomically


def _verdict_schema() -> dict[str, Any]:
    from bench.guard.live.facts import GuardFacts  # noqa: PLC0415  # brings the arithmetic of all verdicts along
    from bench.guard.stored.facts import JudgementFacts  # noqa: PLC0415  # likewise

    either: TypeAdapter[GuardFacts | JudgementFacts] = TypeAdapter(GuardFacts | JudgementFacts)
    return {"description": "What `bench guard` found, live or by stored runs.", **either.json_schema()}


SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {
    "suite": suite_schema,
    "run": RunRecord.model_json_schema,
    "trial": TrialRecord.model_json_schema,
    "comparison": ComparisonRecord.model_json_schema,
    "pair": PairRecord.model_json_schema,
    "accuracy": AccuracyRecord.model_json_schema,
    "baseline": RunFigures.model_json_schema,
    "verdict": _verdict_schema,
}
"""A suite file; run.json and a line of trials.jsonl; ab.json, lines of pairs.jsonl and accuracies.jsonl; a file of the
baselines; guard.json."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def print_schema(what: str) -> int:
    """Print a JSON Schema. Raises UsageError for what has none."""
    if what not in SCHEMAS:
        near = did_you_mean(what, SCHEMAS) or f"; give one of {', '.join(SCHEMAS)}"
        raise UsageError(f"schema {what}: unknown{near}")
    print(json.dumps({"$schema": _DIALECT, **SCHEMAS[what]()}, indent=1))
    return 0


def init_suite(file: Path, *, force: bool) -> int:
    """Write a suite file to start from. Raises UsageError where it cannot, or would replace something."""
    if file.suffix != ".toml":
        raise UsageError(f"{file}: a suite file's name ends in .toml; try {file.with_name(file.name + '.toml')}")
    if file.exists() and not force:
        raise UsageError(f"{file}: is there already; name another file, or give --force to replace it")
    try:
        write_atomically(file, suite_template(file))
    except OSError as error:
        raise UsageError(f"{file}: cannot be written ({error.strerror}); name a file that can") from None
    print(f"Suite: {file}; see its plan with: bench run {file} --dry-run")
    return 0
