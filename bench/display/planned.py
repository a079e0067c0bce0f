"""`bench run --dry-run`: the trials in order, how long each will take, and which will not run."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.display.console import print_unbroken, say
from bench.display.events import event
from bench.display.time_left import UNKNOWN, estimate_words, total_words
from bench.plan.estimates import Estimate, Estimates
from bench.report.names import short_names
from bench.store.record import RunRecord
from bench.trial import Trial


@dataclass(frozen=True)
class Planned:
    """A trial of the plan with its estimate; `why_not` says why it will not run, or may not."""

    number: int
    trial: Trial
    why_not: str | None
    estimate: Estimate | None


def planned(run: RunRecord, estimates: Estimates) -> Iterator[Planned]:
    """The trials in order; those that the run's budget will have no room for are told, if the estimates hold."""
    elapsed_s = 0.0
    for number, trial in enumerate(run.trials, 1):
        if trial.unsupported is not None:
            yield Planned(number, trial, f"unsupported: {trial.unsupported}", None)
        elif run.run_budget_s is not None and elapsed_s >= run.run_budget_s:
            why_not = f"skipped if estimates hold: the run's budget of {run.run_budget_s:g} s is used up by then"
            yield Planned(number, trial, why_not, None)
        else:
            estimate = estimates.of(trial.cell)
            elapsed_s += estimate.seconds if estimate else 0.0
            yield Planned(number, trial, None, estimate)


def show_plan(console: Console, run: RunRecord, estimates: Estimates, *, json: bool) -> None:
    """Print the plan: a table and its total, or a `planned` event for each trial."""
    trials = list(planned(run, estimates))
    if json:
        for one in trials:
            _planned_event(one)
        return
    names, shared = short_names([one.trial.cell for one in trials])
    if shared:
        say(console, f"All cells: {shared}")
    table = _table(trials, names)
    if console.is_terminal:
        console.print(table)
    else:
        print_unbroken(table)
    say(console, *_totals(trials))
    if run.max_batch:
        say(console, "Batches behind the first of a cell that does not train are skipped.")


def _table(trials: list[Planned], names: list[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    for header in ("#", "cell", "seed", "repeat", "plan"):
        table.add_column(header, justify="right" if header in {"#", "seed", "repeat"} else "left")
    for one, name in zip(trials, names, strict=True):
        plan = one.why_not or f"to run: {estimate_words(one.estimate)}"
        words = (str(one.number), name, str(one.trial.seed), str(one.trial.repeat), plan)
        table.add_row(*map(Text, words), style="dim" if one.why_not else "")
    return table


def _totals(trials: list[Planned]) -> Iterator[str]:
    run = [one.estimate for one in trials if one.why_not is None]
    total, basis = total_words(run)
    total = "time unknown" if total == UNKNOWN else total
    yield f"To run: {len(run)} of {len(trials)} trials, {total}" + (f" ({basis})" if basis else "")


def _planned_event(one: Planned) -> None:
    estimate = one.estimate
    event(
        "planned",
        number=one.number,
        trial=one.trial.model_dump(),
        trial_id=one.trial.trial_id,
        why_not=one.why_not,
        estimate_s=estimate and estimate.seconds,
        basis=estimate and estimate.basis,
        earlier_trials=estimate and estimate.trials,
    )
