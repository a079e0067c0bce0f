"""`bench forecast`: step time and efficiency on more replicas than there are here, from a stored run."""

import gc
import sys
from pathlib import Path

from bench.display import result_console
from bench.errors import UsageError
from bench.report.cells import summarise
from bench.report.forecast import curves_of, forecast_table
from bench.report.further import for_markdown, for_terminal
from bench.report.pictures.forecast import plot_forecast
from bench.report.rows import rows_of
from bench.report.text import shorten
from bench.store.runs import read_run

MOST_REPLICAS = 1_000_000
_LONGEST = 9
"""Digits of a number; Python refuses to read thousands of them."""


def forecast_run(folder: Path, replicas: str) -> int:
    """Print the forecasts of a run, and write them and their picture into its report. Raises UsageError without any."""
    counts = counts_of(replicas)
    gc.disable()  # what is read stays until the end
    stored = read_run(folder)
    print(*stored.damage, sep="\n", end="\n" if stored.damage else "", file=sys.stderr)
    curves = curves_of(summarise(rows_of(stored.run, stored.records)), counts)
    if not curves:
        raise UsageError(
            f"{folder}: nothing to forecast from; it takes a cell of 1 replica and one of several, on cores of their "
            "own, with the same settings and measured all-reduces, as the suite scaling has them"
        )
    table, plots = forecast_table(curves), folder / "report" / "plots"
    result_console().print(for_terminal(table))
    plots.mkdir(parents=True, exist_ok=True)
    plot_forecast(plots / "forecast", curves)
    title, picture = f"# Forecast from a run of suite {stored.run.suite}", "![forecast](plots/forecast.png)"
    text = f"{title}\n\n{for_markdown(table)}\n\n{picture}\n"
    (folder / "report" / "forecast.md").write_text(text, encoding="utf-8")
    print(f"Forecast: {folder / 'report' / 'forecast.md'}")
    return 0


def counts_of(words: str) -> list[int]:
    """Numbers of replicas from `2,4,8`; raises UsageError for what is none."""
    counts = [int(word) if len(word) < _LONGEST and word.strip().isdecimal() else 0 for word in words.split(",")]
    if not all(2 <= count <= MOST_REPLICAS for count in counts):
        raise UsageError(f"--replicas {shorten(words, 60)}: give numbers from 2 on, such as 2,4,8")
    return sorted(set(counts))
