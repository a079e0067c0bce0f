"""The command line. What a command needs is imported inside it: `bench --help` and errors come at once."""

import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import UsageError
from bench.judging_cli import judging

WRONG_USAGE: Any = typer.BadParameter.__mro__[1]
"""What typer raises for a wrong command line; it names only this child of it."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="How fast does TensorFlow train on this machine? Trains the MNIST CNN and says so, with evidence.",
)

app.add_typer(judging)

_AFTER_RUN = (
    "Suites: article, gpu, multi-gpu, perf, quick, scaling, smoke.\n\n"
    "Exit codes: 0 all went well, unsupported cells included; 1 a trial ended in error, timeout, nan, invalid or oom "
    "(which --max-batch looks for: 0); "
    "2 wrong usage or bad input; 130 interrupted, results kept."
)


_AFTER_REPORT = (
    "NAME is a run's letter (A, B …), or the name of its folder, its host, its machine or machine class; of --machine "
    "also an exact unit, and no letter or folder.\n\n"
    "Exit codes: 0 reported, whatever the runs say; 2 wrong usage, or no run could be read."
)


@app.command(epilog=_AFTER_RUN)
def run(
    suite: Annotated[
        str | None, typer.Argument(help="Name of a suite, or path of a suite file.", show_default="quick")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="AXIS=V1,V2", help="Override an axis.")] = None,
    epochs: Annotated[int | None, typer.Option(min=0, help="Epochs per trial; 0: speed only, until certain.")] = None,
    repeats: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Fresh processes per cell and seed.", show_default="the suite's, else 1"),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(min=0.1, help="Seconds to train and evaluate per trial.", show_default="the suite's, else none"),
    ] = None,
    diagnose: Annotated[
        bool, typer.Option("--diagnose", help="Also find out what bounds each trial: up to 90 s more for each.")
    ] = False,
    max_batch: Annotated[
        bool,
        typer.Option(
            "--max-batch",
            help="Search each cell's largest batch that trains: powers of two per replica from 64 on, 5 s each.",
        ),
    ] = False,
    target_accuracy: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Test accuracy that seconds are counted to, such as 0.99.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="An .npz or a folder of IDX files; default: embedded.")] = None,
    out: Annotated[Path, typer.Option(help="Folder that run folders are made in.")] = Path("results"),
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Finish this run folder instead.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    allow_busy: Annotated[
        bool, typer.Option("--allow-busy", help="Run on GPUs that other processes compute on.")
    ] = False,
    launcher: Annotated[
        str, typer.Option(metavar="NAME|TEMPLATE", help="local, ssh, slurm, kubectl, or words around {command}.")
    ] = "local",
    hosts: Annotated[
        str | None, typer.Option(metavar="A,B", help="Where workers start, one after the other; default: Slurm's.")
    ] = None,
    python: Annotated[
        str | None, typer.Option(metavar="PATH", help="Python of the workers.", show_default="the path of this one")
    ] = None,
    network: Annotated[
        str | None, typer.Option(metavar="CIDR|INTERFACE", help="Where workers meet, such as 10.1.0.0/16 or eth0.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events as JSON lines.")] = False,
) -> None:
    """Execute a suite and report on it."""
    from bench.request import Request  # noqa: PLC0415  # see the module docstring
    from bench.run_command import run_suite  # noqa: PLC0415  # likewise

    request = Request(
        suite=suite, overrides=set_ or [], epochs=epochs, repeats=repeats, time_limit_s=time_limit,
        target_accuracy=target_accuracy, diagnose=diagnose, max_batch=max_batch, data=data, out=out, resume=resume,
        dry_run=dry_run, allow_busy=allow_busy, launcher=launcher, hosts=hosts, python=python, network=network,
        quiet=quiet, json=json,
    )  # fmt: skip
    raise typer.Exit(run_suite(request))


@app.command(epilog=_AFTER_REPORT)
def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(metavar="RUN...", help="Run folders; of --history also what they lie in.")
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
    from bench.several_command import Request, report_asked  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(report_asked(Request(runs or [], history, machine, relative_to, out)))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="pytest-benchmark: its JSON, a benchmark for each trial.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to.", show_default="in the run's report/")
    ] = None,
) -> None:
    """Write a stored run in another program's format."""
    from bench.export_command import export_run  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(export_run(run, to, out))


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A JSON file of pytest-benchmark, of bench/perf.")],
    out: Annotated[Path, typer.Option(help="Folder that the run folder is made in.")] = Path("results"),
) -> None:
    """Make a run folder of what `pytest bench/perf` saved or `bench export` wrote."""
    from bench.export_command import import_run  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(import_run(source, out))


@app.command()
def forecast(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run with 1 and with several replicas.")],
    replicas: Annotated[
        str, typer.Option(metavar="N1,N2", help="How many replicas to forecast for.")
    ] = "2,4,8,16,32,64,128,256,512",
) -> None:
    """Forecast step time and efficiency on more replicas than there are here."""
    from bench.forecast_command import forecast_run  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(forecast_run(run, replicas))


@app.command()
def env(
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure its ceilings: FLOP/s, memory bandwidth, dispatch.")
    ] = False,
) -> None:
    """Tell what this machine is and what would spoil a measurement on it."""
    from bench.env_lines import environment_lines  # noqa: PLC0415  # see the module docstring
    from bench.measure.environment import read_environment, spoilers  # noqa: PLC0415  # likewise

    environment = read_environment()
    found = spoilers(environment)
    print(*environment_lines(environment, found), sep="\n")
    if measure:
        from bench.env_command import measure_machine  # noqa: PLC0415  # see the module docstring

        if found:
            print("So these ceilings may come out too low; a later --measure replaces them.")
        raise typer.Exit(measure_machine(environment))


def main() -> None:
    """Run the command; bad input is one line on stderr and exit code 2.

    SIGTERM, which clusters send before they kill, interrupts as SIGINT does, also where a shell's `&` had that ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        sys.exit(app(prog_name="bench", standalone_mode=False))
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
    except OSError as error:
        print(f"bench: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
    except WRONG_USAGE as error:
        if message := error.format_message():  # there is none where the help was shown instead
            print(f"bench: {message.rstrip('.')}; see --help", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
