"""The command line. What a command needs is imported inside it: `bench --help` and errors come at once."""

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.completion import SCHEMAS, VARIABLE, complete_in_bash, launchers, runs, schemas, settings, suites
from bench.errors import UsageError, did_you_mean
from bench.judging_cli import judging
from bench.stored_cli import stored

WRONG_USAGE: Any = typer.BadParameter.__mro__[1]
"""What typer raises for a wrong command line; it names only this child of it."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

app.add_typer(stored)
app.add_typer(judging)


def _tell_versions(wanted: bool) -> None:
    """Print the versions of what decides a number, this package first, and stop."""
    if not wanted:
        return
    from bench.measure.versions import OWN_PACKAGE, package_versions  # noqa: PLC0415  # see the module

    found = package_versions()
    for name in sorted(found, key=lambda name: name != OWN_PACKAGE):
        typer.echo(f"{name} {found[name]}")
    raise typer.Exit


@app.callback()
def words(
    *,
    version: Annotated[  # its callback has answered it
        bool, typer.Option("--version", is_eager=True, callback=_tell_versions, help="Print the versions and stop.")
    ] = False,
) -> None:
    """How fast does TensorFlow train on this machine? Trains the MNIST CNN and says so, with evidence."""


_AFTER_RUN = (
    "Suites: article, cell, gpu, multi-gpu, multi-host, perf, quick, scaling, smoke.\n\n"
    "Exit codes: 0 all went well, unsupported cells included; 1 a trial ended in error, timeout, nan, invalid or oom "
    "(which --max-batch looks for: 0); "
    "2 wrong usage or bad input; 130 interrupted, results kept."
)


@app.command(epilog=_AFTER_RUN)
def run(
    suite: Annotated[
        str | None,
        typer.Argument(
            help="Name of a suite, or path of a suite file.",
            show_default="quick; with --set the default cell",
            autocompletion=suites,
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="AXIS=V1,V2",
            help="Vary an axis, of the suite named or else of the default cell alone.",
            autocompletion=settings,
        ),
    ] = None,
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
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Finish this run folder instead.", autocompletion=runs)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    allow_busy: Annotated[
        bool, typer.Option("--allow-busy", help="Run on GPUs that other processes compute on.")
    ] = False,
    launcher: Annotated[
        str,
        typer.Option(
            metavar="NAME|TEMPLATE",
            help="local, ssh, slurm, kubectl, or words around {command}.",
            autocompletion=launchers,
        ),
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
    from bench.commands.request import Request  # noqa: PLC0415  # see the module docstring
    from bench.commands.run import run_suite  # noqa: PLC0415  # likewise

    request = Request(
        suite=suite, overrides=set_ or [], epochs=epochs, repeats=repeats, time_limit_s=time_limit,
        target_accuracy=target_accuracy, diagnose=diagnose, max_batch=max_batch, data=data, out=out, resume=resume,
        dry_run=dry_run, allow_busy=allow_busy, launcher=launcher, hosts=hosts, python=python, network=network,
        quiet=quiet, json=json,
    )  # fmt: skip
    raise typer.Exit(run_suite(request))


@app.command()
def env(
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure its ceilings: FLOP/s, memory bandwidth, dispatch.")
    ] = False,
    all_: Annotated[bool, typer.Option("--all", help="Also every single fact, as a run keeps them.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print all of it as one JSON object.")] = False,
) -> None:
    """Tell what this machine is and what would spoil a measurement on it."""
    from bench.commands.env import describe_machine  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(describe_machine(measure=measure, everything=all_, as_json=json))


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to.")] = Path("suite.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a suite file to start from, with every setting that there is as a comment."""
    from bench.commands.schema import init_suite  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(init_suite(file, force=force))


@app.command()
def schema(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help=f"One of {', '.join(SCHEMAS)}.", autocompletion=schemas),
    ] = "suite",
) -> None:
    """Print the JSON Schema of suite files or of what is stored, for editors and programs."""
    from bench.commands.schema import print_schema  # noqa: PLC0415  # likewise

    raise typer.Exit(print_schema(what))


def main() -> None:
    """Run the command; bad input is one line on stderr and exit code 2.

    SIGTERM, which clusters send before they kill, interrupts as SIGINT does, also where a shell's `&` had that ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        in_bash = os.environ.get(VARIABLE) == "complete_bash"
        sys.exit(complete_in_bash(_run_command) if in_bash else _run_command())
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # libraries end with 1 then, by which a trial has failed
            sys.exit(128 + signal.SIGPIPE)
        raise
    except UsageError as error:
        print(f"bench: {error}", file=sys.stderr)
    except OSError as error:
        print(f"bench: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
    except WRONG_USAGE as error:
        if error.format_message():  # there is none where the help was shown instead
            print(f"bench: {_told(error)}", file=sys.stderr)
    finally:
        gc.freeze()  # as Python ends it would look through all that was read: for a second and a half of 10,000 trials
    sys.exit(2)


def _run_command() -> Any:
    return app(prog_name="bench", standalone_mode=False)


def _told(error: Any) -> str:
    """What is wrong with a command line, and the word that was meant where one is near, else where to read on."""
    message, _, near = error.format_message().replace("Value error, ", "").partition(". Did you mean ")
    if possible := getattr(error, "possibilities", None):
        return f"{error.message}{did_you_mean(error.option_name, possible)}"
    where = error.ctx.command_path if error.ctx else "bench"
    return f"{message}; did you mean {near}" if near else f"{message.rstrip('.')}; see {where} --help"


if __name__ == "__main__":
    main()
