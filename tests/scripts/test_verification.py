"""What scripts/verification keeps, judges and sums up; the measuring itself is the script's own run."""

import itertools
import json
import os
import runpy
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from bench.execute.conduct import conduct
from bench.execute.limits import Limits
from bench.execute.session import WorkerSession
from bench.execute.windows import expect
from bench.measure.communication import Communication, Timing
from bench.measure.diagnosis import Diagnosis
from bench.measure.paired import Centre, fewest
from bench.protocol.answers import Hello
from bench.trial import Cell, Trial
from bench.worker.watchdog import kill_group

FOLDER = Path(__file__).parents[2] / "scripts" / "verification"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's modules lie beside each other, as Python finds them when it runs the folder."""
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.99, 1.01, "holds"),
        (0.98, 1.02, "holds"),
        (0.97, 1.01, "unsure"),
        (1.01, 1.03, "unsure"),
        (1.03, 1.1, "FAILS"),
    ],
)
def test_verdict_is_by_the_interval(low: float, high: float, verdict: str) -> None:
    """Inside both limits it holds, beyond one it fails, across one nobody knows."""
    from outcomes import within  # noqa: PLC0415  # see importable

    assert within(Centre((low + high) / 2, low, high), 0.98, 1.02) == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.01, 0.03, "holds"), (-0.06, 0.08, "unsure"), (0.03, 0.09, "unsure"), (0.06, 0.09, "FAILS")],
)
def test_small_error_is_to_be_known_too(low: float, high: float, verdict: str) -> None:
    """At most 5 points off and known to 5 points holds; what is known less well, or may be smaller, is unsure."""
    from outcomes import small  # noqa: PLC0415  # see importable

    assert small(Centre((low + high) / 2, low, high), 0.05) == verdict
    assert small(Centre(-(low + high) / 2, -high, -low), 0.05) == verdict


def test_claim_of_a_page_stays_in_the_table_without_a_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is missing is named, nobody knows, and the next start tries again: a claim that was not tested is told."""
    from outcomes import Kept  # noqa: PLC0415  # see importable
    from speed import page_is_quick  # noqa: PLC0415  # see importable

    monkeypatch.setenv("PATH", str(tmp_path))
    outcomes = page_is_quick(tmp_path, 10_000)
    assert [(one.verdict, one.measured) for one in outcomes] == [
        ("unsure", "not measured: chromium, chromium-driver not installed (scripts/test --system installs them)")
    ]
    Kept(tmp_path / "kept.jsonl", "key").keep("page", outcomes)
    assert Kept(tmp_path / "kept.jsonl", "key").found == {}


@pytest.mark.slow
def test_browser_that_hangs_ends_with_its_deadline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is an error of one line without paths, and neither the browser nor its driver outlives the claim."""
    import speed  # noqa: PLC0415  # see importable

    script = runpy.run_path(str(FOLDER.parent / "open_page.py"))
    if not script["available"]():
        pytest.skip(script["MISSING"])
    page = tmp_path / "synthetic" / "run" / "report" / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("<script>while (true);</script>")
    killed: list[psutil.Process] = []
    busy_s = [0.0]

    def kill(group: int) -> None:
        with suppress(psutil.NoSuchProcess):
            killed.extend(_in_session(group))
            busy_s.extend(one.cpu_times().user for one in killed if "--type=renderer" in " ".join(one.cmdline()))
        kill_group(group)  # whatever is asserted later

    monkeypatch.setattr(speed, "kill_group", kill)
    monkeypatch.setattr(speed, "PAGE_DEADLINE_S", 25)  # sooner than the browser's own 60 s
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=r"^no answer in 25 s$"):
        speed.page_is_quick(tmp_path, 10_000)
    deadline = time.monotonic() + 10
    assert max(busy_s) > 1, "a page kept the browser busy"
    assert deadline - began < 55, "it did not wait for the browser to give up by itself"
    while left := [one for one in killed if _runs(one)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def _in_session(leader: int) -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        with suppress(ProcessLookupError):
            if os.getsid(one.pid) == leader:
                found.append(one)
    return found


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.parametrize("name", ["LONG_LOOKS", "PROCESS_LOOKS", "ROUND_LOOKS", "SHORT_LOOKS", "SHORT_PACED_LOOKS"])
def test_first_look_has_values_enough_for_its_share_of_the_error(name: str) -> None:
    """Fewer have no interval at all, which a verification would find out hours later."""
    looks = runpy.run_path(str(FOLDER / "__main__.py"), run_name="verification")[name]
    assert fewest(0.05 / len(looks)) <= looks[0]


def test_bare_loop_that_dies_does_not_end_a_verification(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is an error like others, in one line, which becomes a row; the program that asked lives on."""
    monkeypatch.syspath_prepend(str(FOLDER.parent))
    from bare_loop import bare_loop  # noqa: PLC0415  # see importable

    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"^the bare loop gave no answer: nothing$"), bare_loop(200, tmp_path):
        pass


@pytest.mark.parametrize(("values", "count"), [([1.0], 12), ([0.93, 1.0, 1.07], 24), ([0.5, 1.0, 1.5], 48)])
def test_values_are_taken_until_a_look_tells(values: list[float], count: int) -> None:
    """Equal ones tell at the first of three looks, spread by 7 % at the second, by 50 % not by the last."""
    from outcomes import until_known, within  # noqa: PLC0415  # see importable

    endless = itertools.cycle(values)
    centre, taken = until_known(lambda: next(endless), lambda centre: within(centre, 0.95, 1.05))
    assert (centre.value, taken) == (1.0, count)


def test_looks_share_the_error() -> None:
    """Over 300 series whose truth is the limit, no more than one in twenty is told to be beyond it, looks included."""
    from outcomes import until_known, within  # noqa: PLC0415  # see importable

    rng = np.random.default_rng(3)
    centres = [until_known(lambda: float(rng.normal()), lambda centre: within(centre, 0.0))[0] for _ in range(300)]
    assert sum(within(centre, 0.0) != "unsure" for centre in centres) <= 0.05 * 300


def test_table_is_counted_in_a_sentence() -> None:
    """By verdict, none of which nobody had."""
    from outcomes import Outcome, counted  # noqa: PLC0415  # see importable

    outcomes = [Outcome("a", "b", "c", "1", verdict) for verdict in ("FAILS", "holds", "unsure", "holds")]
    assert counted(outcomes) == "Of 4 claims: 2 holds, 1 FAILS, 1 unsure"
    assert counted(outcomes[:1]) == "Of 1 claim: 1 FAILS"


def test_what_was_measured_for_the_same_key_is_kept(tmp_path: Path) -> None:
    """A claim that could not be measured, one of another code or machine, and a torn line are measured again.

    One that failed is not: trying until it holds would prove nothing.
    """
    from outcomes import Kept, Outcome  # noqa: PLC0415  # see importable

    path = tmp_path / "outcomes.jsonl"
    good, bad = (Outcome("a", "b", "c", "1", verdict) for verdict in ("holds", "FAILS"))
    kept = Kept(path, "now")
    kept.keep("good", [good])
    kept.keep("bad", [bad])
    kept.keep("none", [Outcome("a", "", "not measured: OSError: x", "0", "FAILS")])
    assert set(kept.found) == {"good", "bad", "none"}
    Kept(path, "before").keep("old", [good])
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"item": "torn", "key": "now", "outc')
    Kept(path, "now").keep("bad", [good])
    assert Kept(path, "now").found == {"good": [good], "bad": [bad]}
    assert json.loads(path.read_text().splitlines()[0])["utc"]


def test_sizes_of_faults() -> None:
    """A third of a 100 ms step: a batch of 130 ms, 5 of them awake; 30 ms of sleep; 60 products."""
    from faults import amount_for  # noqa: PLC0415  # see importable

    assert amount_for("input", 0.3, 0.1, 0.005) == pytest.approx(0.125)
    assert amount_for("dispatch", 0.3, 0.1, 1.0) == pytest.approx(0.03)
    assert amount_for("compute", 0.3, 0.1, 0.0005) == 60


def test_every_kind_of_fault_has_a_turn() -> None:
    """The last of a size are what is left, and those alike can be told apart though they claim the same."""
    from faults import Fault, planted  # noqa: PLC0415  # see importable

    every = planted({0.3: 4, 0.1: 2})
    assert every[:3] == [Fault("input", 0.3), Fault("dispatch", 0.3), Fault("compute", 0.3)]
    assert every[3:] == [Fault("input", 0.3, number=1), Fault("input", 0.1), Fault("dispatch", 0.1)]
    assert len(set(every)) == 6
    assert every[0].claim == every[3].claim


@pytest.mark.parametrize(
    ("told", "bound_by", "share", "verdict"),
    [
        ("input", "input", (0.1, 0.3), "holds"),
        ("input", "compute", (-0.1, 0.3), "unsure"),
        ("nothing", "input", (0.1, 0.3), "unsure"),
        ("nothing", "compute", (-0.1, 0.3), "unsure"),
        ("input", "compute", (0.01, 0.03), "FAILS"),
        ("input", "dispatch", (-0.1, 0.3), "FAILS"),
        ("compute", "input", (0.1, 0.3), "FAILS"),
    ],
)
def test_a_wrong_name_fails_and_none_is_unsure(
    told: str, bound_by: Any, share: tuple[float, float], verdict: str
) -> None:
    """An input fault that nothing is proven of is undecided; one that is called something else is not recognised."""
    from faults import naming  # noqa: PLC0415  # see importable

    shares: Any = {"input": Centre(sum(share) / 2, *share)}
    assert naming("input", told, Diagnosis(bound_by, shares, 8)) == verdict


def test_faults_are_summed_up_by_what_was_asked() -> None:
    """A name that was wrong and a size that nobody knows are told apart; a fault that was not measured fails both."""
    from fault_totals import is_of_one, summed_up  # noqa: PLC0415  # see importable
    from faults import Fault  # noqa: PLC0415  # see importable
    from outcomes import Outcome  # noqa: PLC0415  # see importable

    def found(fault: Fault, **verdicts: Any) -> list[Outcome]:
        return [Outcome(f"{fault.claim}: its {asked}", "", "", "1", verdict) for asked, verdict in verdicts.items()]

    def verdicts(planted: list[Fault], *tried: list[Outcome]) -> list[tuple[str, str]]:
        each = [outcome for outcomes in tried for outcome in outcomes]
        return [(outcome.measured, outcome.verdict) for outcome in summed_up(planted, each)]

    late, slow, small = Fault("input", 0.3), Fault("compute", 0.3), Fault("compute", 0.1)
    good, also_good = (found(fault, name="holds", size="holds") for fault in (late, slow))
    one, two, missing = "1 of 2 shown", "2 of 2 shown", [Outcome("faults 2", "", "", "0", "FAILS")]
    assert verdicts([late, slow], good, also_good) == [(two, "holds"), (two, "holds")]
    bad = found(slow, name="FAILS", size="unsure")
    assert verdicts([late, slow], good, bad) == [(one, "FAILS"), (f"{one}, 1 undecided", "unsure")]
    assert verdicts([late, slow], good, missing) == [(one, "FAILS"), (one, "FAILS")]
    assert verdicts([late], missing) == [("0 of 1 shown", "FAILS")] * 2
    assert verdicts([]) == []
    assert verdicts([small], found(small, size="holds"), good) == [("1 of 1 shown", "holds")]
    assert [is_of_one(outcome) for outcome in (*good, *missing)] == [True, True, False]


@pytest.mark.parametrize(
    ("errors", "told", "verdict"),
    [
        ((0.01, 0.02, 0.03, 0.04, 0.05), "off by +3.0 (+1.0 to +5.0) points in the mean", "holds"),
        ((0.04, 0.05, 0.06, 0.07, 0.08), "off by +6.0 (+4.0 to +8.0) points in the mean", "unsure"),
        ((-0.07, -0.08, -0.09, -0.1, -0.11), "off by -9.0 (-11.0 to -7.0) points in the mean", "FAILS"),
    ],
)
def test_an_error_that_all_sizes_of_a_kind_have_is_told(errors: tuple[float, ...], told: str, verdict: str) -> None:
    """Of five, a point apart: Student's interval is the mean ± 2.776 × 1.581 ÷ √5 points. Of four nothing is said."""
    from fault_totals import summed_up  # noqa: PLC0415  # see importable
    from faults import Fault  # noqa: PLC0415  # see importable
    from outcomes import Outcome  # noqa: PLC0415  # see importable

    faults = [Fault("input", 0.3, number=number) for number in range(5)]
    pairs = zip(faults, errors, strict=True)
    found = [Outcome(f"{fault.claim}: its size", "", "", "1", "unsure", error) for fault, error in pairs]
    mean = summed_up(faults, found)[-1]
    assert (mean.measured, mean.verdict) == (told, verdict)
    assert len(summed_up(faults[:4], found[:4])) == len(summed_up(faults, found)) - 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "nonsense"], "--only nonsense: no such item"),
        (["--publish"], "--publish: with --full, and the whole of it"),
        (["--full", "--publish", "--only", "help"], "--publish: with --full, and the whole of it"),
    ],
)
def test_what_cannot_be_found_or_published_is_refused(words: list[str], told: str) -> None:
    """A slip of the pen gets one line and exit code 2, and nothing is measured."""
    command = [sys.executable, str(FOLDER), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.parametrize(
    ("forecast_s", "ideal_s", "spread_s", "verdict"),
    [
        (0.105, 0.05, 0.001, "holds"),
        (0.095, 0.05, 0.001, "holds"),
        (0.112, 0.05, 0.001, "FAILS"),
        (0.105, 0.095, 0.001, "FAILS"),
        (0.101, 0.094, 0.001, "holds"),
        (0.105, 0.05, 0.02, "unsure"),
    ],
)
def test_a_forecast_is_near_and_nearer_than_the_guess(
    forecast_s: float, ideal_s: float, spread_s: float, verdict: str
) -> None:
    """Of 100 ms measured: within 10 %, and at most half as far off as ideal scaling, on either side, for all is known.

    In twelve rounds, of which every other one is longer by the spread, the others shorter by it.
    """
    from delays import Found, Held  # noqa: PLC0415  # see importable

    rounds = [Held(forecast_s + sign * spread_s, ideal_s + sign * spread_s, 0.1) for sign in (1, -1)] * 6
    assert Found(rounds, alpha=0.05).verdict == verdict


def test_two_workers_are_held_against_one_and_against_what_waiting_leaves() -> None:
    """Of one that takes 90 ms a step, two that take 99.5 have 90.5 % of the speed.

    Step by step they take 98 where two that only wait take 100, and a bare loop of two is faster than is allowed.
    """
    from neighbours import BARE, BARE_ALONE, STEPWISE, Neighbours  # noqa: PLC0415  # see importable

    step_s = {"alone": 0.09, "beside": 0.096, "together": 0.0995, BARE_ALONE: 0.09, BARE: 0.096}
    step_s |= {"alone" + STEPWISE: 0.09, "beside" + STEPWISE: 0.1, "together" + STEPWISE: 0.098}
    taken = {kind: [one_s * (1 + 0.001 * (place % 3)) for place in range(12)] for kind, one_s in step_s.items()}
    scaled, waited, bare = Neighbours(taken, alpha=0.05).outcomes("fused")
    assert (scaled.verdict, scaled.measured) == ("holds", "0.905 (0.905–0.905); at least 0.9")
    assert "not connected reach 0.938 " in scaled.truth
    assert (waited.verdict, waited.measured) == ("holds", "1.020 (1.020–1.020); at least 0.95")
    assert "those reach 0.900 " in waited.truth
    assert (bare.verdict, bare.measured) == ("FAILS", "0.965 (0.965–0.965); at least 0.97")
    assert "efficiency of the bare loop is 0.938 " in bare.truth


def test_an_all_reduce_of_more_workers_is_forecast_within_rounds() -> None:
    """Two workers at 10 ms a message and 1 ms for half of the bytes: 22 ms, of which four take 60 and 6 x 0.5.

    Rounds that are all slower by half change neither figure; of 70.5 ms measured the forecast is less than 90 %.
    """
    from ring import forecast_of  # noqa: PLC0415  # see importable

    def communication(gradient_s: float, least_s: float, replicas: int) -> Communication:
        least, gradient = (Timing(size, *[seconds] * 3) for size, seconds in ((128, least_s), (4_000, gradient_s)))
        return Communication(replicas, least, gradient, gradient)

    slower = [1.0, 1.5] * 6
    two = [communication(0.022 * times, 0.020 * times, 2) for times in slower]
    for measured_s, share, verdict in ((0.063, "1.000 (1.000–1.000)", "holds"), (0.0705, "0.894", "FAILS")):
        four = [communication(measured_s * times, 0.060 * times, 4) for times in slower]
        found = forecast_of(4, two, four, 0.01, alpha=0.05)
        assert (found.verdict, share in found.measured) == (verdict, True), found


def test_a_bare_worker_that_is_gone_is_told_with_its_last_word(tmp_path: Path) -> None:
    """Whichever rank it is, at once, though another still works."""
    from bare_cluster import BareCluster  # noqa: PLC0415  # see importable

    def process(code: str) -> "subprocess.Popen[str]":
        return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    logs = [tmp_path / "working.log", tmp_path / "gone.log"]
    logs[1].write_text("Traceback:\nMemoryError: no room\n")
    working, gone = process("import time; time.sleep(60)"), process("")
    try:
        with pytest.raises(RuntimeError, match="bare worker 1 gave no answer: MemoryError: no room"):
            BareCluster([working, gone], logs).windows_s(1)
    finally:
        for one in (working, gone):
            one.kill()
            one.wait()


@pytest.mark.slow
def test_a_bare_cluster_trains_together(tmp_path: Path) -> None:
    """Two workers without this product have the same weights after each window, and are gone afterwards."""
    from bare_cluster import bare_cluster  # noqa: PLC0415  # see importable

    before = set(psutil.Process().children(recursive=True))
    cpus = sorted(os.sched_getaffinity(0))
    with bare_cluster(tmp_path, 8, [cpus[0], cpus[-1]], {}) as bare:
        before_s, after_s = (bare.windows(steps) for steps in (1, 3))
    (_, first), (_, second) = before_s
    assert first == second
    (some_s, later), (other_s, also_later) = after_s
    assert later == also_later != first
    assert 0 < min(some_s, other_s) <= max(some_s, other_s) < 300
    assert set(psutil.Process().children(recursive=True)) <= before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--only", "nonsense"], "no such part"),
        (["--delays", "1,x"], "give milliseconds from 0 to 1000"),
        (["--delays=-1"], "give milliseconds from 0 to 1000"),
    ],
)
def test_scaling_refuses_what_it_cannot_do(words: list[str], told: str) -> None:
    """A slip of the pen gets one line and exit code 2, and nothing is measured."""
    script = [sys.executable, str(FOLDER / "scaling.py"), *words]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert told in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "engine"), [("input", "step"), ("input", "fused"), ("dispatch", "step"), ("compute", "step")]
)
def test_a_fault_is_turned_on_and_off_in_a_live_worker(tmp_path: Path, kind: str, engine: Any) -> None:
    """A step takes as long as its fault while that is on, though a pause let a late input pile up, and less after it.

    With the pile five steps would wait for two batches.
    """
    from faults import Dial  # noqa: PLC0415  # see importable
    from workers import worker  # noqa: PLC0415  # see importable

    dial, late_s = Dial(tmp_path / "amount"), 0.2  # far above a step beside other tests
    product_s = 2 * 256**3 / 3e11  # no core is faster
    cell = Cell(global_batch=16, epochs=0, cpu_threads=1, engine=engine)
    with worker(tmp_path, cell, kind, dial.path) as side:
        side.step_s(10)
        dial.turn(late_s / product_s if kind == "compute" else late_s)
        side.step_s(5)
        time.sleep(3 * late_s)  # time for as many batches as are kept
        assert side.window(5, afresh=True).window_s > 4.5 * late_s
        dial.turn(0.0)
        assert min(side.step_s(5) for _ in range(5)) < late_s


@pytest.mark.parametrize("kind", ["none", "compute"])
def test_a_faulty_worker_speaks_as_any_other(tmp_path: Path, kind: str) -> None:
    """It greets, and takes its fault for no word of a worker's."""
    from workers import LIMITS, command  # noqa: PLC0415  # see importable

    with closing(WorkerSession(command(kind, 1), tmp_path / "worker.log")) as session:
        assert expect(session, Hello, LIMITS.hello_s).host


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "asked", "ran"), [("settings", True, False), ("unasked", False, True)])
def test_a_worker_that_compiles_otherwise_gives_no_number(tmp_path: Path, kind: str, asked: bool, ran: bool) -> None:
    """Steps that XLA was to compile and did not, or compiled unasked, make an invalid row that says so."""
    from measurement import Silent  # noqa: PLC0415  # see importable
    from workers import command  # noqa: PLC0415  # see importable

    trial = Trial(cell=Cell(global_batch=16, epochs=0, xla=asked))
    session = WorkerSession(command(kind), tmp_path / "worker.log")
    record = conduct(session, trial, limits=Limits(budget_s=1), listener=Silent())
    assert (record.status, len(record.windows)) == ("invalid", 0)
    assert record.reason == f"ran with other settings than asked: xla is {ran}, not {asked}"


@pytest.mark.slow
def test_a_worker_that_is_deaf_to_its_cell_names_every_setting(tmp_path: Path) -> None:
    """Replicas, precision and oneDNN that were asked for and did not run make an invalid row that names each."""
    from measurement import Silent  # noqa: PLC0415  # see importable
    from workers import command  # noqa: PLC0415  # see importable

    cell = Cell(strategy="mirrored", replicas=2, precision="mixed_bfloat16", onednn="off", global_batch=16, epochs=0)
    session = WorkerSession(command("deaf"), tmp_path / "worker.log")
    record = conduct(session, Trial(cell=cell), limits=Limits(budget_s=1), listener=Silent())
    assert (record.status, len(record.windows)) == ("invalid", 0)
    for words in ("replicas is 1, not 2", "compute_dtype is float32, not bfloat16", "onednn is True, not False"):
        assert words in (record.reason or "")


@pytest.mark.parametrize("count", [2, 4])
def test_what_a_window_costs_does_not_cancel(count: int) -> None:
    """Five steps of 100 ms in a window that costs 20 ms take 4 % more than without, however many windows there are."""
    from measurement import without_windows  # noqa: PLC0415  # see importable

    in_windows_s, in_a_single_one_s = count * (5 * 0.1 + 0.02), count * 5 * 0.1 + 0.02
    assert without_windows(in_windows_s / in_a_single_one_s, count) == pytest.approx(1.04)


@pytest.mark.parametrize(
    ("rates", "verdict"),
    [
        pytest.param([0.98, 1.0, 1.02, 0.99, 1.01, 1.0], "holds", id="as fast"),
        pytest.param([1.1, 1.12, 1.13, 1.11, 1.14, 1.12], "FAILS", id="faster"),
        pytest.param([0.9, 1.0, 1.2, 1.1, 1.05, 1.15], "unsure", id="too noisy"),
        pytest.param([0.5, 0.51, 0.52, 0.5, 0.51, 0.52], "unsure", id="too slow to tell anything"),
    ],
)
def test_ceiling_that_other_code_beats_is_none(rates: list[float], verdict: str) -> None:
    """Rates are judged against the ceiling of their own round, which may be another machine's from round to round."""
    from ceilings import no_faster  # noqa: PLC0415  # see importable

    rounds = [(rate * ceiling, ceiling) for rate, ceiling in zip(rates, [65e9, 105e9] * 3, strict=True)]
    assert no_faster("it is one", "GB/s", rounds).verdict == verdict


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        pytest.param([0.6, 0.62, 0.58, 0.61, 0.59, 0.6], "holds", id="near"),
        pytest.param([0.5, 0.52, 0.48, 0.51, 0.49, 0.5], "FAILS", id="not near"),
        pytest.param([0.5, 0.6, 0.52, 0.65, 0.56, 0.6], "unsure", id="too noisy"),
    ],
)
def test_training_is_held_against_the_ceiling_beside_it(shares: list[float], verdict: str) -> None:
    """Of two batches the better one counts, by its share of each round's own ceiling, which the rounds may change."""
    from ceilings import training_comes_near  # noqa: PLC0415  # see importable

    ceilings = [150e9, 75e9] * 3
    better = [(share * ceiling, ceiling) for share, ceiling in zip(shares, ceilings, strict=True)]
    worse = [(0.4 * ceiling, ceiling) for ceiling in ceilings]
    outcome = training_comes_near({400: worse, 800: better})
    assert outcome.verdict == verdict
    assert "at a batch of 800" in outcome.measured
    assert outcome.truth == "75 to 150 GFLOP/s by matmul"


def test_engines_ratio_is_known_as_well_as_its_processes_agree() -> None:
    """Rounds of one set that all agree say nothing of the next set; of one set alone they are all there is."""
    from engines import ratio  # noqa: PLC0415  # see importable

    sets = [{"fit": 8 * [1.0], "fused": 8 * [1 / times]} for times in (1.5, 1.6, 1.7, 1.8, 1.9, 2.0)]
    over_sets, over_rounds = ratio(sets, "fused", "fit"), ratio(sets[:1], "fused", "fit")
    assert (over_sets.low, over_sets.value, over_sets.high) == pytest.approx((1.5, 1.75, 2.0))
    assert (over_rounds.low, over_rounds.high) == pytest.approx((1.5, 1.5))


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("bare_loop.py", ["--processes", "5"]),
        ("bare_loop.py", ["--pairs", "0"]),
        ("bare_loop.py", ["--global-batch", "0"]),
        ("verification/engines.py", ["--processes", "5"]),
        ("verification/engines.py", ["--processes", "0"]),
        ("verification/engines.py", ["--rounds", "0"]),
        ("verification/engines.py", ["--processes", "1", "--rounds", "5"]),
    ],
)
def test_too_few_values_are_refused_before_any_worker_starts(script: str, options: list[str], tmp_path: Path) -> None:
    """Five have no 95 % interval, and none has no centre: a line says how many to give, exit 2, no folder is made."""
    out = tmp_path / "out"
    words = [*options, "--out", str(out)] if "engines" in script else options
    done = subprocess.run(
        [sys.executable, str(FOLDER.parent / script), *words],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "of 6 or more" in done.stderr.splitlines()[-1]
    assert not out.exists()


@pytest.mark.parametrize("batches", ["16,0", "16,x", ""])
def test_engines_refuse_a_batch_that_is_none_before_they_measure_another(batches: str, tmp_path: Path) -> None:
    """The first batch is not measured, and nothing is kept of it."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / "engines.py"), "--batches", batches, "--out", str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "whole numbers from 1 on" in done.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_engines_kept_are_read_back_and_older_ones_are_of_one_set(tmp_path: Path) -> None:
    """A file of before has the rounds of one set of processes, and no list around them."""
    from engines import keep, kept  # noqa: PLC0415  # see importable

    first, second = {"fit": [1.0, 1.1], "fused": [0.5, 0.6]}, {"fit": [1.2, 1.3], "fused": [0.7, 0.8]}
    keep([first, second], 16, tmp_path)
    (tmp_path / "engines-32.json").write_text(json.dumps(first))
    assert kept([16, 32], tmp_path) == {16: [first, second], 32: [first]}
