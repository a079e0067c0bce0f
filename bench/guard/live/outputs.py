"""What CI reads of a gate: JSON, Markdown, JUnit XML and workflow annotations."""

from collections.abc import Iterator, Sequence

from bench.guard.live.facts import facts_of
from bench.guard.live.gate import Checked
from bench.guard.live.metrics import NOT_WAITED_FOR, Judged
from bench.guard.live.result import outcome_of, result_table
from bench.report.further import for_markdown
from bench.report.junit import Case, Outcome, as_junit_xml
from bench.report.text import markdown, printable

_GITHUB_ESCAPES = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_LEVELS = {"regressed": "error", "inconclusive": "warning", "invalid": "warning", "not comparable": "warning"}


def as_json(checked: Sequence[Checked], exit_code: int) -> str:
    """Everything, for programs."""
    return facts_of(checked, exit_code).model_dump_json(indent=1)


def as_markdown(checked: Sequence[Checked], exit_code: int) -> str:
    """A summary for people: one line for each cell, then the tables."""
    lines = [f"- {markdown(told_of(one))}" for one in checked]
    tables = [f"# Cell {markdown(one.cell)}\n\n{for_markdown(result_table(one.last))}" for one in checked]
    return "\n\n".join([f"# Guard: {_OUTCOMES[exit_code]}", "\n".join(lines), *tables]) + "\n"


def as_junit(checked: Sequence[Checked]) -> str:
    """A test case for each metric of each cell.

    A regression is a failure, a side that did not run is an error, and what is not clear counts as skipped.
    """
    cases = [
        Case(classname=one.cell, name=name, outcome=outcome, message=message)
        for one in checked
        for name, outcome, message in _cases(one)
    ]
    return as_junit_xml("bench guard", cases)


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
    if one.verdict == "invalid":
        disturbed, valid = len(one.last.disturbed), one.last.pairs
        amount = f"{disturbed} of {disturbed + valid} pairs were disturbed from outside"
        return f"{one.cell}: invalid: nothing was judged, {amount}"
    words = [
        "{} × {:.3f} ({:.3f} to {:.3f})".format(judged.name, *judged.estimate.ratio)
        for judged in one.last.judged
        if judged.estimate
        and judged.verdict != "invalid"
        and (judged.name in {"throughput", *one.regressed} or _keeps_unclear(judged))
    ]
    if one.last.accuracy:
        words.append(f"test accuracy {100 * one.last.accuracy.difference:+.2f} points")
    if one.last.mostly_disturbed:
        words.append("nothing else was judged, as most pairs were disturbed from outside")
    if one.last.baseless:
        return f"{one.cell}: {outcome_of(one.last)}"
    once = "; flagged once and not again" if one.again and one.verdict != "regressed" else ""
    return f"{one.cell}: {one.verdict}: {', '.join(words) or 'no figures'}{once}"


def _keeps_unclear(judged: Judged) -> bool:
    return judged.verdict == "inconclusive" and judged.name not in NOT_WAITED_FOR


def _cases(one: Checked) -> Iterator[tuple[str, Outcome, str]]:
    """Name, outcome and message of each test case."""
    if one.failure:
        yield "runs", "error", one.failure
        return
    if not one.last.verdicts or one.verdict in {"invalid", "not comparable"}:
        yield "verdict", "skipped", told_of(one)
        return
    for name, verdict in one.last.verdicts.items():
        failed = name in one.regressed
        unclear = verdict in {"inconclusive", "regressed", "invalid"}
        yield name, "failure" if failed else "skipped" if unclear else "", told_of(one)


_OUTCOMES = {0: "passed", 1: "failed", 3: "not clear", 4: "nothing comparable"}
