"""What a search for the largest batch found, in one line for each cell."""

from typing import Any

import pytest

from bench.report.account import account_of
from bench.report.largest import largest_batches
from bench.report.summary import write_summary
from bench.trial import Cell, Trial

GIB = 2**30


def search(build: Any, *statuses: str, **settings: Any) -> list[Any]:
    """Records of one cell at 64, 128 … a replica, with these statuses, of 600 images, and one GiB for every batch."""
    first = 64 * settings.get("replicas", 1)
    return [
        build.record(
            {"epochs": 0, "global_batch": first << number, **settings},
            status=status,
            train_images=600,
            peak_host_memory_bytes=GIB << number if status == "ok" else None,
        )
        for number, status in enumerate(statuses)
    ]


def lines(build: Any, records: list[Any], **rest: Any) -> list[str]:
    return largest_batches(build.run(records, max_batch=True, **rest), build.cells(*records))


@pytest.mark.parametrize(
    ("statuses", "line"),
    [
        (["ok", "ok", "oom"], "largest batch that trained: 128 (256: out of memory); peak host memory 2,048 MiB"),
        (["ok", "error", "skipped"], "largest batch that trained: 64 (128: error); peak host memory 1,024 MiB"),
        (["ok", "skipped", "skipped"], "largest batch that trained: 64 (128: not tried); peak host memory 1,024 MiB"),
        (
            ["ok", "ok", "ok", "ok"],
            "512, the largest power of two within the training set, still trained; peak host memory 8,192 MiB",
        ),
        (["ok", "ok"], "128, the last of the search, still trained; peak host memory 2,048 MiB"),
        (["oom", "skipped"], "no batch trained (64: out of memory)"),
        (["unsupported", "unsupported"], "no batch trained (64: unsupported)"),
    ],
)  # fmt: skip
def test_one_line_for_a_cell(build: Any, statuses: list[str], line: str) -> None:
    """The largest batch, what ended the search there, and the memory that it took."""
    assert lines(build, search(build, *statuses)) == [f"epochs=0: {line}"]


def test_cells_are_named_by_what_differs(build: Any) -> None:
    """Each has its line; a batch of several replicas tells the share of each, and device memory goes first."""
    two = search(build, "ok", "oom", strategy="mirrored", replicas=2, device="gpu")
    two[0] = two[0].model_copy(update={"peak_device_memory_bytes": 3 * GIB})
    one, other = lines(build, [*search(build, "ok", "oom"), *two])
    assert one == "default: largest batch that trained: 64 (128: out of memory); peak host memory 1,024 MiB"
    assert other == (
        "mirrored gpu ×2: largest batch that trained: 128 (64 on each of 2 replicas) (256: out of memory); "
        "peak device memory 3,072 MiB"
    )


def test_search_that_has_not_ended(build: Any) -> None:
    """What was interrupted has no record of larger batches, and says so instead of claiming a limit."""
    records = search(build, "ok", "ok")
    more = Trial(cell=Cell(epochs=0, global_batch=256))
    told = lines(build, records, trials=[*(record.trial for record in records), more])
    assert told == ["epochs=0: largest batch that trained: 128 (larger ones: not tried); peak host memory 2,048 MiB"]
    assert lines(build, [], trials=[more]) == ["epochs=0: no batch trained (none was tried)"]


def test_repeat_that_fails_makes_a_batch_too_large(build: Any) -> None:
    """A batch trains only if all its trials did."""
    records = search(build, "ok", "ok")
    flaky = build.record({"epochs": 0, "global_batch": 128}, status="oom", repeat=1)
    assert lines(build, [*records, flaky])[0].startswith(
        "epochs=0: largest batch that trained: 64 (128: out of memory)"
    )


def test_summary_begins_with_what_was_searched(build: Any, tmp_path: Any) -> None:
    """Which of the batches was the fastest in five seconds is not what a search asks."""
    records = search(build, "ok", "oom")
    write_summary(tmp_path / "s.md", account_of(build.run(records, max_batch=True), build.cells(*records)))
    text = (tmp_path / "s.md").read_text(encoding="utf-8")
    line = "- **epochs=0: largest batch that trained: 64 (128: out of memory); peak host memory 1,024 MiB**"
    assert text.index(line) < text.index("## Results")
    assert "No cell was measured" not in text
    assert largest_batches(build.run(records), build.cells(*records)) == []


def test_a_cell_that_was_never_planned_is_passed_over(build: Any) -> None:
    """Where lines of another run were put into this one's file, what was searched is told all the same."""
    stray = build.record({"epochs": 0, "xla": True, "global_batch": 64}, status="oom")
    records = search(build, "ok", "oom")
    (line,) = largest_batches(build.run(records, max_batch=True), build.cells(*records, stray))
    assert line.startswith("epochs=0: largest batch that trained: 64 (128: out of memory)")
