"""What CI reads of a gate: JSON, Markdown, JUnit XML and workflow annotations."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree as Xml

from bench.guard.live.gate import Checked
from bench.guard.live.result import Result, outcome_of, result_table
from bench.report.further import for_markdown
from bench.report.text import markdown, printable

_GITHUB_ESCAPES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_LEVELS = {"regressed": "error", "inconclusive": "warning", "invalid": "warning", "not comparable": "warning"}


def as_json(checked: Sequence[Checked], exit_code: int) -> str:
    """Everything, for programs: every metric of every cell, the first and the second time."""
    cells = [
        {
            "cell": one.cell,
            "verdict": one.verdict,
            "failure": one.failure,
            "first": _facts(one.first),
            "again": _facts(one.again) if one.again else None,
        }
        for one in checked
    ]
    return json.dumps({"exit_code": exit_code, "cells": cells}, indent=1)


def as_markdown(checked: Sequence[Checked], exit_code: int) -> str:
    """A summary for people: one line for each cell, then the tables."""
    lines = [f"- {markdown(told_of(one))}" for one in checked]
    tables = [f"# Cell {markdown(one.cell)}\n\n{for_markdown(result_table(one.last))}" for one in checked]
    return "\n\n".join([f"# Guard: {_OUTCOMES[exit_code]}", "\n".join(lines), *tables]) + "\n"


def as_junit(checked: Sequence[Checked]) -> bytes:
    """A test case for each metric of each cell, in the form that CI servers read (JUnit's XML, as Ant writes it).

    A regression is a failure, a side that did not run is an error, and what is not clear counts as skipped.
    """
    suite = Xml.Element("testsuite", name="bench guard")
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for one in checked:
        for name, child, message in _cases(one):
            case = Xml.SubElement(suite, "testcase", classname=printable(one.cell), name=name)
            counts["tests"] += 1
            if child:
                Xml.SubElement(case, child, message=printable(message))
                counts[_COUNTED[child]] += 1
    suite.attrib |= {name: str(count) for name, count in counts.items()}
    root = Xml.Element("testsuites")
    root.append(suite)
    text: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def annotations(checked: Sequence[Checked]) -> list[str]:
    """GitHub's workflow commands for what needs attention (its documentation, "Workflow commands")."""
    found = [("error" if one.failure else _LEVELS.get(one.verdict), told_of(one)) for one in checked]
    return [
        f"::{level} title=bench guard::{printable(text).translate(_GITHUB_ESCAPES)}" for level, text in found if level
    ]


def told_of(one: Checked) -> str:
    """One cell in one line."""
    if one.failure:
        return f"{one.cell}: {one.failure}"
    words = [
        "{} × {:.3f} ({:.3f} to {:.3f})".format(judged.name, *judged.estimate.ratio)
        for judged in one.last.judged
        if judged.estimate and (judged.name == "throughput" or judged.name in one.regressed)
    ]
    if one.last.accuracy:
        words.append(f"test accuracy {100 * one.last.accuracy.difference:+.2f} points")
    if one.last.baseless:
        return f"{one.cell}: {outcome_of(one.last)}"
    once = "; flagged once and not again" if one.again and one.verdict != "regressed" else ""
    return f"{one.cell}: {one.verdict}: {', '.join(words) or 'no figures'}{once}"


def _cases(one: Checked) -> Iterator[tuple[str, str, str]]:
    """Name, kind of child element (empty for a pass) and message of each test case."""
    if one.failure:
        yield "runs", "error", one.failure
        return
    if not one.last.verdicts or one.verdict in {"invalid", "not comparable"}:
        yield "verdict", "skipped", told_of(one)
        return
    for name, verdict in one.last.verdicts.items():
        failed = name in one.regressed
        unclear = verdict in {"inconclusive", "regressed"}
        yield name, "failure" if failed else "skipped" if unclear else "", told_of(one)


def _facts(result: Result) -> dict[str, Any]:
    metrics = [
        {
            "metric": one.name,
            "unit": one.unit,
            "a": one.a,
            "b": one.b,
            "ratio": one.estimate.ratio if one.estimate else None,
            "margin": one.margin,
            "verdict": one.verdict,
        }
        for one in result.judged
    ]
    sides = {"a": result.comparison.a, "b": result.comparison.b}
    named = {"words", "workload_origin", "workload_sha256"}
    return {
        **{name: side.model_dump(include=named) for name, side in sides.items()},
        "verdict": result.verdict,
        "failure": result.failure,
        "baseless": result.baseless,
        "pairs": result.pairs,
        "mode": result.mode,
        "disturbed": result.disturbed,
        "metrics": metrics,
        "accuracy": asdict(result.accuracy) if result.accuracy else None,
    }


_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
_OUTCOMES = {0: "passed", 1: "failed", 3: "not clear", 4: "nothing comparable"}
