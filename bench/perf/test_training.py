"""Windows of live training sessions, a test for each cell."""

from typing import TYPE_CHECKING

import pytest

from bench.perf.live import PerfRun, TrialFailed
from bench.report.exports.pytest_benchmark import extra_info
from bench.report.rows import row_of

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

pytestmark = pytest.mark.timeout(0)
"""Every wait in a trial has its own deadline, and epochs may take hours."""


def test_training(benchmark: "BenchmarkFixture", cell: str, perf: PerfRun) -> None:
    """Training runs at the speed, in the memory and to the accuracy that is shown."""
    case = perf.plan.cases[cell]
    try:
        with perf.live(case.trial, case.clock) as live:
            live.begin()
            benchmark.pedantic(live.window, rounds=perf.plan.windows)  # type: ignore[no-untyped-call]  # has none
            timed = row_of(live.end())
        trained = row_of(perf.train(case.trial)) if perf.plan.epochs else None
        benchmark.extra_info.update(extra_info(timed, perf.plan.environment, trained))
    except BaseException as error:
        benchmark.has_error = True  # no file may show what did not run to its end
        if isinstance(error, TrialFailed):
            pytest.fail(str(error), pytrace=False)
        raise
