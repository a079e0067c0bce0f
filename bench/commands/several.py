"""`bench report`: of one run, over several, or through time, as asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError

_RESULTS = Path("results")


@dataclass(frozen=True)
class Request:
    """What was asked on the command line."""

    runs: Sequence[Path]
    history: bool
    machine: str | None
    relative_to: str | None
    out: Path | None


def report_asked(request: Request) -> int:
    """Report as asked; returns the exit code. Raises UsageError for options that do not go together."""
    if request.history:
        from bench.commands.history import report_history  # noqa: PLC0415  # the other reports do without it

        if request.relative_to:
            raise UsageError("--relative-to is of several runs side by side; leave it out with --history")
        return report_history(request.runs or [_RESULTS], request.machine, request.out)
    if not request.runs:
        raise UsageError("Missing argument 'RUN...'; give run folders, or --history; see --help")
    if request.machine:
        raise UsageError("--machine chooses what --history follows; give it with --history")
    if len(request.runs) == 1:
        if request.relative_to or request.out:
            raise UsageError("--relative-to and --out are of a page over several runs; give two or more")
        from bench.commands.report import report_runs  # noqa: PLC0415  # wrong usage is told at once

        return report_runs(request.runs)
    from bench.commands.machines import report_side_by_side  # noqa: PLC0415  # likewise

    return report_side_by_side(request.runs, request.relative_to, request.out)
