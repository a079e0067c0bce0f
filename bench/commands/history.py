"""`bench report --history`: the runs of one machine through time, on the terminal and as a page."""

import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.display import result_console, say, warn
from bench.errors import UsageError
from bench.report.further import for_terminal
from bench.report.pictures.canvas import SUFFIXES, Picture
from bench.several.history.machines import of_one_machine
from bench.several.history.page import write_history_page
from bench.several.history.past import PastRun, read_past, run_folders
from bench.several.history.picture import plot_figure
from bench.several.history.series import FIGURES
from bench.several.history.sheet import write_history_csv
from bench.several.history.timeline import History
from bench.several.history.told import advice, breaks_told, cells_table, finding, reach
from bench.store.runs import replacing

PAGE = "history.html"


def report_history(places: Sequence[Path], machine: str | None, out: Path | None) -> int:
    """Follow the runs in these folders through time; one that cannot be read is told of and skipped.

    Returns 0, whatever shifted: a history advises. Raises UsageError where nothing can be read, or runs are of several
    machines of which `machine` names none.
    """
    gc.disable()  # records of many runs are read and gone: the collector would look through all of them again
    folders = run_folders(places)
    history = History(tuple(of_one_machine(_readable(folders), machine)))
    folder = out or _beside(places[0]) / "history"
    folder.mkdir(parents=True, exist_ok=True)
    _tell(history)
    write_history_page(folder / PAGE, history, _draw(folder, history))
    with replacing(folder / "history.csv") as path:
        write_history_csv(path, history)
    say(result_console(), f"History: {folder / PAGE}")
    return 0


def _readable(folders: Sequence[Path]) -> list[PastRun]:
    runs = []
    for folder in folders:
        try:
            run, damage = read_past(folder)
        except UsageError as error:
            print(f"bench: {error}; skipped", file=sys.stderr)
            continue
        warn(damage)
        runs.append(run)
    if not runs:
        raise UsageError("no run could be read; give run folders, as `bench run` makes below results/")
    return runs


def _beside(place: Path) -> Path:
    """The folder that runs lie in."""
    return place.resolve().parent if (place / "run.json").exists() else place


def _tell(history: History) -> None:
    console = result_console()
    console.print(for_terminal(cells_table(history)))
    say(console, f"{finding(history)}.", *(f"- {line}" for line in [*advice(history), *breaks_told(history)]))
    say(console, *filter(None, reach(history)))


def _draw(folder: Path, history: History) -> list[Picture]:
    """A picture for each figure; the file of one that no run has is removed."""
    pictures = []
    for name, figure in FIGURES.items():
        for suffix in SUFFIXES:
            (folder / name).with_suffix(suffix).unlink(missing_ok=True)
        pictures.append(plot_figure(folder / name, history, figure))
    return [picture for picture in pictures if picture]
