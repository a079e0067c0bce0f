"""The commands that read stored runs. What one needs is imported inside it, as in bench.cli."""

from pathlib import Path
from typing import Annotated

import typer

from bench.completion import FORMATS, formats, runs

stored = typer.Typer()

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.", autocompletion=runs)]


_AFTER_REPORT = (
    "NAME is a run's letter (A, B …), or the name of its folder, its host, its machine or machine class; of --machine "
    "also an exact unit, and no letter or folder.\n\n"
    "Exit codes: 0 reported, whatever the runs say; 2 wrong usage, or no run could be read."
)


@stored.command(epilog=_AFTER_REPORT)
def report(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN...", help="Run folders; of --history also what they lie in.", autocompletion=runs),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Follow one machine through time instead, by default all of results/.")
    ] = False,
    machine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of --history: which, where runs are of several.")
    ] = None,
    relative_to: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of several runs: which one is 1.", show_default="the first"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the page over several runs.",
            show_default="report/ of the last run; of --history: history/ beside the runs",
        ),
    ] = None,
) -> None:
    """Write the page, tables and plots of stored runs again; of several also one page over all."""
    from bench.commands.several import Request, report_asked  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(report_asked(Request(folders or [], history, machine, relative_to, out)))


@stored.command("list")
def list_(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="DIR", help="Folders of runs.", show_default="results")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead.")] = False,
) -> None:
    """Tell which runs are stored, the newest first, and the highest throughput of each."""
    from bench.commands.list import list_runs  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(list_runs(folders or [Path("results")], as_json=json))


_FORMATS = (
    "bmf: Bencher's JSON, a benchmark for each cell. csv: trials.csv. junit: a test case for each trial. "
    "parquet: trials with their windows (extra export). pytest-benchmark: its JSON, a benchmark for each trial. "
    "tensorboard: a folder of event files (extra export)."
)


@stored.command(epilog=f"Formats: {_FORMATS}")
def export(
    run: Run,
    to: Annotated[
        str,
        typer.Option(
            metavar="FORMAT",
            help=f"One of {', '.join(FORMATS)}.",
            autocompletion=formats,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to.", show_default="in the run's report/")
    ] = None,
) -> None:
    """Write a stored run in another program's format."""
    from bench.commands.export import export_run  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(export_run(run, to, out))


@stored.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON file of pytest-benchmark, of bench/perf.")],
    out: Annotated[Path, typer.Option(help="Folder that the run folder is made in.")] = Path("results"),
) -> None:
    """Make a run folder of what `pytest bench/perf` saved or `bench export` wrote."""
    from bench.commands.export import import_run  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(import_run(source, out))


@stored.command()
def forecast(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="Folder of a run with 1 and with several replicas.", autocompletion=runs),
    ],
    replicas: Annotated[
        str, typer.Option(metavar="N1,N2", help="How many replicas to forecast for.")
    ] = "2,4,8,16,32,64,128,256,512",
) -> None:
    """Forecast step time and efficiency on more replicas than there are here."""
    from bench.commands.forecast import forecast_run  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(forecast_run(run, replicas))
