"""`bench run` from request to report: plan, execute, store, report."""

import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from rich.console import Console

from bench.display import observer_for, result_console, say
from bench.errors import UsageError
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.sampling import Sampling
from bench.execute.scheduler import Interrupted, execute, exit_code
from bench.host import hosts_in
from bench.measure.conditions import read_conditions
from bench.plan.data import checked_data
from bench.plan.planning import most_workers, plan_trials
from bench.plan.search import trial_budget_s
from bench.plan.suite import load_suite, parse_overrides
from bench.plan.support import machine_of, own_gpus, require_tensorflow
from bench.request import Request, check_numbers, launcher_of
from bench.resumption import continued, refuse_another_launcher, refuse_new_settings
from bench.store.ceilings import read_ceilings
from bench.store.record import RunRecord
from bench.store.runs import RunWriter, StoredRun, create_run, read_run
from bench.where import environment_of, first_lines, refuse_busy_gpus

DEFAULT_SUITE = "quick"
DIAGNOSIS_S = 90.0


def run_suite(request: Request) -> int:
    """Execute a suite, or finish one, and report; returns the exit code. Raises UsageError for bad input."""
    launcher = launcher_of(request)
    finished: set[str] = set()
    if request.resume is not None:
        refuse_new_settings(request)
        stored = read_run(request.resume)
        refuse_another_launcher(stored, request)
        launcher.check(stored.run.trials)
        environment = environment_of(launcher, _asked_ranks(stored.run))
        _refuse_busy(stored.run, environment, request)
        print(*stored.damage, sep="\n", end="\n" if stored.damage else "", file=sys.stderr)
        run, finished, writer = continued(stored, environment), stored.finished, RunWriter(request.resume)
        _require_tensorflow(launcher)
        writer.write_run(run)  # what is appended is of this schema, whatever happens next
    else:
        run = _planned(request, launcher)
        environment = run.environment
        launcher.check(run.trials)
        if request.dry_run:
            print(next(first_lines(run, environment)), file=sys.stderr)
            _print_plan(run)
            return 0
        _refuse_what_cannot_run(run)
        _refuse_busy(run, environment, request)
        writer = create_run(request.out, run)
    console = result_console(quiet=request.quiet or request.json)
    for line in first_lines(run, environment):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    code = 0
    if all(trial.trial_id in finished for trial in run.trials):
        console.print("Nothing is left to run.")
    else:
        code = _execute(run, finished, writer, request, environment, launcher, console)
        if launcher.here or code == 0:  # who interrupts, or ends a job, does not wait until hosts have answered
            after = _environment_after(launcher, run)
            writer.write_run(run.model_copy(update={"environment_after": after}))
    stored = read_run(writer.folder)
    _report(console, stored)
    return code or exit_code(stored.records, max_batch=run.max_batch)


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


def _execute(
    run: RunRecord,
    finished: set[str],
    writer: RunWriter,
    request: Request,
    environment: Mapping[str, Any],
    launcher: Launcher,
    console: Console,
) -> int:
    """Execute what is not finished; 130 when the user interrupts."""
    machine = machine_of(environment)
    with observer_for(console, run.trial_budget_s, writer.folder, json=request.json, quiet=request.quiet) as observer:
        try:
            execute(
                run,
                finished,
                writer,
                launch=launcher,
                sample=Sampling(launcher, machine),
                gpus=partial(own_gpus, machine=machine),
                conditions=read_conditions if launcher.here else None,
                stored=read_run(writer.folder).records,
                limits=Limits(
                    budget_s=run.trial_budget_s,
                    diagnosis_s=DIAGNOSIS_S if run.diagnose else None,
                    communication=not run.max_batch,  # a search asks only what trains
                ),
                observer=observer,
            )
        except (Interrupted, KeyboardInterrupt):
            options = "".join(f" {name} {shlex.quote(value)}" for name, value in request.launched.items())
            print(f"Interrupted; finish it with: bench run --resume {writer.folder}{options}", file=sys.stderr)
            return 130
    return 0


def _planned(request: Request, launcher: Launcher) -> RunRecord:
    """Plan a new run; everything that can be wrong with the input is found here, before anything is written."""
    check_numbers(request)
    name, overrides = request.suite or DEFAULT_SUITE, parse_overrides(request.overrides)
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
    print(*damage, sep="\n", end="\n" if damage else "", file=sys.stderr)
    return RunRecord(
        suite=suite.name,
        description=suite.description,
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


def _print_plan(run: RunRecord) -> None:
    for number, trial in enumerate(run.trials, 1):
        verdict = f"unsupported: {trial.unsupported}" if trial.unsupported else "to run"
        print(f"{number:3d}  {trial.trial_id:16}  {trial.cell.label}  seed {trial.seed}  {verdict}")


def _report(console: Console, stored: StoredRun) -> None:
    """Print the tables and write the report."""
    from bench.report_command import report_run  # noqa: PLC0415  # what draws is not needed while trials run

    report_run(console, stored)
    say(console, f"Run: {stored.folder}")
