"""`bench run` from request to report: plan, execute, store, report."""

import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.commands.request import Request, check_numbers, launcher_of
from bench.commands.resumption import continued, refuse_another_launcher, refuse_new_settings
from bench.commands.where import environment_of, first_lines, refuse_busy_gpus
from bench.display import result_console, say, warn
from bench.display.chosen import display_for
from bench.display.lines import Silent, outcome
from bench.display.planned import show_plan
from bench.errors import UsageError
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.sampling import Sampling
from bench.execute.scheduler import Interrupted, execute, exit_code, failures
from bench.host import hosts_in
from bench.measure.conditions import read_conditions
from bench.plan.data import checked_data
from bench.plan.estimates import Estimates
from bench.plan.planning import most_workers, plan_trials
from bench.plan.search import trial_budget_s
from bench.plan.suite import load_suite, parse_overrides
from bench.plan.support import machine_of, own_gpus, require_tensorflow
from bench.store.ceilings import read_ceilings
from bench.store.durations import earlier_durations
from bench.store.record import RunRecord
from bench.store.runs import RunWriter, StoredRun, create_run, read_run
from bench.trial import Trial

DEFAULT_SUITE, DEFAULT_CELL = "quick", "cell"
"""What runs where no suite is named: of axes that are given, no others are varied."""
DIAGNOSIS_S = 90.0


@dataclass(frozen=True)
class _Begun:
    """A run whose folder stands; `environment` is that of now, `finished` are the trials that need not be executed."""

    run: RunRecord
    environment: Mapping[str, Any]
    writer: RunWriter
    finished: set[str]

    @property
    def left(self) -> list[Trial]:
        """The trials to execute, in order."""
        return [trial for trial in self.run.trials if trial.trial_id not in self.finished]


def run_suite(request: Request) -> int:
    """Execute a suite, or finish one, and report; returns the exit code. Raises UsageError for bad input."""
    launcher = launcher_of(request)
    if request.resume is not None:
        return _carry_out(_resumed(request.resume, request, launcher), request, launcher)
    run = _planned(request, launcher)
    launcher.check(run.trials)
    if request.dry_run:
        print(next(first_lines(run, run.environment)), file=sys.stderr)
        show_plan(result_console(), run, _estimates(request.out, run), json=request.json)
    _refuse_what_cannot_run(run)
    if idle := launcher.idle(run.trials):
        warn([f"Caution: --hosts: no worker starts on {', '.join(idle)}; ask for more workers, or name fewer hosts"])
    if request.dry_run:
        return 0
    _refuse_busy(run, run.environment, request)
    return _carry_out(_Begun(run, run.environment, create_run(request.out, run), set()), request, launcher)


def _resumed(folder: Path, request: Request, launcher: Launcher) -> _Begun:
    """The run in a folder, once everything is found to be as it was."""
    refuse_new_settings(request)
    stored = read_run(folder)
    refuse_another_launcher(stored, request)
    launcher.check(stored.run.trials)
    environment = environment_of(launcher, _asked_ranks(stored.run))
    _refuse_busy(stored.run, environment, request)
    warn(stored.damage)
    run, writer = continued(stored, environment), RunWriter(folder)
    _require_tensorflow(launcher)
    writer.write_run(run)  # what is appended is of this schema, whatever happens next
    return _Begun(run, environment, writer, stored.finished)


def _carry_out(begun: _Begun, request: Request, launcher: Launcher) -> int:
    """Execute what is left, report, and return the exit code."""
    run, writer, left = begun.run, begun.writer, begun.left
    console = result_console(quiet=request.quiet or request.json)
    told = list(first_lines(run, begun.environment))
    say(console, *told)
    limits = _limits(run)
    display = display_for(
        console, told, writer.folder, left, partial(_estimates, writer.folder.parent, run),
        target=limits.target, json=request.json, quiet=request.quiet,
    )  # fmt: skip
    code = 0
    if not left:
        console.print("Nothing is left to run.")
    else:
        code = _execute(begun, request, launcher, limits, display)
        if launcher.here or code == 0:  # who interrupts, or ends a job, does not wait until hosts have answered
            after = _environment_after(launcher, run)
            writer.write_run(run.model_copy(update={"environment_after": after}))
    stored = read_run(writer.folder)
    _report(console, stored)
    code = code or exit_code(stored.records, max_batch=run.max_batch)
    if request.quiet and code:
        warn([*map(outcome, failures(stored.records, max_batch=run.max_batch)), f"Run: {stored.folder}"])
    display.run_finished(code)
    return code


def _asked_ranks(run: RunRecord) -> int:
    """How many ranks were looked for when the run was planned, which may be more than any trial left has."""
    return 1 + max((rank for ranks, _ in hosts_in(run.environment) for rank in ranks), default=0)


def _environment_after(launcher: Launcher, run: RunRecord) -> dict[str, Any] | None:
    """None where a host does not answer any more, which is no reason to lose the run."""
    with suppress(UsageError):
        return environment_of(launcher, _asked_ranks(run))
    return None


def _require_tensorflow(launcher: Launcher) -> None:
    """Of this machine only what trains here; hosts elsewhere were asked."""
    if launcher.here:
        require_tensorflow()


def _refuse_busy(run: RunRecord, environment: Mapping[str, Any], request: Request) -> None:
    """What shares a GPU with others measures them too."""
    if not request.allow_busy:
        refuse_busy_gpus(run.trials, environment)


def _execute(begun: _Begun, request: Request, launcher: Launcher, limits: Limits, display: Silent) -> int:
    """Execute what is not finished; 130 when the user interrupts."""
    machine, writer = machine_of(begun.environment), begun.writer
    try:
        with display:
            execute(
                begun.run,
                begun.finished,
                writer,
                launch=launcher,
                sample=Sampling(launcher, machine),
                gpus=partial(own_gpus, machine=machine),
                conditions=read_conditions if launcher.here else None,
                stored=read_run(writer.folder).records,
                limits=limits,
                observer=display,
            )
    except (Interrupted, KeyboardInterrupt) as stop:
        options = "".join(f" {name} {shlex.quote(value)}" for name, value in request.launched.items())
        command = f"bench run --resume {shlex.quote(str(writer.folder))}{options}"
        why = f": {stop}" if str(stop) else ""
        print(f"Interrupted{why}; finish it with: {command}", file=sys.stderr)
        display.interrupted(command)
        return 130
    return 0


def _limits(run: RunRecord) -> Limits:
    return Limits(
        budget_s=run.trial_budget_s,
        diagnosis_s=DIAGNOSIS_S if run.diagnose else None,
        communication=not run.max_batch,  # a search asks only what trains
    )


def _estimates(out: Path, run: RunRecord) -> Estimates:
    """How long its trials will take, from those of earlier runs below `out`."""
    limits = _limits(run)
    budget_s = None if limits.budget_s is None else limits.budget_s + (limits.diagnosis_s or 0.0)
    estimates = Estimates(budget_s)
    for cell, wall_s in earlier_durations(out, run):
        estimates.add(cell, wall_s)
    return estimates


def _planned(request: Request, launcher: Launcher) -> RunRecord:
    """Plan a new run; everything that can be wrong with the input is found here, before anything is written."""
    check_numbers(request)
    overrides = parse_overrides(request.overrides)
    name = request.suite or (DEFAULT_CELL if overrides else DEFAULT_SUITE)
    # a suite's variants for CPU and GPU do not differ in their workers, and whom to ask depends on those
    environment = environment_of(launcher, most_workers(load_suite(name, "cpu"), overrides))
    machine = machine_of(environment)
    suite = load_suite(name, "gpu" if machine.has_gpus else "cpu")
    max_batch = request.max_batch or suite.max_batch
    if request.epochs is not None and "epochs" in overrides:
        raise UsageError("give --epochs or --set epochs=, not both")
    if request.epochs is not None:
        overrides["epochs"] = [request.epochs]
    dataset = checked_data(request.data)
    train_images = len(dataset.train.labels)
    trials = plan_trials(
        suite,
        machine,
        overrides=overrides,
        repeats=request.repeats,
        max_batch=max_batch,
        train_images=train_images,
    )
    if request.target_accuracy is not None and not any(trial.cell.epochs for trial in trials):
        given = request.target_accuracy
        raise UsageError(f"--target-accuracy {given}: no accuracy can be reached in 0 epochs; give --epochs 1 or more")
    _require_tensorflow(launcher)
    ceilings, damage = read_ceilings(environment)
    warn(damage)
    return RunRecord(
        suite=suite.name,
        description=suite.description + f" With {', '.join(request.overrides)}." * bool(request.overrides),
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        trials=trials,
        trial_budget_s=request.time_limit_s or trial_budget_s(suite, max_batch=max_batch),
        run_budget_s=suite.budget.run_s,
        target_accuracy=request.target_accuracy or suite.target_accuracy,
        diagnose=(request.diagnose or suite.diagnose) and not max_batch,
        max_batch=max_batch,
        launched=request.launched,
        data=str(request.data.resolve()) if request.data else None,
        data_sha256=dataset.sha256,
        environment=environment,
        ceilings=ceilings,
    )


def _refuse_what_cannot_run(run: RunRecord) -> None:
    """A run of nothing but `unsupported` rows is not what was meant."""
    reasons = Counter(trial.unsupported for trial in run.trials)
    reason, count = reasons.most_common(1)[0]
    if None not in reasons:
        others = f" ({count} of {len(run.trials)} trials; see --dry-run for the others)" * (len(reasons) > 1)
        raise UsageError(f"nothing of suite {run.suite} can run here: {reason}{others}")


def _report(console: Console, stored: StoredRun) -> None:
    """Print the tables and write the report."""
    from bench.commands.report import report_run  # noqa: PLC0415  # what draws is not needed while trials run

    report_run(console, stored)
    say(console, f"Run: {stored.folder}")
