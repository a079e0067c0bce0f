"""`bench env`: what this machine is, and its ceilings, measured, shown, and cached for the reports of later runs."""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from bench.commands.env_letter import letter
from bench.commands.env_lines import environment_lines
from bench.display import result_console, say, warn
from bench.errors import UsageError
from bench.execute.ceilings import NoCeilings, expected_s, lead_measurement, measurements_for
from bench.execute.limits import Limits
from bench.execute.session import LOCAL_WORKER, Session, WorkerSession
from bench.measure.busiest import busiest
from bench.measure.conditions import read_conditions
from bench.measure.environment import read_environment, spoilers
from bench.measure.examination import examine
from bench.plan.support import machine_of, require_tensorflow
from bench.protocol.answers import CeilingsMeasured
from bench.protocol.commands import MeasureCeilings
from bench.report.ceilings import ceilings_table
from bench.store.ceilings import METHOD, keep_ceilings, read_ceilings, unit_of
from bench.store.record import Ceilings

_LEAST_GAIN = 1.3
"""Two idle cores come to nearly twice one, two hardware threads of one core to little more than one."""


def describe_machine(*, measure: bool, everything: bool, as_json: bool) -> int:
    """Print what this machine is, how fit it is, and with `everything` every fact; 0, or what measuring it comes to."""
    if measure and as_json:
        raise UsageError("--json tells what is known; leave out --measure, and ask again when it is done")
    environment = read_environment()
    found = examine(environment, read_conditions(), busiest())
    ceilings, damage = read_ceilings(environment)
    warn(damage)
    if as_json:
        told = {"environment": environment, **asdict(found), "ceilings": ceilings and ceilings.model_dump()}
        print(json.dumps(told, indent=1))
        return 0
    console = result_console()
    width = console.width if console.is_terminal else None
    for section in letter(environment, found, ceilings):
        console.print(Text(section.title, style="bold"))
        say(console, *section.lines(width), "")
    if everything:
        console.print(Text("Details", style="bold"))
        say(console, *environment_lines(environment))
    else:
        say(console, "Every fact: bench env --all")
    if not measure:
        return 0
    if found.faults:
        say(console, "So these ceilings may come out too low; a later --measure replaces them.")
    return measure_machine(environment)


def measure_machine(
    environment: Mapping[str, Any],
    launch: Callable[[Path], Session] = lambda log: WorkerSession(LOCAL_WORKER, log),
) -> int:
    """Measure every ceiling anew, print them, and cache them; 1 where a worker failed, 130 after an interrupt."""
    require_tensorflow()
    logs = Path(tempfile.mkdtemp(prefix="bench-ceilings-"))
    measured, failed = list[CeilingsMeasured](), False
    try:
        for asked in measurements_for(machine_of(environment), environment["usable_cpus"]):
            print(f"Measuring the {_name(asked)}: about {expected_s(asked):.0f} s", flush=True)
            log = logs / f"{asked.device}-{asked.threads or 'all'}.log"
            try:
                measured.append(lead_measurement(launch(log), asked, Limits()))
            except NoCeilings as missing:
                failed = True
                print(f"{_name(asked)}: {missing}; see {log}", file=sys.stderr)
    except KeyboardInterrupt:
        print("Interrupted; nothing was kept", file=sys.stderr)
        return 130
    if not failed:
        shutil.rmtree(logs, ignore_errors=True)
    if measured:
        result_console().print(ceilings_table(measured))
        doubts = _doubts(measured)
        print(*[f"Caution: {doubt}" for doubt in doubts], sep="\n", end="\n" * bool(doubts))
        if failed:
            print("Not cached: not everything could be measured")
        else:
            _cache(environment, measured, doubts)
    return int(failed)


def _name(asked: MeasureCeilings) -> str:
    threads = f" with {asked.threads} thread{'s' * (asked.threads != 1)}" if asked.threads else ""
    return f"{asked.device.upper()}{threads}"


def _doubts(measured: Sequence[CeilingsMeasured]) -> list[str]:
    """What the figures themselves say against them: more threads that are hardly faster than one."""
    cpu = [one for one in measured if one.device == "cpu"]
    if len(cpu) < 2:
        return []
    one, every = (measurement.matmul_flops_per_s["float32"].value for measurement in cpu)
    gain = f"{cpu[1].threads} threads came to {every / one:.2f} × the matmul of one"
    doubt = f"{gain}: the CPUs were busy, or share a core; measure again when the machine is idle"
    return [doubt] if every < _LEAST_GAIN * one else []


def _cache(environment: Mapping[str, Any], measured: list[CeilingsMeasured], doubts: list[str]) -> None:
    """Keep the ceilings, or say why not; they stand on the screen in any case."""
    unit = unit_of(environment)
    if unit is None:
        why = environment.get("no_exact_unit_reason") or "this machine has no exact unit to know it by again"
        print(f"Not cached, so reports will have no MFU: {why}")
        return
    exact_unit, usable_cpus, tensorflow = unit
    ceilings = Ceilings(
        exact_unit=exact_unit,
        usable_cpus=usable_cpus,
        tensorflow=tensorflow,
        method=METHOD,
        measured_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        spoilers=[*spoilers(dict(environment)), *doubts],
        measured=measured,
    )
    try:
        print(f"Cached for later runs: {keep_ceilings(ceilings)}")
    except OSError as error:
        print(f"Not cached: {error.filename}: {error.strerror}; set XDG_CACHE_HOME to a folder that can be written")
