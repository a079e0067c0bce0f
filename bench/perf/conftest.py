"""Options, tests and hooks of `pytest bench/perf`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.measure.environment import read_environment, spoilers
from bench.perf.live import PerfRun
from bench.perf.plan import Plan, add_options, plan
from bench.report.exports.pytest_benchmark import GROUP, beside_benchmarks, machine_keys
from bench.store.runs import read_run

_HERE = Path(__file__).parent
_PLAN: pytest.StashKey[Plan] = pytest.StashKey()
_RUN: pytest.StashKey[PerfRun] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add this package's options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Plan before anything is collected: bad input is one line."""
    if config.option.help or not _named(config):
        return
    if not config.pluginmanager.hasplugin("benchmark"):
        raise pytest.UsageError("pytest-benchmark is not here; install the extra perf")
    try:
        config.stash[_PLAN] = plan(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def _named(config: pytest.Config) -> bool:
    """Whether the command line names this folder or what is in it: nobody wants `pytest .` to train for minutes."""
    paths = [Path(argument.split("::")[0]).resolve() for argument in config.args]
    return config.option.pyargs or any(path == _HERE or _HERE in path.parents for path in paths)


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Only where it is named is anything here collected."""
    return None if _PLAN in config.stash else True


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What is timed, and what may spoil it."""
    here = config.stash.get(_PLAN, None)
    if here is None:
        return []
    told = f"bench: {len(here.cases)} cells, a round is one of {here.windows} windows, its time is per image"
    return [told, *(f"bench: caution: {line}" for line in spoilers(here.environment))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each cell, with a timer of its own; what this machine cannot run is skipped with its reason."""
    if "cell" not in metafunc.fixturenames:
        return
    parameters = []
    for name, case in metafunc.config.stash[_PLAN].cases.items():
        marks: list[pytest.MarkDecorator] = [pytest.mark.benchmark(group=GROUP, timer=case.clock)]
        if case.trial.unsupported:
            marks.append(pytest.mark.skip(reason=case.trial.unsupported))
        parameters.append(pytest.param(name, marks=marks, id=name))
    metafunc.parametrize("cell", parameters)


@pytest.fixture(scope="session")
def perf(request: pytest.FixtureRequest) -> Iterator[PerfRun]:
    """The run of this session, in a folder of its own."""
    config = request.config
    try:
        run = config.stash[_RUN] = PerfRun(config.stash[_PLAN])
    except UsageError as error:
        # what makes folders of runs names the option of bench run
        pytest.exit(str(error).replace("--out", "--bench-out", 1), pytest.ExitCode.USAGE_ERROR)
    yield run
    run.writer.write_run(run.run.model_copy(update={"environment_after": read_environment()}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Where the raw windows are."""
    if run := config.stash.get(_RUN, None):
        terminalreporter.write_line(f"bench: raw windows and logs are in {run.writer.folder}")


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Add the keys of the machine, and leave out the clock frequency of this moment, which would differ every time."""
    if (here := config.stash.get(_PLAN, None)) is None:
        return
    cpu = machine_info.get("cpu")
    if isinstance(cpu, dict):
        for name in ("hz_actual", "hz_actual_friendly"):
            cpu.pop(name, None)
    machine_info.update(machine_keys(here.environment))


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Add the run, from which `bench import` makes a run folder."""
    if run := config.stash.get(_RUN, None):
        shown = [one["extra_info"].get("trial_id") for one in output_json["benchmarks"]]
        output_json["bench"] = beside_benchmarks(read_run(run.writer.folder), shown)
