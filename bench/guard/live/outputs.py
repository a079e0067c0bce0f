"""What CI reads of a gate: JSON, Markdown, JUnit XML and workflow annotations."""

from collections.abc import Iterator, Sequence

from bench.guard.annotation import Level, annotation
from bench.guard.live.facts import facts_of
from bench.guard.live.gate import Checked
from bench.guard.live.metrics import MEAN, THROUGHPUT
from bench.guard.live.result import outcome_of, result_table
from bench.guard.verdict import OUTCOMES, Verdict
from bench.report.further import for_markdown
from bench.report.junit import Case, Outcome, as_junit_xml
from bench.report.text import markdown

NOT_MEASURED = "interrupted before it was measured"
_LEVELS: dict[Verdict, Level] = {
    "regressed": "error",
    "inconclusive": "warning",
    "invalid": "warning",
    "not comparable": "warning",
}


def as_json(checked: Sequence[Checked], exit_code: int, left: Sequence[str] = ()) -> str:
    """Everything, for programs; `left` are the cells that an interrupt kept from being measured."""
    return facts_of(checked, exit_code, left).model_dump_json(indent=1)


def as_markdown(checked: Sequence[Checked], exit_code: int, left: Sequence[str] = ()) -> str:
    """A summary for people: one line for each cell, then the tables; cells that were not tested are counted on top.

    `left` are the cells that an interrupt kept from being measured.
    """
    told = [*map(told_of, checked), *(f"{cell}: {NOT_MEASURED}" for cell in left)]
    untested = len(left) + sum(_is_untested(one) for one in checked)
    counted = f"; {untested} of {len(told)} cells NOT TESTED" if untested else ""
    lines = [f"- {markdown(line)}" for line in told]
    tables = [f"# Cell {markdown(one.cell)}\n\n{for_markdown(result_table(one.last))}" for one in checked]
    return "\n\n".join([f"# Guard: {OUTCOMES[exit_code]}{counted}", "\n".join(lines), *tables]) + "\n"


def as_junit(checked: Sequence[Checked], left: Sequence[str] = ()) -> str:
    """A test case for each metric of each cell.

    A regression is a failure, a side that did not run is an error, and what is not clear counts as skipped, as do the
    cells `left`, which an interrupt kept from being measured.
    """
    cases = [
        Case(classname=one.cell, name=name, outcome=outcome, message=message)
        for one in checked
        for name, outcome, message in _cases(one)
    ]
    cases += [Case(classname=cell, name="verdict", outcome="skipped", message=NOT_MEASURED) for cell in left]
    return as_junit_xml("bench guard", cases)


def annotations(checked: Sequence[Checked]) -> list[str]:
    """A line for each cell that needs attention."""
    found = [(_level(one), told_of(one)) for one in checked]
    return [annotation(level, text) for level, text in found if level]


def told_of(one: Checked) -> str:
    """One cell in one line."""
    unconfirmed = "; interrupted before it was measured again" if one.unconfirmed else ""
    return f"{one.cell}: {_told(one)}{unconfirmed}"


def _told(one: Checked) -> str:
    """What came of a cell, with the figures that it comes from."""
    if one.failure:
        return f"the head (B) does not run: {one.failure}"
    if one.last.baseless:
        return f"NOT TESTED: the base (A) does not run, so nothing is known of the head: {one.last.baseless}"
    words = [
        "{} × {:.3f} ({:.3f} to {:.3f})".format(judged.name, *judged.estimate.ratio)
        for judged in one.last.judged
        if judged.estimate and judged.verdict != "invalid" and (judged.is_open or judged.name in _named(one))
    ]
    if one.last.accuracy:
        words.append(f"test accuracy {100 * one.last.accuracy.difference:+.2f} points")
    if one.last.mostly_disturbed:
        disturbed = len(one.last.disturbed)
        amount = f"{disturbed} of {disturbed + one.last.pairs} pairs were disturbed from outside"
        words.append(f"nothing {'else ' * bool(words)}was judged, {amount}")
    twice = one.again and one.verdict != "regressed"
    once = f"; first time {outcome_of(one.first)}, second time {outcome_of(one.last)}" if twice else ""
    return f"{one.verdict}: {', '.join(words) or 'no figures'}{once}"


def _named(one: Checked) -> set[str]:
    """The metrics whose figures are told whatever they are; those of a slow-down once, not by both its names."""
    return {THROUGHPUT, *one.regressed} - ({MEAN} if THROUGHPUT in one.regressed else set())


def _is_untested(one: Checked) -> bool:
    """Whether its base does not run, so that nothing can be said of the head."""
    return one.failure is None and one.verdict == "not comparable"


def _level(one: Checked) -> Level | None:
    if one.unconfirmed:
        return "warning"
    return "error" if one.failure else _LEVELS.get(one.verdict)


def _cases(one: Checked) -> Iterator[tuple[str, Outcome, str]]:
    """Name, outcome and message of each test case."""
    if one.unconfirmed:
        yield "verdict", "skipped", told_of(one)
        return
    if one.failure:
        yield "runs", "error", one.failure
        return
    if not one.last.verdicts or one.verdict in {"invalid", "not comparable"}:
        yield "verdict", "skipped", told_of(one)
        return
    passing = {judged.name for judged in one.last.judged if judged.verdict == "inconclusive" and not judged.is_open}
    for name, verdict in one.last.verdicts.items():
        failed = name in one.regressed
        unclear = verdict in {"inconclusive", "regressed", "invalid"} and name not in passing
        yield name, "failure" if failed else "skipped" if unclear else "", told_of(one)
