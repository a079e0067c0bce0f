"""The CSV that programs read."""

import csv

import pytest

from bench.host import Conditions
from bench.measure.diagnosis import COSTS
from bench.report.sheet import write_csv
from bench.store.record import HarnessCost
from bench.trial import Cell


@pytest.fixture
def written(build, tmp_path):
    def write(*records, ceilings=None):
        path = tmp_path / "trials.csv"
        write_csv(path, build.rows(*records, ceilings=ceilings))
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    return write


def test_line_has_every_setting_and_figure(build, written):
    """Asked and effective settings, speed, memory, accuracy and times, each under a name with its unit."""
    times = {"first_step_s": 1.5, "import_s": 3.0, "build_s": 0.5, "wall_s": 20.0}
    record = build.record(
        {"global_batch": 400, "replicas": 2, "strategy": "mirrored"},
        seed=7,
        repeat=1,
        step_s=[0.1] * 16,
        accuracies=[0.98],
        stopped_by="epochs",
        import_host_memory_bytes=2**28,
        peak_host_memory_bytes=2**30,
        pss_host_memory_bytes=2**29,
        conditions_before=Conditions(clock_s=5.0, load_1min=0.25),
        log="logs/a.log",
        **times,
    )
    (line,) = written(record)
    expected = {
        "trial_id": record.trial.trial_id,
        "cell_id": record.trial.cell.cell_id,
        "status": "ok",
        "stopped_by": "epochs",
        "global_batch": "400",
        "per_replica_batch": "200",
        "precision": "float32",
        "learning_rate": "",
        "seed": "7",
        "repeat": "1",
        "measured_windows": "16",
        "steady_windows": "16",
        "warmup_windows": "0",
        "interval_over": "windows",
        "target_accuracy": "0.99",
        "time_to_accuracy_s": "",
        "import_host_memory_bytes": str(2**28),
        "peak_host_memory_bytes": str(2**30),
        "pss_host_memory_bytes": str(2**29),
        "peak_device_memory_bytes": "",
        "test_accuracy": "0.98",
        "test_loss": "0.05",
        "evaluation_s": "0.5",
        "effective_optimizer": "RMSprop",
        "effective_devices": "/CPU:0",
        "effective_onednn": "True",
        "conditions_before_load_1min": "0.25",
        "conditions_before_steal_s": "",
        "conditions_after_load_1min": "",
        "notes": "functional, not scaling: the replicas share the same cores",
        "log": "logs/a.log",
        **{name: str(value) for name, value in times.items()},
    }
    assert expected.items() <= line.items()
    assert set(Cell.model_fields) <= set(line)
    assert float(line["throughput_images_per_s"]) == pytest.approx(4000)
    assert float(line["throughput_low_images_per_s"]) == pytest.approx(4000)
    assert float(line["training_s"]) == pytest.approx(16)


def test_what_was_not_measured_is_empty_never_0(build, written):
    """An unsupported trial has its settings, its reason and nothing else."""
    (line,) = written(build.record(status="unsupported", reason="no GPU here"))
    filled = {name for name, value in line.items() if value}
    assert filled == {
        *("trial_id", "cell_id", "label", "status", "reason", "notes"),
        *(set(Cell.model_fields) - {"learning_rate", "cpu_threads"}),
        *("per_replica_batch", "seed", "repeat"),
    }


def test_text_from_files_is_no_formula_and_no_second_line(build, written):
    """A reason that starts with a formula sign opens harmlessly in a spreadsheet."""
    lines = written(build.record(status="error", reason='=HYPERLINK("http://x")\n2', log="+a"), build.record(seed=1))
    assert len(lines) == 2
    assert lines[0]["reason"] == '\'=HYPERLINK("http://x") 2'
    assert lines[0]["notes"].startswith("'=")
    assert lines[0]["log"] == "'+a"


def test_trials_of_one_cell_keep_their_own_lines_in_order(build, written):
    """Nothing is aggregated or sorted for programs."""
    lines = written(build.record(seed=3), build.record({"xla": True}), build.record(seed=1))
    assert [line["seed"] for line in lines] == ["3", "0", "1"]


def test_place_under_the_roof_has_its_columns(build, written):
    """MFU, intensity, share and roof are there with ceilings; what needs none is there without."""
    work = {"training_flops_per_image": 10**7, "training_bytes_per_image": 10**7}
    record = build.record(step_s=[0.1] * 16, **work)
    (line,) = written(record, ceilings=build.ceilings())
    assert float(line["mfu"]) == pytest.approx(0.1)
    assert float(line["roofline_share"]) == pytest.approx(1.0)
    assert line["roof"] == "memory"
    (line,) = written(record)
    assert (line["mfu"], line["roofline_share"], line["roof"]) == ("", "", "")
    assert float(line["operational_intensity_flops_per_byte"]) == pytest.approx(1)
    assert float(line["training_flops_per_s"]) == pytest.approx(2e10)


def test_diagnosis_and_harness_cost_have_their_columns(build, written):
    """The bound, and every share with its bounds; the rounds themselves are for the records."""
    rounds = [{"as_is": 0.1, "fused": 0.09, "resident": resident} for resident in [0.04, 0.06] * 6]
    harness = HarnessCost(span_s=10.0, cpus=2, parent_cpu_s=0.02, watchdog_cpu_s=None, exchanged_bytes=488)
    diagnosed, plain = written(
        build.record(step_s=[0.1] * 8, diagnosis=rounds, harness=harness), build.record(seed=1, step_s=[0.1] * 8)
    )
    assert "diagnosis" not in diagnosed
    assert (diagnosed["bound_by"], diagnosed["diagnosis_rounds"]) == ("input", "12")
    shares = {name: [diagnosed[f"{name}_share{bound}"] for bound in ("", "_low", "_high")] for name in COSTS}
    assert {name: [float(figure) for figure in figures] for name, figures in shares.items()} == {
        "input": pytest.approx([0.4, 0.3, 0.5]),
        "dispatch": pytest.approx([0.1, 0.1, 0.1]),
        "communication": [0, 0, 0],
        "compute": pytest.approx([0.5, 0.4, 0.6]),
    }
    expected = {"span_s": "10.0", "cpus": "2", "parent_cpu_s": "0.02", "watchdog_cpu_s": "", "exchanged_bytes": "488"}
    assert {name: diagnosed[f"harness_{name}"] for name in expected} == expected
    assert float(diagnosed["harness_cpu_share"]) == pytest.approx(0.002)
    empty = [name for name in plain if name.startswith("harness_") or "_share_" in name]
    assert len(empty) == 6 + 8
    assert {plain[name] for name in [*empty, "bound_by", "diagnosis_rounds", "input_share"]} == {""}


def test_too_few_rounds_are_counted_and_say_nothing(build, written):
    """Five rounds are on the line, with no bound and no shares."""
    (line,) = written(build.record(step_s=[0.1] * 8, diagnosis=[{"as_is": 0.1, "fused": 0.05}] * 5))
    assert (line["diagnosis_rounds"], line["bound_by"], line["dispatch_share"]) == ("5", "", "")
