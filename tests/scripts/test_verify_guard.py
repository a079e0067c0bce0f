"""What scripts/verify-guard plants, keeps, judges and sums up; the live verdicts are the script's own run."""

import ast
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench.execute.scheduler import Interrupted
from bench.guard.live.comparison import Rules
from bench.guard.live.result import result_of
from bench.guard.live.rule import ALPHA_OF_A_LOOK, LOOKS, estimate_of
from bench.guard.live.rule import Known as Recorded
from bench.guard.live.side import Side
from bench.host import Conditions
from bench.store.pairs import ComparisonRecord, PairRecord, SideRecord
from bench.store.record import TrialRecord
from bench.store.windows import Window
from bench.trial import Cell, Trial

if TYPE_CHECKING:
    from traces import Trace

FOLDER = Path(__file__).parents[2] / "scripts" / "verification"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's modules lie beside each other, as Python finds them when it runs the script."""
    monkeypatch.syspath_prepend(str(FOLDER))


def pair(number: int = 0, slower: float = 0.0, rounds: int = 12, memory: float = 0.0, disturbed: bool = False) -> Any:
    """A pair whose B takes longer by a share in every window; windows of a side differ by a tenth of a percent."""
    from traces import PairTrace  # noqa: PLC0415  # see importable

    rates = [1000 * (1 + 0.0001 * number + 0.001 * (place % 3 - 1)) for place in range(rounds)]
    logs = {
        "throughput": -math.log1p(slower),
        "mean throughput": -math.log1p(slower),
        "host memory": memory,
        "first step": 0.0,
    }
    told = ["steal: 20 % of CPU time"] if disturbed else []
    return PairTrace(number, "interleaved", "a", 20.0, told, logs, (rates, [rate / (1 + slower) for rate in rates]))


def trace(
    kind: str = "identical",
    size: float = 0.0,
    number: int = 1,
    verdict: str = "unchanged",
    pairs: Sequence[Any] | None = None,
    **more: Any,
) -> "Trace":
    """One verdict, as it is kept."""
    from traces import Trace  # noqa: PLC0415  # see importable

    pairs = [pair(place, size if kind == "compute" else 0.0) for place in range(4)] if pairs is None else list(pairs)
    told: Any = {
        "item": f"{kind} {size:g} {number}", "kind": kind, "size": size, "cell": "default", "pair_s": 12.0,
        "margin": 0.02, "noise_sd": None, "seconds": 90.0, "verdict": verdict, "failure": None,
        "verdicts": {"throughput": verdict}, "looks": [], "pairs": pairs, **more,
    }  # fmt: skip
    return Trace(**told)


def edits() -> Any:
    from planted import compute, late_input, leak, stall  # noqa: PLC0415  # see importable

    return [compute(3), stall(4, 2), leak(2), late_input(0.0)]


@pytest.mark.parametrize(
    ("place", "file"), [(0, "training.py"), (1, "training.py"), (2, "engines.py"), (3, "pipeline.py")]
)
def test_an_edit_changes_its_file_and_no_other(tmp_path: Path, place: int, file: str) -> None:
    """What is planted is one file of Python; all others are byte for byte this tree's."""
    from planted import plant  # noqa: PLC0415  # see importable

    clean, planted = plant(tmp_path / "clean"), plant(tmp_path / "planted", edits()[place])
    changed = [
        path.relative_to(clean).name
        for path in clean.rglob("*")
        if path.is_file() and path.read_bytes() != (planted / path.relative_to(clean)).read_bytes()
    ]
    assert changed == [file]
    ast.parse((planted / "mnist_cnn" / file).read_text())


def test_an_edit_of_text_that_has_moved_is_refused(tmp_path: Path) -> None:
    """A planted fault that silently planted nothing would be a false miss."""
    from planted import Edit, plant  # noqa: PLC0415  # see importable

    with pytest.raises(ValueError, match=r"training.py: must hold this once, and holds it 0 times"):
        plant(tmp_path / "tree", Edit("training.py", "no such text", ""))


@pytest.mark.slow
def test_what_is_planted_runs_and_teaches_the_network_the_same(tmp_path: Path) -> None:
    """With all edits the losses of the first steps are those of the clean tree, and the leak holds its pages."""
    from planted import plant  # noqa: PLC0415  # see importable

    code = (
        "import json, mnist_cnn.engines as engines;"
        "from mnist_cnn.dataset import load_dataset; from mnist_cnn.settings import TrainingSettings;"
        "from mnist_cnn.training import Training;"
        "losses = []; steps = iter([3, 0]);"
        "ask = lambda done: (losses.append(done.loss) if done else None, next(steps))[1];"
        "Training(TrainingSettings(global_batch=16, engine='step'), load_dataset(None)).train(ask);"
        "print(json.dumps([losses, len(getattr(engines, '_PLANTED', []))]))"
    )
    told = []
    for name, some in (("clean", []), ("planted", edits())):
        tree = plant(tmp_path / name, *some)
        done = subprocess.run(
            [sys.executable, "-P", "-c", code], env={"PYTHONPATH": str(tree), "HOME": str(tmp_path)},
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        told.append(json.loads(done.stdout.splitlines()[-1]))
    assert told[1][0] == pytest.approx(told[0][0], rel=1e-5)
    assert [held for _, held in told] == [0, 2]


def test_a_size_is_set_by_what_a_known_dose_did() -> None:
    """100 products that made a step 20 % longer: 5 % are 25 of them; a dose without an effect sizes nothing."""
    from planted import Effect, products_for  # noqa: PLC0415  # see importable

    assert products_for(0.05, [Effect(0.03, 0.19), Effect(0.03, 0.21)]) == 25
    with pytest.raises(ValueError, match="no longer"):
        products_for(0.05, [Effect(0.03, -0.01)])


def test_bounds_of_a_count_are_exact() -> None:
    """None of 20 leaves up to 1 - 0.05^(1/20) = 13.9 %; all of 59 show 95 %; 2 of 20 prove more than 1 %."""
    from counted import Count, at_least, at_most  # noqa: PLC0415  # see importable

    assert Count(0, 20).at_most == pytest.approx(1 - 0.05 ** (1 / 20))
    assert Count(20, 20).at_least == pytest.approx(0.05 ** (1 / 20))
    assert (Count(0, 20).at_least, Count(20, 20).at_most) == (0.0, 1.0)
    assert [at_most(Count(*one), 0.01) for one in ((0, 300), (0, 20), (2, 20))] == ["holds", "unsure", "FAILS"]
    assert [at_least(Count(*one), 0.95) for one in ((59, 59), (20, 20), (15, 20))] == ["holds", "unsure", "FAILS"]
    assert at_most(Count(0, 0), 0.01) == at_least(Count(0, 0), 0.95) == "unsure"


def test_verdicts_are_kept_once_and_survive_a_crash(tmp_path: Path) -> None:
    """The first line of an item counts; a torn line and those of another key are taken again."""
    from traces import Lines, Measured  # noqa: PLC0415  # see importable

    path = tmp_path / "traces.jsonl"
    lines = Lines(path, "now", "here")
    lines.keep(Measured(item="calibration", step_s=[0.03], shares=[0.2]))
    lines.keep(trace(verdict="inconclusive"))
    lines.keep(trace(verdict="unchanged"))
    assert lines.found["identical 0 1"].verdict == "inconclusive"
    Lines(path, "before", "here").keep(trace(number=2))
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"item": "identical 0 3", "key": "now", "kind')
    found = Lines(path, "now", "here").found
    assert set(found) == {"calibration", "identical 0 1"}
    assert found["identical 0 1"].verdict == "inconclusive"
    assert found["identical 0 1"].pairs == trace().pairs
    assert found["calibration"].utc


def test_the_key_is_of_code_and_libraries_and_of_no_machine() -> None:
    """Another machine's verdicts have the same key; those of another TensorFlow have not."""
    from guard import key_of, machine_of  # noqa: PLC0415  # see importable

    def environment(cpu: str, tensorflow: str) -> dict[str, Any]:
        return {
            "usable_cpus": 2,
            "machine_class": {"cpu_model": cpu},
            "packages": {"tensorflow": tensorflow, "rich": cpu},
        }

    one, other, newer = environment("x", "2.21.0"), environment("y", "2.21.0"), environment("x", "2.22.0")
    assert key_of(one) == key_of(other) != key_of(newer)
    assert [machine_of(each) for each in (one, other)] == ["2 × x", "2 × y"]


def test_verdicts_of_another_machine_stand_and_its_calibration_does_not(tmp_path: Path) -> None:
    """Started again elsewhere it takes what is missing, after it has measured what a planted step costs there."""
    from traces import Lines, Measured, first_of, read  # noqa: PLC0415  # see importable

    path = tmp_path / "traces.jsonl"
    lines = Lines(path, "now", "there")
    lines.keep(Measured(item="calibration", step_s=[0.03], shares=[0.2]))
    lines.keep(trace())
    here = Lines(path, "now", "here")
    assert set(here.found) == {"identical 0 1"}
    here.keep(Measured(item="calibration", step_s=[0.01], shares=[0.1]))
    here.keep(trace(verdict="inconclusive"))
    told = [(one.item, one.machine) for one in first_of(read(path), "now")]
    assert sorted(told) == [("calibration", "here"), ("calibration", "there"), ("identical 0 1", "there")]


@pytest.mark.parametrize("freedom", [0, 4])
def test_the_model_has_the_bounds_of_the_rule_that_ships(freedom: float) -> None:
    """At every look centre and reach are those of bench.guard.live.rule, with a floor and with a prior."""
    from candidates import Known, shipped  # noqa: PLC0415  # see importable

    values = np.random.default_rng(0).normal(0, 0.006, (20, LOOKS[-1]))
    for look in LOOKS:
        centres, reaches = shipped(values[:, :look], Known(0.006, freedom), ALPHA_OF_A_LOOK)
        for row, centre, reach in zip(values, centres, reaches, strict=True):
            estimate = estimate_of(list(row[:look]), Recorded(0.006, freedom))
            assert estimate
            assert (centre - reach, centre + reach) == pytest.approx((estimate.low, estimate.high))


@pytest.mark.parametrize(
    ("extra", "regressed", "unchanged", "pairs"), [(0.0, 0, 1, 4), (0.05, 1, 0, 4), (0.02, 0, 0, 16), (-0.05, 0, 1, 4)]
)
def test_the_model_of_a_machine_without_noise(extra: float, regressed: float, unchanged: float, pairs: float) -> None:
    """Identical code and a gain pass at once, 5 % is found at once and twice, and what lies at the margin is never."""
    from candidates import Known, candidates  # noqa: PLC0415  # see importable
    from replay import Recorded, simulate  # noqa: PLC0415  # see importable

    silent = Recorded({"throughput": np.zeros(8)}, np.zeros(8), np.full(8, 30.0), np.zeros(8, int))
    one = simulate(silent, candidates()[0], Known(0.006, 0), 0.02, extra, series=10)
    assert (one.regressed, one.unchanged, one.twice, one.pairs) == (regressed, unchanged, regressed, pairs)
    assert one.minutes == pytest.approx(pairs / 2)


def test_the_model_judges_every_metric_and_waits_for_memory_only() -> None:
    """What is not waited for keeps nobody waiting, nor does memory once throughput is proven to be less."""
    from candidates import Known, candidates  # noqa: PLC0415  # see importable
    from replay import Recorded, simulate  # noqa: PLC0415  # see importable

    def simulated(extra: float = 0.0, **logs: Any) -> Any:
        values = {"throughput": np.zeros(8)}
        values |= {name.replace("_", " "): np.zeros(8) + value for name, value in logs.items()}
        recorded = Recorded(values, np.zeros(8), np.full(8, 30.0), np.zeros(8, int))
        return simulate(recorded, candidates()[0], Known(0.006, 0), 0.02, extra, series=400)

    assert simulated(host_memory=0.04).pairs > 12
    assert simulated(host_memory=0.04).inconclusive > 0.1
    assert simulated(0.06, host_memory=0.04).pairs == LOOKS[0]
    assert simulated(first_step=0.25).pairs == LOOKS[0]
    assert simulated(first_step=0.25).inconclusive == 0
    assert simulated(mean_throughput=0.02).pairs == LOOKS[0]
    assert simulated(mean_throughput=0.02).inconclusive == 0
    # of throughput this noisy nothing is clear in four pairs; what slows B down shows in its quiet mean
    unclear = np.array([0.05, -0.05] * 4)
    assert simulated(throughput=unclear).pairs > 12
    assert simulated(0.05, throughput=unclear, mean_throughput=0.0).pairs == LOOKS[0]
    assert simulated(0.05, throughput=unclear, mean_throughput=0.0).twice == 1
    # a mean that looks worse than the margin, and is not proven to be, is worth more pairs
    beyond = np.array([0.021, 0.0] * 4)
    assert LOOKS[0] < simulated(mean_throughput=beyond).pairs
    # signs are drawn: once in sixteen all of four pairs say more
    assert simulated(host_memory=0.5).regressed == pytest.approx(1 / 16, abs=0.04)


def test_the_model_takes_pairs_for_as_noisy_as_their_rounds_say() -> None:
    """Four pairs that agree are clear where their rounds say so, and not where a pair's error alone is 10 %."""
    from candidates import candidates  # noqa: PLC0415  # see importable
    from replay import Recorded, simulate  # noqa: PLC0415  # see importable

    def pairs(error: float) -> float:
        one = Recorded({"throughput": np.zeros(8)}, np.full(8, error), np.full(8, 30.0), np.zeros(8, int))
        return simulate(one, candidates()[0], None, 0.02, series=10).pairs

    assert (pairs(0.0), pairs(0.1)) == (4, 16)


def test_looks_at_the_same_values_may_err_more_each() -> None:
    """Four evenly spaced looks may err with 1.82 % each to make 5 % together (Pocock 1977, table 1), not 1.25 %."""
    from candidates import pocock_alpha  # noqa: PLC0415  # see importable

    assert pocock_alpha((1, 2, 3, 4)) == pytest.approx(0.0182, abs=0.0006)


def test_a_moderated_variance_weighs_both_by_their_freedom() -> None:
    """Variance 2 of three values with 2 of freedom and 5 known with 4: (2 × 1 + 4 × 5) ÷ 6, by t of 6."""
    from candidates import Known, moderated  # noqa: PLC0415  # see importable

    centres, reaches = moderated(np.array([[-1.0, 0.0, 1.0]]), Known(math.sqrt(5), 4), 0.05)
    assert centres[0] == 0
    assert reaches[0] == pytest.approx(2.446912 * math.sqrt((2 * 1 + 4 * 5) / 6 / 3))


def test_the_model_knows_what_a_machine_would_that_recorded_the_pairs() -> None:
    """As live: within two comparisons sd 2 % with 6 of freedom, rounds 0.8 % and processes 0.6, which is 1 with 4."""
    from model_tables import known_of  # noqa: PLC0415  # see importable
    from replay import Recorded as Pairs  # noqa: PLC0415  # see importable

    four = np.array([-1.0, -1.0, 1.0, 1.0]) * 0.02 * math.sqrt(3 / 4)
    pairs = Pairs(
        {"throughput": np.concatenate([four, 0.5 + four])}, np.full(8, 0.008), np.ones(8), np.repeat([0, 1], 4)
    )
    known = known_of(pairs)
    assert (known.sd, known.freedom) == (pytest.approx(0.02), 10)
    quiet = Pairs({"throughput": 0.1 * pairs.logs["throughput"]}, pairs.errors, pairs.seconds, pairs.of)
    assert known_of(quiet).sd == pytest.approx(math.sqrt((4 * 0.01**2 + 6 * 0.002**2) / 10))


def slower_by(share: float) -> dict[str, list[bool]]:
    """What every rule of another tool says of two pairs."""
    from rivals import rivals  # noqa: PLC0415  # see importable

    one = trace(pairs=[pair(0, share), pair(1, share)])
    return {rival.name: rival.flags(one) for rival in rivals()}


@pytest.mark.parametrize(
    ("quiet_at", "alarm_at", "rules"),
    [
        (0.0, 0.01, {"t-test, windows", "t-test, all windows pooled", "t-test, means of processes"}),
        (0.04, 0.06, {"pytest-benchmark, mean:5 %", "pytest-benchmark, median:5 %"}),
        (0.04, 0.06, {"pytest-benchmark, mean:5 %, saved run"}),
        (0.09, 0.11, {"pytest-benchmark, mean:10 %", "asv continuous"}),
        (0.9, 1.1, {"github-action-benchmark, 200 %"}),
    ],
)
def test_rules_of_others_have_their_own_limits(quiet_at: float, alarm_at: float, rules: set[str]) -> None:
    """Each calls B slower beyond its limit and not below; to a plain t-test any difference is one if windows repeat."""
    quiet, alarm = slower_by(quiet_at), slower_by(alarm_at)
    assert rules <= set(alarm)
    assert all(all(alarm[rule]) and not any(quiet[rule]) for rule in rules)


def test_a_faster_side_is_no_alarm_of_anyone() -> None:
    """Only a slower B fails a job."""
    assert not any(any(flags) for flags in slower_by(-0.2).values())


def test_rules_of_others_decide_as_often_as_they_take_processes() -> None:
    """Of two pairs: twice by one process of each side, once by two rounds or all."""
    counts = {name: len(flags) for name, flags in slower_by(0.0).items()}
    assert counts["pytest-benchmark, mean:5 %"] == counts["t-test, windows"] == 2
    assert counts["asv continuous"] == counts["t-test, means of processes"] == 1


def found(mode: str, *taken: Any) -> Any:
    from modes import FULL, SHORT  # noqa: PLC0415  # see importable
    from report import Found  # noqa: PLC0415  # see importable

    return Found(FULL if mode == "full" else SHORT, taken)


def claims(mode: str, *taken: Any) -> dict[str, tuple[str, str]]:
    from report import claims as of  # noqa: PLC0415  # see importable

    return {one.claim: (one.measured.partition(";")[0], one.verdict) for one in of(found(mode, *taken))}


def test_few_verdicts_leave_a_claim_unsure_and_a_spot_check_wants_all_right() -> None:
    """20 right ones do not prove 1 % in the full mode; 3 right ones pass the short one, one wrong one fails it."""
    alarm, claim = trace(verdict="regressed"), "identical code is never called worse"
    assert claims("full", *[trace()] * 20)[claim] == ("0 of 20", "unsure")
    assert claims("full", *[trace()] * 18, alarm, alarm)[claim] == ("2 of 20", "FAILS")
    assert claims("short", *[trace()] * 3)[claim] == ("0 of 3", "holds")
    assert claims("short", trace(), trace(), alarm)[claim] == ("1 of 3", "FAILS")


def test_a_find_counts_where_it_was_planted() -> None:
    """What was planted must be found by its own metric, and a side that failed has found nothing."""
    leak = {"verdicts": {"throughput": "unchanged", "host memory": "regressed"}}
    other = {"verdicts": {"throughput": "regressed", "host memory": "unchanged"}}
    claim = "a leak of 50 MiB is found"
    assert claims("short", trace("leak", 50.0, verdict="regressed", **leak))[claim] == ("1 of 1", "holds")
    assert claims("short", trace("leak", 50.0, verdict="regressed", **other))[claim] == ("0 of 1", "FAILS")
    broken = trace("leak", 50.0, verdict="regressed", failure="B ended in error: x", **leak)
    assert claims("short", broken)[claim] == ("0 of 1", "FAILS")
    claim = "stalls that few windows have are found"
    for mean, told in (("regressed", ("1 of 1", "holds")), ("inconclusive", ("0 of 1", "FAILS"))):
        stall = trace("stall", 0.05, verdict=mean, verdicts={"throughput": "unchanged", "mean throughput": mean})
        assert claims("short", stall)[claim] == told


def test_a_job_that_breaks_on_identical_code_is_a_false_alarm() -> None:
    """Its exit code is 1, whatever the reason."""
    broken = trace(verdict="inconclusive", failure="A ended in timeout: x")
    assert claims("short", broken)["identical code is never called worse"] == ("1 of 1", "FAILS")


def test_beside_a_busy_cpu_no_verdict_is_right_too() -> None:
    """Invalid is no alarm."""
    hog = [trace("hog", verdict="invalid", verdicts={}, pairs=[pair(disturbed=True)])] * 3
    assert claims("full", *hog)["beside a busy CPU identical code is never called worse"][0] == "0 of 3"


def test_a_report_labels_its_model_and_is_published_between_two_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live figures, others' rules and a model that says so; figures in a document are replaced whole."""
    from publish import marks, put_in  # noqa: PLC0415  # see importable
    from report import write  # noqa: PLC0415  # see importable

    monkeypatch.setattr("model_tables.SERIES", 500)
    monkeypatch.setattr("model_tables.FEWER", 100)
    rng = np.random.default_rng(2)
    clean = [trace(number=n, pairs=[pair(place, float(rng.normal(0, 0.005))) for place in range(4)]) for n in range(3)]
    slow = [trace("compute", 0.05, n, "regressed") for n in range(3)]
    told = write(found("short", *clean, *slow), tmp_path, "A day, a machine.")
    assert "A model, not a measurement: 500 comparisons drawn at random from 12 recorded pairs" in told.published
    assert (
        "| **bench ab**, throughput or its mean | the whole comparison | 0 of 3 (0 %) | 3 of 3 (100 %) |"
        in told.published
    )
    assert "Candidates" not in told.published
    assert (tmp_path / "report.md").read_text() == told.text
    assert (tmp_path / "power.png").stat().st_size > 1000
    document = tmp_path / "guard.md"
    begin, end = marks("verify-guard")
    document.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    put_in(document, "verify-guard", told.published)
    put_in(document, "verify-guard", "new")
    assert document.read_text() == f"before\n{begin}\n\nnew\n\n{end}\nafter\n"
    document.write_text("no marks")
    with pytest.raises(ValueError, match="once each"):
        put_in(document, "verify-guard", "new")


def test_a_report_of_two_machines_names_both_and_what_is_still_to_be_taken(tmp_path: Path) -> None:
    """Verdicts and minutes of each machine stand apart, sizes measured on either together, untaken kinds are told."""
    from report import heading_of, write  # noqa: PLC0415  # see importable
    from traces import Measured  # noqa: PLC0415  # see importable

    taken = [
        Measured(
            item="effect 0.05", step_s=[0.02, 0.02], shares=[0.04, 0.05], machine="one", utc="2026-01-02T00:00:00"
        ),
        Measured(
            item="effect 0.05", step_s=[0.02, 0.02], shares=[0.05, 0.06], machine="other", utc="2026-01-03T00:00:00"
        ),
        trace("compute", 0.05, 1, "regressed", seconds=60, machine="one", utc="2026-01-02T00:00:00"),
        trace("compute", 0.05, 2, "regressed", seconds=180, machine="other", utc="2026-01-03T00:00:00"),
        trace("leak", 50.0, 1, "regressed", seconds=240, machine="other", utc="2026-01-03T00:00:00"),
    ]
    one = found("short", *taken)
    assert heading_of(one) == "Mode short, 2026-01-02 to 2026-01-03: 3 of 7 verdicts. None yet of: identical."
    told = write(one, tmp_path, "").text
    assert "| one | 1 | 0 % | 1.0 |" in told
    assert "| other | 2 | 0 % | 3.5 |" in told
    assert "5.0 % (3.7 % to 6.3 %) in 4 processes without the guard" in told  # t of 3 is 3.182, sd 0.78 %


def test_either_tree_starts_first_in_turn_and_is_told_of_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that takes 5 % longer with what is planted is told as that, whichever worker is the older."""
    import effects  # noqa: PLC0415  # see importable
    from planted import Effect  # noqa: PLC0415  # see importable

    step_s, began = {Path("clean"): 0.02, Path("planted"): 0.021}, []

    def effect_of(_: Path, __: Cell, trees: tuple[Path, Path], *___: float) -> Effect:
        began.append(trees[0].name)
        return Effect(step_s[trees[0]], step_s[trees[1]] / step_s[trees[0]] - 1)

    monkeypatch.setattr(effects, "effect_of", effect_of)  # takes minutes of real workers
    told = effects.measured_effects(Path(), Cell(), Path("clean"), Path("planted"), 4)
    assert began == ["clean", "planted"] * 2
    assert [one.step_s for one in told] == pytest.approx([0.02] * 4)
    assert [one.share for one in told] == pytest.approx([0.05] * 4)


def test_too_few_pairs_make_no_model(tmp_path: Path) -> None:
    """Where a spot check has seven pairs of identical code, the report says so and goes on."""
    from report import write  # noqa: PLC0415  # see importable

    told = write(found("short", trace(pairs=[pair(place) for place in range(7)])), tmp_path, "")
    assert "No model: 7 undisturbed pairs" in told.text


@pytest.mark.parametrize(
    ("word", "reason"), [("--only=nonsense", "no such verdict"), ("--report", "holds nothing yet")]
)
def test_a_slip_of_the_pen_gets_one_line(word: str, reason: str, tmp_path: Path) -> None:
    """Exit code 2, and nothing is measured."""
    for folder in ("bench", "mnist_cnn"):
        (tmp_path / folder).symlink_to(FOLDER.parents[1] / folder)
    # a copy, for Python looks a link's neighbours up where it points to, and there results may lie
    script = shutil.copytree(FOLDER, tmp_path / "scripts" / "verification") / "guard.py"
    done = subprocess.run([sys.executable, str(script), word], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert reason in done.stderr.splitlines()[-1]


def stored_pair(number: int, window_s: float, memory_mib: float, busy_s: float = 0.0) -> PairRecord:
    """A pair whose A has windows of a second and 100 MiB; `busy_s` are CPU seconds of others, in 20 s on two CPUs."""

    def side(seconds: float, mebibytes: float) -> TrialRecord:
        windows = [
            Window(phase=phase, start_s=0, window_s=seconds, steps=10, loss=1.0, accuracy=0.5, short=False)
            for phase in ("first_step", "run_in", "window", "window", "window", "window")
        ]
        size = round(mebibytes * 2**20)
        return TrialRecord(
            trial=TRIAL, status="ok", windows=windows, peak_host_memory_bytes=size, first_step_s=1.0, worker_cpu_s=10.0
        )

    before, after = (Conditions(clock_s=at, cpus=2, busy_s=busy, steal_s=0) for at, busy in ((0, 0), (20, 20 + busy_s)))
    return PairRecord(
        number=number, mode="interleaved", first="a", a=side(1.0, 100), b=side(window_s, memory_mib),
        conditions_before=before, conditions_after=after, parent_cpu_s=0.0,
    )  # fmt: skip


TRIAL = Trial(cell=Cell(global_batch=32, epochs=0))


def test_what_is_kept_of_a_comparison_is_what_it_was_judged_by() -> None:
    """Rates of timed windows alone, log(B ÷ A) of each metric, disturbed pairs marked, verdicts at each look."""
    from traces import Request, trace_of  # noqa: PLC0415  # see importable

    side = SideRecord(words="A", trial=TRIAL, workload_origin="x", workload_sha256="y", python="python", variables={})
    record = ComparisonRecord(
        created_utc="2026-01-01T00:00:00+00:00", a=side, b=side, margin=0.02, pair_s=12, data=None, data_sha256="z",
        environment={},
    )  # fmt: skip
    pairs = [stored_pair(0, 1.1, 100, busy_s=20), *(stored_pair(number, 1.1, 106.3) for number in range(1, 5))]
    asked = Request("compute 0.1 1", "compute", 0.1, (Side("A"), Side("B")), {}, Rules(margin=0.02, pair_s=12))
    kept = trace_of(asked, pairs, result_of(record, pairs), 100.04)
    assert (kept.cell, kept.seconds) == ("global_batch=32 epochs=0", 100.0)
    assert (kept.verdict, kept.failure) == ("regressed", None)
    assert [bool(one.disturbed) for one in kept.pairs] == [True, False, False, False, False]
    assert kept.pairs[0].rates == ([320.0] * 4, [290.91] * 4)
    assert kept.values() == pytest.approx([-math.log(1.1)] * 4, abs=1e-6)
    assert kept.values("host memory") == pytest.approx([math.log(1.063)] * 4, abs=1e-6)
    assert kept.values("device memory") == []
    assert [look.pairs for look in kept.looks] == [4]
    expected = {"throughput": "regressed", "mean throughput": "regressed"}
    expected |= {"host memory": "regressed", "first step": "unchanged"}
    assert kept.looks[0].verdicts == kept.verdicts == expected


def test_items_are_taken_in_one_order_the_calibration_first(tmp_path: Path) -> None:
    """A resumed one goes on in the same shuffled order; each planted size is also measured without the guard."""
    from guard import items_of  # noqa: PLC0415  # see importable
    from modes import FULL, SHORT  # noqa: PLC0415  # see importable
    from planting import Planting  # noqa: PLC0415  # see importable

    def order(mode: Any) -> list[str]:
        return list(items_of(Planting(tmp_path, mode, {}), {}))

    full = order(FULL)
    assert full == order(FULL)
    assert full[0] == "calibration"
    assert sum(name.startswith("identical 0 ") for name in full) >= 20
    assert sum(name.startswith("compute 0.05 ") for name in full) >= 20
    sizes = {"effect 0", "effect 0.02", "effect 0.03", "effect 0.05", "effect 0.1"}
    assert {name for name in full if name.startswith("effect")} == sizes
    assert sorted(order(SHORT)) == [
        "calibration", *(f"compute 0.05 {n}" for n in (1, 2, 3)), *(f"identical 0 {n}" for n in (1, 2, 3)), "leak 50 1",
    ]  # fmt: skip


def test_each_kind_is_planted_where_its_name_says(tmp_path: Path) -> None:
    """Identical sides share one tree; an input-bound cell is late on both; accuracy differs by its learning rate."""
    from modes import SHORT  # noqa: PLC0415  # see importable
    from planting import Planting  # noqa: PLC0415  # see importable
    from traces import Measured  # noqa: PLC0415  # see importable

    planting = Planting(tmp_path, SHORT, {})
    calibration = Measured(item="calibration", step_s=[0.03], shares=[0.2])

    def request(kind: str, size: float = 0.0) -> Any:
        return planting.request(f"{kind} {size:g} 1", kind, size, calibration)

    def texts(asked: Any, file: str) -> list[str]:
        return [(Path(side.tree) / "mnist_cnn" / file).read_text() for side in asked.sides]

    for kind in ("identical", "hog", "input identical", "rate identical"):
        a, b = request(kind).sides
        assert (a.tree, a.settings) == (b.tree, b.settings)
    assert ["range(25)" in text for text in texts(request("compute", 0.05), "training.py")] == [False, True]
    stalls = "iterations.value % 37 == 0, 925, 0)"
    assert [stalls in text for text in texts(request("stall", 0.05), "training.py")] == [False, True]
    pauses = [
        text.partition("time.sleep(")[2].partition(")")[0] for text in texts(request("input", 0.05), "pipeline.py")
    ]
    assert [float(pause) for pause in pauses] == pytest.approx([0.045, 0.04725])
    rate = request("rate", 0.0001)
    assert [dict(side.settings) for side in rate.sides] == [{}, {"learning_rate": 0.0001}]
    assert rate.rules.accuracy_epochs > 0


def test_what_cannot_be_taken_is_told_and_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of one verdict does not end the others and keeps nothing; an interrupt ends them all."""
    from guard import _kept  # noqa: PLC0415  # see importable
    from traces import Lines  # noqa: PLC0415  # see importable

    lines = Lines(tmp_path / "traces.jsonl", "now", "here")

    def fails(error: Exception) -> Any:
        raise error

    assert _kept("identical 0 1", lambda: fails(OSError("no space")), lines, quiet=True) == 1
    assert "not taken: OSError: no space" in capsys.readouterr().out
    with pytest.raises(KeyboardInterrupt):
        _kept("identical 0 1", lambda: fails(Interrupted()), lines, quiet=True)
    assert not lines.found
    assert _kept("identical 0 1", trace, lines, quiet=False) == 0
    assert "unchanged in 90 s" in capsys.readouterr().out
    assert set(lines.found) == {"identical 0 1"}


@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("docs/guard.md", "verify-guard"),
        ("docs/trust.md", "verify-measurement"),
        ("README.md", "verify-measurement"),
        ("README.md", "engines"),
        ("docs/settings.md", "engines"),
    ],
)
def test_the_document_has_a_place_for_the_figures(tmp_path: Path, name: str, script: str) -> None:
    """Figures can be published to it, and nothing around them changes."""
    from publish import marks, put_in  # noqa: PLC0415  # see importable

    text = (FOLDER.parents[1] / name).read_text()
    copy = tmp_path / "copy.md"
    copy.write_text(text)
    put_in(copy, script, "figures")
    begin, end = marks(script)
    before, after = text.partition(begin)[0], text.partition(end)[2]
    assert copy.read_text() == f"{before}{begin}\n\nfigures\n\n{end}{after}"
