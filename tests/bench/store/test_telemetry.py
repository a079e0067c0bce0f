"""Telemetry files as samplers write them, and as crashes and strangers leave them."""

import json
import math
from pathlib import Path

import pytest

from bench.measure.energy import Stretch
from bench.measure.telemetry import figures_of
from bench.store.telemetry import joined, read_telemetry

HEADER = {"gpus": ["GPU-a", "GPU-b"], "columns": ["power_w", "energy_j"], "period_s": 0.1}


@pytest.fixture
def written(tmp_path: Path):
    """Writes lines, objects as JSON and text as it is, and reads them."""

    def write(*lines: object):
        path = tmp_path / "t.jsonl"
        words = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text("\n".join(words), encoding="utf-8", errors="surrogateescape")
        return read_telemetry(path)

    return write


def test_samples_are_sorted_by_gpu_and_time(written):
    """Each GPU has its own, null is NaN, and one that told nothing has none."""
    told = written(HEADER, [2.0, 0, 110.0, None], [1.0, 0, 100.0, 5], [1.0, 7, 1, 1])
    assert [len(gpu.at_s) for gpu in told.gpus.values()] == [2, 0]
    gpu = told.gpus["GPU-a"]
    assert gpu.at_s.tolist() == [1.0, 2.0]
    assert gpu.columns["power_w"].tolist() == [100.0, 110.0]
    assert math.isnan(gpu.columns["energy_j"][1])


def test_asides_are_kept(written):
    """What was lost, the highest memory of each process, and what sampling took, by the last word on it."""
    told = written(
        HEADER,
        {"processes": 0, "at_s": 1, "of": [[7, 500], [8, None]]},
        {"processes": 1, "at_s": 1, "of": [[7, 900]]},
        {"processes": 0, "at_s": 2, "of": [[7, 400]]},
        {"cpu_s": 0.1, "span_s": 10},
        {"cpu_s": 0.3, "span_s": 20},
        {"lost": 1, "at_s": 3.0, "reason": "GPU is lost"},
    )
    assert told.processes == {7: 900, 8: None}
    assert told.cpu_share == pytest.approx(0.015)
    assert told.lost == {"GPU-b": "GPU is lost"}


def test_noise_before_the_header_is_passed_over(written):
    """A login banner, a sample of nobody."""
    told = written("Welcome!", [1.0, 0, 1, 2], HEADER, [1.0, 0, 100.0, 5])
    assert told.gpus["GPU-a"].at_s.tolist() == [1.0]


@pytest.mark.parametrize(
    "line",
    [
        "[1.0, 0, 100.0, 5", "[" * 5000, [1.0, 0, 100.0], [1.0, -1, 1, 1], [1.0, True, 1, 1], [1.0, "0", 1, 1], [],
        {"lost": 9}, {"lost": "GPU-a"}, {"processes": 0, "of": 3}, {"processes": 0, "of": [[1], "x", [None, 2]]},
        {"span_s": 0, "cpu_s": 1}, {"span_s": "x"}, 3, None, "x" * 20_000, [None, 0, 1, 1], ["now", 0, 1, 1],
        [10**400, 0, 1, 1], "[Infinity, 0, 1, 1]", [1e300, 0, 1, 1], {"span_s": 10**400, "cpu_s": 1},
        {"gpus": ["GPU-c"], "columns": []},
    ],
)  # fmt: skip
def test_line_that_is_none_of_ours_changes_nothing(written, line):
    """Torn, of the wrong length or kind, of no GPU, without a time: the good lines around it stay."""
    good = [HEADER, [1.0, 0, 100.0, 5]]
    told = written(*good, line, [2.0, 0, 100.0, 6])
    assert told.gpus["GPU-a"].at_s.tolist() == [1.0, 2.0]
    assert (told.lost, told.processes, told.cpu_share) == ({}, {}, None)


@pytest.mark.parametrize("value", ["Infinity", "NaN", "1e999", "1e300", "-1e300", "9223372036854775808"])
def test_number_that_no_counter_shows_is_not_told(written, value):
    """Whatever figure it stands for, that is empty; nothing is raised and the others stay."""
    names = ["memory_used_bytes", "event_reasons", "ecc_errors", "energy_j", "nvlink_tx_bytes", "power_w"]
    lines = [f"[{at_s}.0, 0, {', '.join([value] * 5)}, 70]" for at_s in range(30)]
    told = written({"gpus": ["GPU-a"], "columns": names}, *lines)
    found = figures_of(list(told.gpus.values()), [(1.0, 10.0), (11.0, 10.0)], Stretch(1.0, 21.0, 100, 0.0))
    assert found.power_w == 70
    assert (found.nvml_peak_memory_bytes, found.throttled_windows, found.ecc_errors, found.energy_j) == (None,) * 4


def test_file_without_samples_says_why(written, tmp_path):
    """No file, an empty one, and one whose sampler found no driver."""
    assert read_telemetry(tmp_path / "none.jsonl").reason == "no telemetry was kept"
    assert written("").reason == "the sampler wrote nothing"
    assert written({"gpus": [], "columns": 5}).gpus == {}
    assert written({"gpus": [], "reason": "NVML: Driver Not Loaded"}).reason == "NVML: Driver Not Loaded"


def test_hosts_are_joined_on_the_first_ones_clock(written):
    """Equal UUIDs of two hosts stay two GPUs; a clock that is ahead is set back."""
    first = written(HEADER | {"host": "n1"}, [1.0, 0, 100.0, 5])
    second = written(HEADER | {"host": "n2"}, [901.5, 0, 200.0, 5], {"lost": 1, "reason": "GPU is lost"})
    told = joined([(first, 0.0), (second, 900.0)])
    assert [(name, gpu.at_s.tolist()) for name, gpu in told.gpus.items()] == [
        ("GPU-a on n1", [1.0]),
        ("GPU-b on n1", []),
        ("GPU-a on n2", [1.5]),
        ("GPU-b on n2", []),
    ]
    assert told.lost == {"GPU-b on n2": "GPU is lost"}


def test_host_that_cannot_be_joined_leaves_no_sum(written):
    """Nothing told, or a clock that nobody compared: there is a GPU without samples, and why."""
    first = written({"host": "n1", "gpus": ["GPU-a"], "columns": ["power_w"]}, [1.0, 0, 100.0], [2.0, 0, 100.0])
    assert figures_of(list(first.gpus.values()), [(1.0, 1.0)], None).power_w == 100
    refused = written({"host": "n2", "gpus": [], "reason": "NVML: Driver Not Loaded"})
    for other, why in ((first, "clock"), (refused, "Driver"), (written(""), "wrote nothing")):
        told = joined([(first, 0.0), (other, None)])
        assert figures_of(list(told.gpus.values()), [(1.0, 1.0)], None).power_w is None
        assert any(why in reason for reason in told.lost.values())
