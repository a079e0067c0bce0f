"""The noise of identical code, kept for this very unit."""

import math
from pathlib import Path
from typing import Any

import pytest

from bench.store.noise import Noise, keep_noise, pooled, read_noise
from bench.store.pairs import Mode

ENVIRONMENT = {"exact_unit": "0123456789abcdef", "usable_cpus": 2, "packages": {"tensorflow-cpu": "2.21.0"}}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "mnist-cnn-bench"


def noise(sd: float, cell_id: str = "aaaa", pairs: int = 5, mode: Mode = "interleaved", **more: Any) -> Noise:
    told = {"created_utc": "2026-01-02T03:04:05+00:00", "pair_s": 12.0, "precision": 0.02, "turns_per_window": 4} | more
    return Noise(cell_id=cell_id, mode=mode, pairs=pairs, sd=sd, **told)


def test_what_is_kept_is_read_back_on_the_same_unit():
    """Newest last; another unit has none of it."""
    for sd in (0.01, 0.02):
        keep_noise(ENVIRONMENT, noise(sd))
    assert read_noise(ENVIRONMENT) == ([noise(0.01), noise(0.02)], [])
    assert read_noise(ENVIRONMENT | {"exact_unit": "f" * 16}) == ([], [])


def test_variances_are_pooled_by_their_freedom():
    """Five pairs of sd 0.01 and three of 0.03: √((4 · 0.0001 + 2 · 0.0009) / 6)."""
    found = pooled([noise(0.01), noise(0.03, pairs=3)], "aaaa", "interleaved", 12.0, 0.02)
    assert found
    assert found.sd == pytest.approx(math.sqrt((4 * 0.0001 + 2 * 0.0009) / 6))
    assert found.freedom == 6


def test_the_own_cell_counts_before_others():
    """Another cell's noise is better than none, and worse than the cell's own."""
    recorded = [noise(0.01), noise(0.05, cell_id="bbbb")]
    own, others = (pooled(some, "aaaa", "interleaved", 12.0, 0.02) for some in (recorded, recorded[1:]))
    assert own
    assert others
    assert (own.sd, own.freedom) == pytest.approx((0.01, 4))
    assert (others.sd, others.freedom) == pytest.approx((0.05, 0)), "a floor alone"
    assert pooled([], "aaaa", "interleaved", 12.0, 0.02) is None


def test_only_pairs_of_the_same_kind_count():
    """Pairs that ran in turn, and longer or finer ones, say nothing of short and rough ones side by side."""
    assert pooled([noise(0.01, mode="in turn")], "aaaa", "interleaved", 12.0, 0.02) is None
    assert pooled([noise(0.01)], "aaaa", "interleaved", 4.0, 0.02) is None
    assert pooled([noise(0.01)], "aaaa", "interleaved", 20.0, 0.02)
    assert pooled([noise(0.01)], "aaaa", "interleaved", 12.0, 0.05) is None
    assert pooled([noise(0.01)], "aaaa", "interleaved", 12.0, 0.01)
    assert pooled([noise(0.01, precision=None)], "aaaa", "interleaved", 12.0, 0.02) is None
    assert pooled([noise(0.01, turns_per_window=1)], "aaaa", "interleaved", 12.0, 0.02) is None
    assert pooled([noise(0.01, mode="in turn", turns_per_window=1)], "aaaa", "in turn", 12.0, 0.02)
    assert pooled([noise(0.01, mode="in turn", precision=None)], "aaaa", "in turn", 12.0, 0.02)


def test_rough_pairs_count_only_where_there_are_none_of_the_same_rules():
    """What a quick gate of 4 s and 5 % recorded of this cell is no floor for one of 12 s and 2 % that has its own."""
    rough, fine = noise(0.05, pair_s=4.0, precision=0.05), noise(0.01, cell_id="bbbb")
    alone = pooled([rough], "aaaa", "interleaved", 12.0, 0.02)
    assert alone is not None
    assert (alone.sd, alone.freedom) == (pytest.approx(0.05), rough.pairs - 1)
    both = pooled([rough, fine], "aaaa", "interleaved", 12.0, 0.02)
    assert both is not None
    assert (both.sd, both.freedom) == (pytest.approx(0.01), 0)


def test_only_the_newest_hundred_are_kept():
    """A file that every run adds to does not grow for ever."""
    for number in range(105):
        keep_noise(ENVIRONMENT, noise(0.01 + number / 1e4))
    recorded, _ = read_noise(ENVIRONMENT)
    assert len(recorded) == 100
    assert recorded[-1].sd == pytest.approx(0.0204)


@pytest.mark.parametrize("content", ["{", "[]", '{"exact_unit": "x", "recorded": [{"sd": -1}]}', "x" * 2_000_000])
def test_a_file_that_is_none_is_ignored_with_one_line(own_cache: Path, content: str):
    """Whatever stands there, the comparison goes on without it."""
    keep_noise(ENVIRONMENT, noise(0.01))
    (path,) = own_cache.iterdir()
    path.write_text(content)
    recorded, (line,) = read_noise(ENVIRONMENT)
    assert recorded == []
    assert line.startswith(f"{path}: ignored: ")


def test_a_machine_that_cannot_be_told_apart_keeps_nothing(own_cache: Path):
    """Without an exact unit nothing is written and nothing is read."""
    unknown = ENVIRONMENT | {"exact_unit": None}
    keep_noise(unknown, noise(0.01))
    assert not own_cache.exists()
    assert read_noise(unknown) == ([], [])
