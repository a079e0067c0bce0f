"""`bench run` from request to report: plan, execute, store, report."""

import shlex
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.display import observer_for, result_console
from bench.errors import UsageError
from bench.execute.hosts import hosts_of
from bench.execute.launchers import Launcher
from bench.execute.limits import Limits
from bench.execute.sampling import sample_here
from bench.execute.scheduler import Interrupted, execute, exit_code
from bench.measure.environment import read_environment, spoilers
from bench.plan.data import checked_data
from bench.plan.planning import plan_trials
from bench.plan.search import trial_budget_s
from bench.plan.suite import load_suite, parse_overrides
from bench.plan.support import machine_of, require_tensorflow
from bench.report.cells import summarise
from bench.report.gpu import telemetry_below
from bench.report.largest import largest_batches
from bench.report.rows import rows_of
from bench.store.ceilings import read_ceilings
from bench.store.record import SCHEMA_VERSION, RunRecord
from bench.store.runs import RunWriter, StoredRun, create_run, read_run

DEFAULT_SUITE = "quick"
DIAGNOSIS_S = 90.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line asked for."""

    suite: str | None
    overrides: list[str]
    epochs: int | None
    repeats: int | None
    time_limit_s: float | None
    target_accuracy: float | None
    diagnose: bool
    max_batch: bool
    data: Path | None
    out: Path
    resume: Path | None
    dry_run: bool
    allow_busy: bool
    launcher: str
    hosts: str | None
    python: str | None
    network: str | None
    quiet: bool
    json: bool


def run_suite(request: Request) -> int:
    """Execute a suite, or finish one, and report; returns the exit code. Raises UsageError for bad input."""
    launcher = _launcher(request)
    environment = read_environment()
    finished: set[str] = set()
    if request.resume is not None:
        _refuse_new_settings(request)
        stored = read_run(request.resume)
        _refuse_another_launcher(stored, request)
        launcher.check(stored.run.trials)
        _refuse_busy_gpus(stored.run, environment, request)
        print(*stored.damage, sep="\n", end="\n" if stored.damage else "", file=sys.stderr)
        run, finished, writer = _continued(stored, environment), stored.finished, RunWriter(request.resume)
        writer.write_run(run)  # what is appended is of this schema, whatever happens next
    else:
        run = _planned(request, environment)
        launcher.check(run.trials)
        if request.dry_run:
            print(_where(run, environment), file=sys.stderr)
            _print_plan(run)
            return 0
        _refuse_what_cannot_run(run)
        _refuse_busy_gpus(run, environment, request)
        writer = create_run(request.out, run)
    console = result_console(quiet=request.quiet or request.json)
    _print_start(console, run, environment)
    code = 0
    if all(trial.trial_id in finished for trial in run.trials):
        console.print("Nothing is left to run.")
    else:
        code = _execute(run, finished, writer, request, environment, launcher, console)
        writer.write_run(run.model_copy(update={"environment_after": read_environment()}))
    after = read_run(writer.folder)
    _report(console, after)
    return code or exit_code(after.records, max_batch=run.max_batch)


def _launched(request: Request) -> dict[str, str]:
    """The options that say where workers run, as they were given."""
    launcher = request.launcher if request.launcher != "local" else None
    given = {"--launcher": launcher, "--hosts": request.hosts, "--python": request.python, "--network": request.network}
    return {name: value for name, value in given.items() if value is not None}


def _refuse_another_launcher(stored: StoredRun, request: Request) -> None:
    """Repeats of elsewhere would stand in one cell with these. A launcher is asked for, never executed from a file."""
    before = stored.run.launched
    if before != _launched(request):
        words = " ".join(f"{name} {shlex.quote(value)}" for name, value in before.items())
        where = f"with {words}; give the same" if words else "on this machine; leave out where workers run"
        raise UsageError(f"--resume {stored.folder}: it was started {where}")


def _launcher(request: Request) -> Launcher:
    """The launcher asked for; hosts are of no use to one that has no place for them."""
    launcher = Launcher(
        template=request.launcher,
        hosts=hosts_of(request.hosts),
        python=request.python or sys.executable,
        network=request.network,
    )
    if request.hosts and "{host}" not in launcher.words:
        raise UsageError(f"--hosts: --launcher {request.launcher} has no {{host}} to put them in; try --launcher ssh")
    return launcher


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
    with observer_for(console, run.trial_budget_s, writer.folder, json=request.json, quiet=request.quiet) as observer:
        try:
            execute(
                run,
                finished,
                writer,
                launch=launcher,
                sample=sample_here,
                gpus=_uuids(environment) if launcher.here else (),
                stored=read_run(writer.folder).records,
                limits=Limits(
                    budget_s=run.trial_budget_s,
                    diagnosis_s=DIAGNOSIS_S if run.diagnose else None,
                    communication=not run.max_batch,  # a search asks only what trains
                ),
                observer=observer,
            )
        except (Interrupted, KeyboardInterrupt):
            options = "".join(f" {name} {shlex.quote(value)}" for name, value in _launched(request).items())
            print(f"Interrupted; finish it with: bench run --resume {writer.folder}{options}", file=sys.stderr)
            return 130
    return 0


def _uuids(environment: Mapping[str, Any]) -> list[str]:
    """Of the visible GPUs, as CUDA numbers them; none where one of them is not told, or the file is damaged."""
    states = environment.get("gpu_states")
    told = [state.get("uuid") for state in states if isinstance(state, dict)] if isinstance(states, list) else []
    known = [uuid for uuid in told if isinstance(uuid, str) and uuid]
    return known if len(known) == len(told) else []


def _planned(request: Request, environment: dict[str, Any]) -> RunRecord:
    """Plan a new run; everything that can be wrong with the input is found here, before anything is written."""
    _check_numbers(request)
    machine = machine_of(environment)
    suite = load_suite(request.suite or DEFAULT_SUITE, "gpu" if machine.gpus else "cpu")
    max_batch = request.max_batch or suite.max_batch
    overrides = parse_overrides(request.overrides)
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
    require_tensorflow()
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
        launched=_launched(request),
        data=str(request.data.resolve()) if request.data else None,
        data_sha256=dataset.sha256,
        environment=environment,
        ceilings=ceilings,
    )


def _check_numbers(request: Request) -> None:
    if request.time_limit_s is not None and not isfinite(request.time_limit_s):
        raise UsageError(f"--time-limit {request.time_limit_s}: give a number of seconds, or leave it out")
    if request.target_accuracy is not None and not 0 < request.target_accuracy <= 1:
        given = request.target_accuracy
        raise UsageError(f"--target-accuracy {given}: give a share above 0 and at most 1, such as 0.99")
    if request.max_batch and request.diagnose:
        raise UsageError("--max-batch only finds out what trains; diagnose a batch that does: leave out --diagnose")


def _refuse_what_cannot_run(run: RunRecord) -> None:
    """A run of nothing but `unsupported` rows is not what was meant."""
    reasons = Counter(trial.unsupported for trial in run.trials)
    reason, count = reasons.most_common(1)[0]
    if None not in reasons:
        others = f" ({count} of {len(run.trials)} trials; see --dry-run for the others)" * (len(reasons) > 1)
        raise UsageError(f"nothing of suite {run.suite} can run here: {reason}{others}")


def _refuse_busy_gpus(run: RunRecord, environment: dict[str, Any], request: Request) -> None:
    """What shares a GPU with others measures them too; nobody's process is ended for it."""
    cells = [trial.cell for trial in run.trials if trial.cell.kind == "gpu" and not trial.unsupported]
    places = {place for cell in cells for place in range(cell.first_gpu, cell.first_gpu + cell.replicas)}
    # where UUIDs are not told, any GPU may be one that is taken
    own = [uuid for place, uuid in enumerate(_uuids(environment)) if place in places] or [""] * bool(cells)
    busy = [line for line in environment["gpu_processes"] if any(uuid in line for uuid in own)]
    if busy and not request.allow_busy:
        raise UsageError(
            f"the GPUs are in use by process {', '.join(busy)}: wait for them, choose others with "
            "CUDA_VISIBLE_DEVICES, or give --allow-busy"
        )


def _refuse_new_settings(request: Request) -> None:
    """A run is finished as it was planned: what would change the plan is refused, not ignored."""
    given = {
        "SUITE": request.suite is not None,
        "--set": bool(request.overrides),
        "--epochs": request.epochs is not None,
        "--repeats": request.repeats is not None,
        "--time-limit": request.time_limit_s is not None,
        "--target-accuracy": request.target_accuracy is not None,
        "--diagnose": request.diagnose,
        "--max-batch": request.max_batch,
        "--data": request.data is not None,
        "--dry-run": request.dry_run,
    }
    if wrong := [name for name, is_given in given.items() if is_given]:
        raise UsageError(f"--resume finishes a run as it was planned; leave out {', '.join(wrong)}")


def _continued(stored: StoredRun, environment: dict[str, Any]) -> RunRecord:
    """The plan of a stored run, once its data is found to be the same still."""
    dataset = checked_data(Path(stored.run.data) if stored.run.data else None)
    if dataset.sha256 != stored.run.data_sha256:
        raise UsageError(f"--resume {stored.folder}: the data set has changed since; start a new run")
    for name in _MUST_AGREE:
        before, now = stored.run.environment.get(name), environment[name]
        if before != now:
            raise UsageError(f"--resume {stored.folder}: {name} was {before}, here it is {now}; start a new run")
    on_gpu = any(trial.cell.kind == "gpu" for trial in stored.run.trials)
    if on_gpu and _uuids(stored.run.environment) != _uuids(environment):
        raise UsageError(
            f"--resume {stored.folder}: it ran on other GPUs of this model; give it these by CUDA_VISIBLE_DEVICES="
            f"{','.join(_uuids(stored.run.environment))}, or start a new run"
        )
    require_tensorflow()
    # what is appended is of the schema of today, and an older reader must be told so
    return stored.run.model_copy(update={"schema_version": SCHEMA_VERSION})


_MUST_AGREE = ("host", "cpu_model", "usable_cpus", "gpus", "packages", "git_commit")
"""A run is of one machine and one code: figures of another would stand in one table with these."""


def _print_start(console: Console, run: RunRecord, environment: dict[str, Any]) -> None:
    """The first line says where the suite runs; the next ones what may spoil it."""
    console.print(_where(run, environment), markup=False, highlight=False, soft_wrap=True)
    for line in spoilers(environment):
        console.print(f"Caution: {line}", markup=False, highlight=False, soft_wrap=True)


def _where(run: RunRecord, environment: dict[str, Any]) -> str:
    machine = machine_of(environment)
    on_gpu = any(trial.cell.kind == "gpu" and not trial.unsupported for trial in run.trials)
    cpu = f"CPU: {environment['cpu_model']}, {environment['usable_cpus']} CPUs"
    where = f"GPUs: {', '.join(machine.gpus)}" if on_gpu else cpu
    where += f" ({machine.no_gpu_reason})" if not machine.gpus else ""
    return f"Suite {run.suite}, {len(run.trials)} trials on {where}"


def _print_plan(run: RunRecord) -> None:
    for number, trial in enumerate(run.trials, 1):
        verdict = f"unsupported: {trial.unsupported}" if trial.unsupported else "to run"
        print(f"{number:3d}  {trial.trial_id:16}  {trial.cell.label}  seed {trial.seed}  {verdict}")


def _report(console: Console, stored: StoredRun) -> None:
    """Print the table and write the report."""
    from bench.report.further import for_terminal, further_tables  # noqa: PLC0415  # likewise
    from bench.report.tables import results_table  # noqa: PLC0415  # plotting takes a second to import
    from bench.report.writer import write_report  # noqa: PLC0415  # likewise

    rows = rows_of(stored.run, stored.records, telemetry_below(stored.folder))
    cells = summarise(rows)
    console.print(results_table(cells, console.width))
    for table in further_tables(cells):
        console.print(for_terminal(table))
    for line in largest_batches(stored.run, cells):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    write_report(stored.run, rows, cells, stored.folder)
    console.print(f"Run: {stored.folder}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"Report: {stored.folder / 'report'}", markup=False, highlight=False, soft_wrap=True)
