"""JUnit's XML as CI servers read it (as Ant writes it): test cases that pass, fail, are in error, or are skipped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree as Xml

from bench.report.text import printable

Outcome = Literal["", "failure", "error", "skipped"]
_COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test case: what became of it (empty: it passed) and why, its seconds, and what else is known of it."""

    classname: str
    name: str
    outcome: Outcome = ""
    kind: str = ""
    message: str = ""
    time_s: float | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


def as_junit_xml(suite: str, cases: Sequence[Case], attributes: Mapping[str, str] | None = None) -> str:
    """A file of one suite. Text of any origin is words in it: no control character, which XML cannot hold."""
    counts = {"tests": len(cases)} | {
        counted: sum(case.outcome == outcome for case in cases) for outcome, counted in _COUNTED.items()
    }
    root = Xml.Element("testsuites")
    told = {name: printable(value) for name, value in (attributes or {}).items()}
    element = Xml.SubElement(root, "testsuite", name=printable(suite))
    element.attrib |= told | {name: str(count) for name, count in counts.items()}
    for case in cases:
        _add(element, case)
    text: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return text.decode()


def _add(suite: Xml.Element, case: Case) -> None:
    element = Xml.SubElement(suite, "testcase", classname=printable(case.classname), name=printable(case.name))
    if case.time_s is not None:
        element.set("time", f"{case.time_s:.3f}")
    if case.properties:
        properties = Xml.SubElement(element, "properties")
        for name, value in case.properties.items():
            Xml.SubElement(properties, "property", name=name, value=printable(value))
    if case.outcome:
        told = Xml.SubElement(element, case.outcome, message=printable(case.message))
        told.attrib |= {"type": case.kind} if case.kind else {}
