"""What stands on the terminal."""

import io

import pytest
from rich.console import Console

from bench.report.tables import grid_of, results_table
from bench.store.record import HarnessCost


@pytest.fixture
def shown(build):
    def show(*records, width=100):
        stream = io.StringIO()
        Console(file=stream, width=width).print(results_table(grid_of(build.cells(*records)), width))
        return stream.getvalue()

    return show


def star(build):
    """A star as a quick run on a CPU gives it: all kinds of cells."""
    measured = {
        "first_step_s": 1.83,
        "import_host_memory_bytes": 498 * 2**20,
        "peak_host_memory_bytes": 712 * 2**20,
        "stopped_by": "epochs",
    }
    plain = [{}, {"global_batch": 1600}, {"engine": "fit"}, {"precision": "mixed_bfloat16"}, {"input": "synthetic"}]
    steady = [0.0499, 0.0502] * 8
    return [
        *(build.record(cell, step_s=steady, accuracies=[0.9893], **measured) for cell in plain),
        build.record({"strategy": "mirrored", "replicas": 2}, step_s=steady, accuracies=[0.9893], **measured),
        build.record({"precision": "mixed_float16"}, step_s=steady, **measured | {"stopped_by": "budget"}),
        build.record({"xla": True}, status="unsupported", reason="no XLA [here]"),
    ]


def test_line_has_the_figures_of_the_cell(build, shown):
    """Throughput with its interval, step times in ms, first step in s, memory in MiB, accuracy in percent."""
    line = next(line for line in shown(*star(build), width=110).splitlines() if line.startswith("default"))
    assert line.split() == [
        *("default", "ok", "3,996", "(3,987–4,005)", "windows", "50.0", "/", "50.2", "1.83", "498", "712", "98.93"),
        "epochs",
    ]


def test_table_of_a_star_fits_100_columns(build, shown):
    """Nothing is cut off; an interval stands whole beneath its figure, and no column had to go."""
    text = shown(*star(build))
    assert "…" not in text
    starts = ["global_batch=1600 ok", "mixed_float16", "mirrored ×2", "xla", "input=synthetic"]
    assert all(any(line.startswith(start) for line in text.splitlines()) for start in starts)
    assert "(31,898–32,038)" in [word for line in text.splitlines() for word in line.split()]
    assert "for want of room" not in text
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100


def test_reasons_stand_beneath_as_numbered_notes(build, shown):
    """A bracket in a reason is no markup, and a note that two cells have is there once."""
    failed = build.record({"engine": "fused"}, status="error", reason="no XLA [here]")
    text = shown(*star(build), failed, width=110)
    assert text.count("no XLA [here]") == 1
    assert "unsupported [1]" in text
    assert "error [1]" in text
    assert "[2] functional, not scaling: the replicas share the same cores" in text


def test_hostile_reason_cannot_steer_the_terminal(build, shown):
    """Escape sequences and line ends from a file are taken out."""
    text = shown(build.record(status="error", reason="\x1b[31mred\x07\nnext [/bold] line"))
    assert "\x1b" not in text
    assert "[1] [31mred next [/bold] line" in text


def test_device_memory_and_trials_have_columns_only_where_there_are_any(build, shown):
    """No column stands empty on a machine without an accelerator."""
    plain = build.record(step_s=[0.1] * 8)
    assert "device" not in shown(plain)
    assert "import" not in shown(plain)
    assert "trials" not in shown(plain)
    device = build.record(step_s=[0.1] * 8, seed=1, peak_device_memory_bytes=5 * 2**30)
    text = shown(plain, device, width=120)
    assert "5,120" in text
    assert "2/2" in text


def test_several_trials_show_spread_and_how_to_read_it(build):
    """Accuracy is mean ± sd over n seeds, and a remark says what the interval is between."""
    trials = [
        build.record(seed=seed, step_s=[0.1 + seed / 1000] * 8, accuracies=[0.98 + seed / 100]) for seed in range(3)
    ]
    grid = grid_of(build.cells(*trials))
    assert "99.00 ± 1.00 (n=3)" in grid.lines[0]
    assert any("the interval is between n processes" in remark for remark in grid.remarks)


@pytest.mark.parametrize(("processes", "over"), [(1, "windows"), (2, "none, n=2"), (3, "processes, n=3")])
def test_line_says_what_its_interval_is_over(build, processes, over):
    """Windows of one process or several processes; two processes have no interval, and the line says so."""
    trials = [build.record(repeat=repeat, step_s=[0.1 + repeat / 1000] * 8) for repeat in range(processes)]
    grid = grid_of(build.cells(*trials))
    assert grid.lines[0][grid.headers.index("\nover")] == over
    assert ("(" in grid.lines[0][grid.headers.index("images/s\n(95 % interval)")]) == (processes != 2)


def test_seconds_to_the_target_have_a_column_only_where_it_was_reached(build):
    """The head names the target, a line the median of those that reached it, and how many where not all did."""
    windows = build.windows([0.1] * 8, first_step_s=2.0)
    far = build.record(windows=windows, accuracies=[0.96, 0.96])
    assert not any(header.startswith("s to") for header in grid_of(build.cells(far, target=0.97)).headers)
    fast = build.record(seed=1, windows=windows, accuracies=[0.98, 0.98])
    slow = build.record(seed=2, windows=windows, accuracies=[0.96, 0.975])
    grid = grid_of(build.cells(far, fast, slow, target=0.97))
    # the epochs are evaluated 20 and 40 s after the first step began
    assert grid.lines[0][grid.headers.index("s to\n97 %")] == "30.0 (2/3)"


def test_note_of_one_trial_among_several_says_which(build):
    """A crash of one seed is not put on the others."""
    trials = [build.record(step_s=[0.1] * 8), build.record(status="error", seed=1, reason="died")]
    grid = grid_of(build.cells(*trials))
    assert (grid.lines[0][1], grid.marks[0], grid.numbered_lines[0][1]) == ("error 1/2", [1], "error 1/2 [1]")
    assert grid.footnotes == {"seed 1 repeat 0: died": 1}


def test_a_terminal_shows_sixty_notes_and_where_the_others_are(build, shown):
    """Hundreds would push the table off the screen."""
    failed = [build.record({"global_batch": 2 + n}, status="error", reason=f"no. {n}.") for n in range(70)]
    text = shown(*failed)
    assert "[60] no. 59." in text
    assert "no. 60." not in text
    assert "More notes in summary.md: 10." in text


def test_run_without_trials_has_an_empty_table(shown):
    """A run that was interrupted before its first trial can be reported."""
    assert "status" in shown()


def test_mfu_has_a_column_only_where_ceilings_are_known(build):
    """Percent of the measured matmul ceiling, of the pooled throughput; a cell whose precision has none is empty."""
    records = [
        build.record({"precision": precision}, step_s=[0.1] * 16, seed=seed, training_flops_per_image=25 * 10**6)
        for precision in ("float32", "mixed_bfloat16", "mixed_float16")
        for seed in (0, 1)
    ]
    assert "MFU\n%" not in grid_of(build.cells(*records)).headers
    grid = grid_of(build.cells(*records, ceilings=build.ceilings()))
    column = grid.headers.index("MFU\n%")
    assert {line[0]: line[column] for line in grid.lines} == {
        "default": "25.0",
        "mixed_bfloat16": "12.5",
        "mixed_float16": "",
    }


DIAGNOSED = {"diagnosis": [{"as_is": 0.1, "fused": 0.1, "resident": 0.077}] * 12}


def test_bound_has_a_column_only_where_a_cell_was_diagnosed(build, shown):
    """The bound, its share of the step and the interval of that; other cells have none."""
    plain = build.record({"engine": "fused"}, step_s=[0.1] * 8)
    assert "bound" not in shown(plain)
    text = shown(plain, build.record(step_s=[0.1] * 8, **DIAGNOSED), width=120)
    assert text.count("input 23 % (23–23)") == 1


def test_terminal_too_narrow_says_which_columns_it_left_out(build, shown):
    """With a diagnosis a star is wider than 100 columns: what goes is named, and no word is cut."""
    records = [record.model_copy(update=DIAGNOSED) if record.status == "ok" else record for record in star(build)]
    narrow, wide = shown(*records), shown(*records, width=160)
    assert "In summary.md, for want of room: import MiB, stopped by." in narrow
    assert "epochs" not in narrow
    assert "(31,898–32,038)" in narrow.replace("\n", " ").split()
    assert "global_batch=1600" in narrow
    assert max(len(line.rstrip()) for line in narrow.splitlines()) <= 100
    assert "for want of room" not in wide
    assert "31,968 (31,898–32,038)" in wide


def test_harness_cost_is_said_beneath_the_table(build, shown):
    """On the terminal as in every report; nothing where no trial recorded it."""
    harness = HarnessCost(span_s=8.0, cpus=2, parent_cpu_s=0.016, watchdog_cpu_s=0.0, exchanged_bytes=800)
    text = " ".join(shown(build.record(step_s=[0.1] * 8, harness=harness)).split())
    assert "Harness, at most: 0.20 % of a CPU's time (parent and watchdog)" in text
    assert "Harness" not in shown(build.record(step_s=[0.1] * 8))
