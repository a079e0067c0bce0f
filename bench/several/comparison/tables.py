"""Machines side by side as tables: the runs, what differs, how fast on the whole, and every cell of every run."""

from collections import Counter

from bench.guard.stored.compare import PROCESSES, WITHIN, Compared, Comparison, Mean
from bench.guard.stored.comparison_heading import difference_lines
from bench.guard.stored.comparison_table import devices_told, finding
from bench.guard.stored.differences import Differences, differences_of, facts_of
from bench.guard.stored.machines import machine_words, same_unit, text_of
from bench.report.cells import FEWEST_PROCESSES, CellSummary
from bench.report.further import Further
from bench.report.harness import harness_remark
from bench.report.names import short_names
from bench.report.text import mebibytes, percent, printable, shorten, significant, with_interval
from bench.several.comparison.together import Together
from bench.trial import Cell

_RUNS = ["run", "folder", "begun (UTC)", "host", "machine", "TensorFlow", "suite", "cells measured"]
ABSENT = "not in it"


def standing(found: Together) -> str:
    """How far a comparison of these runs goes."""
    if same_unit([run.stored.run.environment for run in found.runs]):
        return (
            "All ran on one exact unit, one after the other: what lies between them is also the time between them. "
            "Whether one is a change tells bench compare --verdict, by 5 runs or more before it, or bench ab, "
            "interleaved now."
        )
    return (
        "They did not all run on one exact unit, or it is not known: these are ratios of machines, with all that "
        "differs between them. They describe, and judge nothing."
    )


def findings(found: Together) -> list[str]:
    """How fast each run is beside the reference, a sentence each."""
    return [f"{finding(one)}." for one in found.comparisons]


def runs_table(found: Together) -> Further:
    """A line for each run, and what the harness cost in each."""
    names = Counter(run.name for run in found.runs)
    lines = [_run_line(run, alone=names[run.name] == 1) for run in found.runs]
    costs = [(run.letter, harness_remark([row for cell in run.cells for row in cell.rows])) for run in found.runs]
    return Further("Runs", _RUNS, lines, tuple(f"{letter}: {cost}" for letter, cost in costs if cost))


def _run_line(run: Compared, *, alone: bool) -> list[str]:
    """With the folder above where another run's has the same name."""
    folder = run.name if alone else f"{run.stored.folder.resolve().parent.name}/{run.name}"
    stored, environment = run.stored.run, run.stored.run.environment
    packages = environment.get("packages")
    versions = packages if isinstance(packages, dict) else {}
    tensorflow = text_of(versions, "tensorflow") or text_of(versions, "tensorflow-cpu") or ""
    measured = sum(cell.ok and bool(cell.throughput_images_per_s) for cell in run.cells)
    return [
        *(run.letter, shorten(folder, 100), printable(stored.created_utc)[:16].replace("T", " ")),
        *(text_of(environment, "host") or "", machine_words(environment), tensorflow, printable(stored.suite)),
        f"{measured}/{len(run.cells)}",
    ]


def _differences(found: Together) -> Differences:
    return differences_of([facts_of(run.stored.run) for run in found.runs])


def differences_told(found: Together) -> list[str]:
    """What differs between the environments, a line each."""
    return difference_lines(_differences(found), [run.letter for run in found.runs])


def differences_table(found: Together) -> Further:
    """What differs between the environments, a line for each fact with its words in each run."""
    differ = _differences(found)
    told = (
        "Nothing that is recorded." * (not differ.found),
        f"And {differ.more} more." if differ.more else "",
        f"Not recorded by all: {', '.join(differ.untold)}." if differ.untold else "",
    )
    lines = [[one.what, *one.values] for one in differ.found]
    return Further("What differs", ["what", *(run.letter for run in found.runs)], lines, told)


def means_table(found: Together) -> Further:
    """The geometric mean of the ratios of each run, over all cells that it shares with the reference."""
    lines = [[one.other.letter, *_mean_words(one.mean, one.mean_of_known)] for one in found.comparisons if one.mean]
    told = (
        "The geometric mean is over the cells that both measured as a speed. Its interval holds the errors of these "
        "cells, taken as independent: it says nothing of other cells, nor of what moved all cells of one run alike."
    )
    headers = ["run", f"images/s ÷ {found.first.letter}\n(95 % interval)", "cells", "lowest to highest"]
    headers += ["of those with\nan interval", "how\nmany"]
    filled = [place for place in range(len(headers)) if any(line[place] for line in lines)]
    headers, lines = [headers[place] for place in filled], [[line[place] for place in filled] for line in lines]
    return Further("On the whole", headers, lines, (told if lines else "No cell was measured as a speed in common.",))


def _mean_words(mean: Mean, known: Mean | None) -> list[str]:
    words = [with_interval(mean.value, mean.interval), str(mean.cells)]
    words.append(f"{significant(mean.lowest)} to {significant(mean.highest)}")
    return [*words, *([with_interval(known.value, known.interval), str(known.cells)] if known else ["", ""])]


def speeds_table(found: Together) -> Further:
    """images/s of every cell in every run, and how many times the reference's that is."""
    others = [run for run in found.runs if run is not found.first]
    headers = ["cell", *(f"{run.letter} images/s (95 % interval)" for run in found.runs)]
    headers += [f"{run.letter} ÷ {found.first.letter} (95 % interval)" for run in others]
    lines = [
        [name, *map(_speed, found.found(cell)), *(_ratio(found, run, cell) for run in others)]
        for name, cell in _named(found)
    ]
    return Further("images/s", headers, lines, tuple(_speeds_told(found)))


def _speeds_told(found: Together) -> list[str]:
    joined = [one for comparison in found.comparisons for one in comparison.joined]
    return [
        *(line for one in found.comparisons if (line := devices_told(one))),
        *(line for one in found.comparisons if (line := _overs_told(one))),
        "Functional: replicas share cores; no measure of speed." * any(one.functional for one in joined),
        f"{ABSENT}: the run does not have that cell; a status: it has, and did not measure it."
        * any(cell is None for one in found.cells for cell in found.found(one)),
    ]


def _overs_told(one: Comparison) -> str:
    """What the intervals of a run's ratios are over."""
    counts = Counter(joined.throughput.over.split(",")[0] for joined in one.joined)
    meant = {
        PROCESSES: f"between {FEWEST_PROCESSES} processes or more a side, which is what a rerun would give",
        WITHIN: "within these very processes, which says nothing about a rerun",
    }
    words = [f"{counts[over]} {words}" for over, words in meant.items() if counts[over]]
    return f"Intervals of {one.other.letter} ÷ {one.reference.letter}: {'; '.join(words)}." if words else ""


def costs_table(found: Together) -> Further:
    """Peak memory and test accuracy of every cell in every run."""
    letters = [run.letter for run in found.runs]
    headers = ["cell", *(f"{one} peak MiB" for one in letters), *(f"{one} test acc %" for one in letters)]
    lines = [
        [name, *map(_memory, found.found(cell)), *map(_accuracy, found.found(cell))] for name, cell in _named(found)
    ]
    other_data = any(not one.same_data for one in found.comparisons)
    told = (
        "Memory is the device's on GPUs, else the host's.",
        "The data sets differ: accuracies are not of the same test images." * other_data,
    )
    return Further("Memory and accuracy", headers, lines, told)


def _named(found: Together) -> list[tuple[str, Cell]]:
    names, _ = short_names(found.cells) if found.cells else ([], "")
    return list(zip(names, found.cells, strict=True))


def _speed(cell: CellSummary | None) -> str:
    if cell is None:
        return ABSENT
    if not cell.ok or not cell.throughput_images_per_s:
        return cell.status if cell.status != "ok" else ""
    return with_interval(cell.throughput_images_per_s, cell.interval)


def _ratio(found: Together, run: Compared, cell: Cell) -> str:
    joined = found.joined(run, cell)
    if joined is None:
        return ""
    return with_interval(joined.throughput.value, joined.throughput.interval) + " functional" * joined.functional


def memory_bytes(cell: CellSummary) -> int | None:
    """The peak of what its replicas compute on."""
    return cell.peak_device_memory_bytes if cell.cell.kind == "gpu" else cell.peak_host_memory_bytes


def _memory(cell: CellSummary | None) -> str:
    return mebibytes(memory_bytes(cell)) if cell and cell.ok else ""


def _accuracy(cell: CellSummary | None) -> str:
    return percent(cell.learned_accuracy) if cell else ""
