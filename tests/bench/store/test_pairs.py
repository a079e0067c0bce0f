"""A stored comparison, read back as it was written, also when the files are damaged or hostile."""

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.store.pairs import create_comparison, read_comparison
from tests.bench.guard.live.pairs import accuracy_of, comparison_of, pair_of


def test_comparison_is_read_back(tmp_path: Path):
    """Head, pairs and accuracies come back equal to what was written."""
    writer = create_comparison(tmp_path, comparison_of())
    pairs, seeds = [pair_of(number=0), pair_of(-0.05, number=1)], [accuracy_of(0, 0.98, 0.97)]
    for pair in pairs:
        writer.pair(pair)
    writer.accuracy(seeds[0])
    stored = read_comparison(writer.folder)
    assert (stored.comparison, stored.pairs, stored.accuracies, stored.damage) == (comparison_of(), pairs, seeds, [])
    assert writer.log("0-a").parent.is_dir()


def test_damaged_lines_are_listed_and_skipped(tmp_path: Path):
    """A torn line and one of nonsense cost nothing but themselves."""
    writer = create_comparison(tmp_path, comparison_of())
    writer.pair(pair_of())
    with (writer.folder / "pairs.jsonl").open("a") as stream:
        stream.write('{"number": "one"}\n{"number": 2, "mo')
    stored = read_comparison(writer.folder)
    assert len(stored.pairs) == 1
    assert len(stored.damage) == 2
    writer.pair(pair_of(number=3))
    assert [pair.number for pair in read_comparison(writer.folder).pairs] == [0, 3]


@pytest.mark.parametrize("content", ["{", "[]", '{"margin": "a"}', "\x00", '{"margin": 1e999}'])
def test_a_head_that_is_none_is_one_line(tmp_path: Path, content: str):
    """Whatever stands in ab.json, the error is one line that names the file."""
    (tmp_path / "ab.json").write_text(content)
    with pytest.raises(UsageError, match=r"ab\.json"):
        read_comparison(tmp_path)


def test_a_folder_without_a_head_says_what_to_give(tmp_path: Path):
    """A folder of something else is told from a damaged one."""
    with pytest.raises(UsageError, match="give a folder that `bench ab` made"):
        read_comparison(tmp_path)
