"""The Markdown report."""

import pytest

from bench.report.account import account_of
from bench.report.summary import write_summary
from bench.store.record import HarnessCost


@pytest.fixture
def written(build, tmp_path):
    def write(*records, plots=(), **run):
        path = tmp_path / "summary.md"
        write_summary(path, account_of(build.run(records, **run), build.cells(*records)), plots)
        return path.read_text(encoding="utf-8")

    return write


def test_first_sentence_says_what_was_found_and_how_far_it_goes(build, written):
    """What a reader came for stands before any table; one trial each names no winner beyond this run."""
    fast = build.record({"global_batch": 400}, step_s=[0.1] * 16, accuracies=[0.97])
    good = build.record(step_s=[0.1] * 16, accuracies=[0.99])
    budget = build.record({"precision": "mixed_float16"}, step_s=[1.0] * 16, stopped_by="budget")
    text = written(fast, good, budget)
    expected = (
        "**Fastest in this one run (a rerun may differ; --repeats 3 tells): global_batch=400, 4,000 (4,000–4,000) "
        "images/s; test accuracy 97.00 to 99.00 % after 1 epoch, one seed each: no ranking.**"
    )
    assert expected in text
    assert text.index(expected) < text.index("## Results")


def test_accuracy_on_synthetic_images_and_of_failed_trials_wins_nothing(build, written):
    """Only what learned from real images, and ended ok, is compared."""
    text = written(
        build.record({"input": "synthetic"}, step_s=[0.1] * 16, accuracies=[1.0]),
        build.record({"xla": True}, status="nan", step_s=[0.01] * 16, accuracies=[1.0]),
    )
    assert "input=synthetic, 2,000 (2,000–2,000) images/s; no cell has a test accuracy.**" in text


def test_repeats_make_the_fastest_one_of_more_than_this_run(build, written):
    """Three processes of each cell and three seeds: both findings are named without reserve."""
    fast = [build.record({"xla": True}, seed=seed, step_s=[0.1] * 16, accuracies=[0.97]) for seed in range(3)]
    slow = [build.record(seed=seed, step_s=[0.2] * 16, accuracies=[0.99]) for seed in range(3)]
    text = written(*fast, *slow)
    assert "**Fastest: xla, 2,000 (2,000–2,000) images/s; most accurate: default, 99.00 % after 1 epoch.**" in text


def test_cells_without_an_interval_are_not_ranked(build, written):
    """Two trials of a cell have none."""
    text = written(*(build.record(step_s=[0.1] * 16, repeat=repeat) for repeat in range(2)))
    assert "**2,000 images/s, roughly: too few windows or trials to rank any cell by speed.**" in text


def test_failures_have_their_reason_and_log(build, written):
    """What a reader can act on stands in one table, and pipes in it break nothing."""
    failed = build.record(status="oom", reason="8 GiB | too <little>\nmemory", log="logs/x.log")
    text = written(failed, build.record({"xla": True}, status="unsupported", reason="no XLA"))
    assert f"| default | {failed.trial.trial_id} | oom | 8 GiB \\| too &lt;little&gt; memory | logs/x.log |" in text
    assert "1 oom, 1 unsupported" in text


def test_every_table_line_has_as_many_cells_as_its_head(build, written):
    """Hostile words from a file open no further column and no HTML."""
    nasty = "a | b\n| c <img src=x onerror=y> \\| [l](javascript:z) `k"
    text = written(
        build.record(status="error", reason=nasty, log=nasty),
        suite=nasty,
        description=nasty,
        data=nasty,
        environment={nasty: nasty, "list": [nasty, nasty]},
    )
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("| ")]
    assert len(blocks) == 3
    for block in blocks:
        counts = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in block}
        assert len(counts) == 1
    assert "<img" not in text
    assert "[l](" not in text.replace("\\[l\\](", "")


def test_machine_facts_are_shown_whatever_they_are(written):
    """Nested, listed, long and missing facts all come out as lines; what changed stands beside."""
    environment = {
        "cpu": {"model": "EPYC", "flags": ["avx2", "fma"]},
        "gpus": [{"name": "T4"}, {"name": "L4"}],
        "nothing": None,
        "long": "x" * 10_000,
        "load": 0.5,
        "memory_bytes": 8_000_000_000,
        "deep": {"a": {"b": {"c": {"d": 1}}}},
    }
    text = written(environment=environment, environment_after=environment | {"load": 2.5})
    for line in [
        "| cpu.flags | avx2, fma |  |",
        "| gpus.1.name | L4 |  |",
        "| load | 0.5 | 2.5 |",
        "| memory_bytes | 8,000,000,000 |",
    ]:
        assert line in text
    assert "nothing" not in text.split("## Where it ran")[1].split("##")[0]
    assert max(map(len, text.splitlines())) < 1000


def test_hosts_stand_above_the_facts_of_the_first(written):
    """Each with its ranks, GPUs and versions; in what they differ, and why there is no MFU, on top."""
    facts = {"host": "n1", "cpu_model": "EPYC", "gpus": ["H100"] * 2, "driver": "570.1", "exact_unit": "b1"}
    text = written(
        environment=facts | {"hosts": [{"host": "n1", "ranks": [0]}, {"host": "n2", "ranks": [1], "driver": "580.1"}]}
    )
    assert "| n1 | 0 | EPYC |  | 2 × H100 | 570.1 |" in text
    assert "| n2 | 1 | EPYC |  | 2 × H100 | 580.1 |" in text
    top = text.split("## Results")[0]
    assert "- hosts differ in driver: 570.1 on n1; 580.1 on n2" in top
    assert "no MFU: ceilings are kept by exact unit, and there are none of these hosts together" in top


@pytest.mark.parametrize(
    "hosts", [5, [], [5], [{}], [{"host": "x"}], [{"host": 1, "ranks": [0]}], [{"host": "x", "ranks": ["0"]}]]
)
def test_hosts_of_a_damaged_file_are_left_out(written, hosts):
    """The report is made of what is left."""
    assert "| host | ranks |" not in written(environment={"host": "n1", "hosts": hosts})


def test_run_without_facts_and_records_is_reported_as_such(build, written):
    """An interrupted run says what is missing instead of failing."""
    text = written(trials=[build.record().trial, build.record(seed=1).trial])
    assert "2 planned, 0 recorded (none); 2 have no record: the run did not reach them" in text
    assert "No cell was measured." in text
    assert "Nothing is known of the machine." in text


def test_numbers_are_explained(build, written):
    """The limits of an interval within one process and of replicas on shared cores are said."""
    text = written(build.record(step_s=[0.1] * 16))
    assert "within-process" in text
    assert "functional, not scaling" in text


def test_pictures_are_linked(build, written):
    """The summary shows the plots that were drawn."""
    assert "![throughput](plots/throughput.png)" in written(build.record(), plots=["plots/throughput.png"])


def test_ceilings_are_shown_with_what_disturbed_them(build, written):
    """The denominators of MFU stand in the report, and how to get them where there are none."""
    text = written(build.record(), ceilings=build.ceilings(spoilers=["load is 3.0 | on 2 CPUs"]))
    assert "| cpu | 2 | float32 | 200 (180) | 200 (180) | 20.0 (18.0) | 50.0 (60.0) |" in text
    assert "Perhaps too low: load is 3.0 \\| on 2 CPUs" in text
    without = written(build.record())
    assert "## Ceilings" not in without
    assert "bench env --measure" in without


def test_costs_of_each_cell_have_a_table_where_there_is_a_diagnosis(build, written):
    """All shares with their intervals; how they are found is explained."""
    rounds = [{"as_is": 0.1, "fused": 0.09, "resident": 0.06, "communication": 0.01}] * 12
    diagnosed = build.record(step_s=[0.1] * 8, diagnosis=rounds)
    text = written(diagnosed, build.record({"engine": "fused"}, step_s=[0.1] * 8))
    table = text.split("## What bounds each cell")[1].split("##")[0]
    shares = "30.0 (30.0–30.0) | 10.0 (10.0–10.0) | 10.0 (10.0–10.0) | 50.0 (50.0–50.0)"
    assert f"| default | input | 12 | {shares} |" in table
    assert "engine=fused" not in table
    assert "fused minus resident is input" in " ".join(text.split())
    assert "What bounds each cell" not in written(build.record(step_s=[0.1] * 8))


def test_harness_cost_stands_in_the_summary(build, written):
    """Every report of trials that recorded it says what measuring took."""
    harness = HarnessCost(span_s=8.0, cpus=2, parent_cpu_s=0.016, watchdog_cpu_s=0.0, exchanged_bytes=800)
    text = written(build.record(step_s=[0.1] * 8, harness=harness))
    expected = (
        "Harness, at most: 0.20 % of a CPU's time (parent and watchdog), 0.00 % between windows, "
        "together 0.20 % of a trial's throughput, 100 bytes a window"
    )
    assert expected in text.split("## Results")[0]
    assert "Harness, at most" not in written(build.record(step_s=[0.1] * 8))
