"""The commands that compare and judge. What one needs is imported inside it, as in bench.cli."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.completion import runs as completed_runs
from bench.completion import settings
from bench.guard.defaults import PAIR_S

judging = typer.Typer()
baseline = typer.Typer(no_args_is_help=True, help="Runs kept in short, to judge later runs of the same machine by.")
judging.add_typer(baseline, name="baseline")

_AFTER_VERDICT = (
    "Exit codes: 0 nothing regressed; 1 something regressed, or failed where the baseline did not; "
    "2 wrong usage or bad input; 3 inconclusive (0 with --inconclusive pass); 4 nothing comparable."
)
_AFTER_COMPARE = (
    "NAME is a run's letter (A, B …), or the name of its folder, its host, its machine or machine class.\n\n"
    f"{_AFTER_VERDICT} Without --verdict: 0 compared."
)
_RESULTS = Path("results")
_STORE = Path("results/baselines")
Store = Annotated[Path, typer.Option(metavar="DIR", help="Folder of the baselines.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Folder to write to.", show_default="report/comparison in the (last) run"),
]
Margin = Annotated[float, typer.Option(metavar="PERCENT", help="Of images/s; what is less is no change.")]
MemoryMargin = Annotated[float, typer.Option(metavar="PERCENT", help="Of peak memory.")]
AccuracyMargin = Annotated[float, typer.Option(metavar="POINTS", help="Of test accuracy.")]
OtherCode = Annotated[bool, typer.Option("--other-code", help="Take baselines of other benchmark code too.")]
OnInconclusive = Annotated[Literal["fail", "pass"], typer.Option(help="Exit code 3 or 0 where nothing is certain.")]
LiveMargin = Annotated[
    float, typer.Option(min=0.1, max=50, metavar="PERCENT", help="Change of throughput below which there is none.")
]
PairTime = Annotated[
    float,
    typer.Option(min=1, max=3600, help="Most seconds of windows in a pair; it ends once B ÷ A is known to the margin."),
]
AccuracyEpochs = Annotated[
    int, typer.Option(min=0, max=1000, metavar="EPOCHS", help="Also train both so long, from 5 seeds; 0: do not.")
]
Data = Annotated[Path | None, typer.Option(help="An .npz or a folder of IDX files; default: embedded.")]
Results = Annotated[Path, typer.Option(metavar="DIR", help="Folder that a folder of results is made in.")]
AllowBusy = Annotated[bool, typer.Option("--allow-busy", help="Compare on GPUs that other processes compute on.")]


_AFTER_AB = (
    "A side is comma-joined: axis=value, git:REVISION, a folder that holds a mnist_cnn, python=PATH, env:NAME=VALUE; "
    "or default.\n\n"
    "Exit codes: 0 unchanged or improved; 1 regressed, or B failed; 2 wrong usage or bad input; 3 inconclusive or "
    "invalid; 4 A failed, so that nothing can be compared; 130 interrupted, results kept."
)


@judging.command(epilog=_AFTER_AB)
def ab(
    a: Annotated[str, typer.Argument(metavar="A", help="The side that is compared with.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The side that the verdict is about.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="AXIS=VALUE",
            help="A setting of both, where they say nothing else.",
            autocompletion=settings,
        ),
    ] = None,
    margin: LiveMargin = 2.0,
    pair_time: PairTime = PAIR_S,
    in_turn: Annotated[bool, typer.Option("--in-turn", help="Whole processes in turn, never both at once.")] = False,
    accuracy: AccuracyEpochs = 0,
    data: Data = None,
    out: Results = _RESULTS,
    allow_busy: AllowBusy = False,
    inconclusive: OnInconclusive = "fail",
) -> None:
    """Compare two settings, trees or environments on this machine now, interleaved, with a verdict on B."""
    from bench.commands.ab import Request, compare_sides  # noqa: PLC0415  # see the module docstring
    from bench.guard.live.comparison import Rules  # noqa: PLC0415  # likewise

    request = Request(
        a=a, b=b, settings=set_ or [], out=out, inconclusive=inconclusive, allow_busy=allow_busy,
        rules=Rules(margin=margin / 100, pair_s=pair_time, in_turn=in_turn, data=data, accuracy_epochs=accuracy),
    )  # fmt: skip
    raise typer.Exit(compare_sides(request))


_AFTER_GUARD = (
    "Stored runs are judged once, whatever code they are of; all options on how to measure are then refused.\n\n"
    "Exit codes: 0 no regression; 1 a regression, found twice, or a head that failed twice; 2 wrong usage or bad "
    "input; 3 not clear, or the base fails in one cell of several (--inconclusive pass makes it 0); 4 nothing "
    "comparable, as a base that fails in every cell; 130 interrupted, finished cells published."
)


@judging.command(epilog=_AFTER_GUARD)
def guard(
    base: Annotated[
        list[str],
        typer.Option(
            metavar="REV|TREE|RUN",
            help="A git revision (git:REV if a folder is called so) or a folder; or 5 run folders or more, one each.",
        ),
    ],
    head: Annotated[str, typer.Option(metavar="SIDE", help="What is judged, as bench ab takes it.")] = "default",
    cell: Annotated[
        list[str] | None, typer.Option(metavar="AXIS=VALUE,…", help="A cell to check; may be given several times.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="AXIS=VALUE", help="A setting of all cells.", autocompletion=settings),
    ] = None,
    margin: LiveMargin = 2.0,
    pair_time: PairTime = PAIR_S,
    accuracy: AccuracyEpochs = 0,
    data: Data = None,
    out: Results = _RESULTS,
    allow_busy: AllowBusy = False,
    inconclusive: OnInconclusive = "fail",
) -> None:
    """Fail when this tree trains slower, larger or, with --accuracy, less accurately than a base: a gate for CI."""
    from bench.commands.guard import Request, guard_against  # noqa: PLC0415  # likewise
    from bench.guard.live.comparison import Rules  # noqa: PLC0415  # see the module docstring

    request = Request(
        base=base, head=head, cells=cell or [], settings=set_ or [], out=out, allow_busy=allow_busy,
        inconclusive=inconclusive,
        rules=Rules(margin=margin / 100, pair_s=pair_time, data=data, accuracy_epochs=accuracy),
    )  # fmt: skip
    raise typer.Exit(guard_against(request))


@judging.command(epilog=_AFTER_COMPARE)
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="A B...", help="Run folders; A is the reference.", autocompletion=completed_runs),
    ],
    price: Annotated[
        list[str] | None, typer.Option(metavar="NAME=2.5/h", help="What a run's machine costs: images for the money.")
    ] = None,
    out: Out = None,
    verdict: Annotated[
        bool, typer.Option("--verdict", help="Judge the last run by the others: 5 or more, of the same exact unit.")
    ] = False,
    margin: Margin = 2.0,
    memory_margin: MemoryMargin = 5.0,
    accuracy_margin: AccuracyMargin = 1.0,
    other_code: OtherCode = False,
    inconclusive: OnInconclusive = "fail",
) -> None:
    """Put stored runs side by side, cell by cell, also of different machines."""
    from bench.commands.compare import Judging, compare_runs  # noqa: PLC0415  # see the module docstring
    from bench.commands.verdict_output import checked_margins  # noqa: PLC0415  # likewise

    margins = checked_margins(margin, memory_margin, accuracy_margin)
    raise typer.Exit(
        compare_runs(runs, price or [], out, Judging(margins, other_code, inconclusive) if verdict else None)
    )


@baseline.command()
def promote(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders.", autocompletion=completed_runs)],
    store: Store = _STORE,
) -> None:
    """Keep runs, in short, as what later runs of their very machine are judged by."""
    from bench.commands.baseline import promote_runs  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(promote_runs(runs, store))


@baseline.command("list")
def list_(store: Store = _STORE) -> None:
    """Tell which baselines there are, how old, and whether they are stale."""
    from bench.commands.baseline import list_baselines  # noqa: PLC0415  # see the module docstring

    raise typer.Exit(list_baselines(store))


@baseline.command(epilog=_AFTER_VERDICT)
def check(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder.", autocompletion=completed_runs)],
    store: Store = _STORE,
    out: Out = None,
    margin: Margin = 2.0,
    memory_margin: MemoryMargin = 5.0,
    accuracy_margin: AccuracyMargin = 1.0,
    other_code: OtherCode = False,
    inconclusive: OnInconclusive = "fail",
) -> None:
    """Judge a run by the promoted runs of its very machine."""
    from bench.commands.baseline import check_run  # noqa: PLC0415  # see the module docstring
    from bench.commands.verdict_output import checked_margins  # noqa: PLC0415  # likewise

    margins = checked_margins(margin, memory_margin, accuracy_margin)
    raise typer.Exit(check_run(run, store, margins, out, other_code=other_code, inconclusive=inconclusive))
