"""What people and CI read of a stored run's verdict: JSON, Markdown, JUnit XML and workflow annotations."""

from collections.abc import Sequence

from bench.guard.annotation import Level, annotation
from bench.guard.stored.facts import facts_of
from bench.guard.stored.judge import Judged
from bench.guard.stored.judgement import Judgement, worst
from bench.guard.stored.verdict_table import change_words, verdict_finding, verdict_table
from bench.guard.verdict import Verdict
from bench.report.further import for_markdown
from bench.report.junit import Case, Outcome, as_junit_xml
from bench.report.text import markdown

_LEVELS: dict[Verdict, Level] = {
    "regressed": "error",
    "invalid": "error",
    "inconclusive": "warning",
    "not comparable": "warning",
}


def as_json(judgement: Judgement, exit_code: int) -> str:
    """Everything, for programs."""
    return facts_of(judgement, exit_code).model_dump_json(indent=1)


def as_markdown(judgement: Judgement, title: str) -> str:
    """What follows, what differs, and every figure; without a verdict why, and which runs there were."""
    parts = [f"# {markdown(title)}", f"**{markdown(finding_of(judgement))}.**"]
    if judgement.differ:
        parts.append("## What differs\n\n" + _listed(judgement.differ))
    if judgement.why_not is None:
        parts.append(for_markdown(verdict_table(judgement.judged, judgement.margins, judgement.told)))
    elif judgement.told:
        parts.append(_listed(judgement.told))
    return "\n\n".join(parts) + "\n"


def as_junit(judgement: Judgement) -> str:
    """A test case for each verdict: a regression is a failure, a run that broke is in error, the rest is skipped.

    Without a verdict there is one case, which is skipped and says why.
    """
    cases = [
        Case(
            classname=one.cell.label,
            name=one.figure.name,
            outcome=_OUTCOMES[one.verdict],
            message="" if _OUTCOMES[one.verdict] == "" else told_of(one),
        )
        for one in judgement.judged
    ]
    if judgement.why_not is not None:
        cases = [Case(classname=judgement.name, name="verdict", outcome="skipped", message=_why_none(judgement))]
    return as_junit_xml(f"bench verdict on {judgement.name}", cases)


def annotations(judgement: Judgement) -> list[str]:
    """A line for each cell that needs attention, with the worst of its figures."""
    if judgement.why_not is not None:
        return [annotation("warning", _why_none(judgement))]
    found = []
    for cell, judged in judgement.by_cell.items():
        word = worst(judged)
        told = ", ".join(f"{one.figure.name} {told_of(one)}" for one in judged if one.verdict == word)
        if level := _LEVELS.get(word):
            found.append(annotation(level, f"{cell.label}: {told}"))
    return found


def finding_of(judgement: Judgement) -> str:
    """All verdicts in one line, or why there are none."""
    if judgement.why_not is not None:
        return f"{judgement.name}: not comparable: {judgement.why_not}"
    return verdict_finding(judgement.name, judgement.judged)


def _why_none(judgement: Judgement) -> str:
    """Why there are no verdicts, and which runs were left out for what."""
    return "; ".join((finding_of(judgement), *judgement.told))


def told_of(one: Judged) -> str:
    """A verdict, and why or by how much."""
    return ": ".join(filter(None, (one.verdict, one.reason or change_words(one))))


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {markdown(line)}" for line in lines)


_OUTCOMES: dict[Verdict, Outcome] = {
    "unchanged": "",
    "improved": "",
    "regressed": "failure",
    "invalid": "error",
    "inconclusive": "skipped",
    "not comparable": "skipped",
}
