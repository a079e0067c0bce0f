"""What a shell completes: names of suites, axes and their values, run folders, formats.

Each function takes the beginning of a word and gives whole words; what it needs is imported inside it, as in bench.cli.
"""

import io
import os
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout, suppress
from pathlib import Path

FORMATS = ("bmf", "csv", "junit", "parquet", "pytest-benchmark", "tensorboard")
"""What a run can be exported to; told here, for what writes them takes its time to import."""
SCHEMAS = ("suite", "run", "trial", "comparison", "pair", "accuracy", "baseline", "verdict")
"""What has a JSON Schema; likewise."""
VARIABLE = "_BENCH_COMPLETE"
"""What the shell's function sets to `complete_SHELL`; the name is typer's, after the program's."""


def suites(incomplete: str) -> list[str]:
    """Names of suites; for a path the shell completes files itself, where there are none."""
    from bench.plan.suite import suite_names  # noqa: PLC0415  # see the module docstring

    return _beginning(incomplete, sorted(suite_names()))


def settings(incomplete: str) -> list[str]:
    """`axis=`, and behind it the values of the axis, also behind others: `engine=fit,step`.

    Where only one axis begins so, its values come at once: a shell puts a blank behind a word that is the only one.
    """
    from bench.plan.axes import AXES  # noqa: PLC0415  # see the module docstring

    name, equals, values = incomplete.partition("=")
    names = [name] if equals else _beginning(name, list(AXES))
    if len(names) != 1:
        return [f"{one}=" for one in names]
    before, comma, _ = values.rpartition(",")
    examples = AXES[names[0]].examples if names[0] in AXES else ()
    words = [str(value).lower() if isinstance(value, bool) else str(value) for value in examples]
    chosen = before.split(",")
    whole = [f"{names[0]}={before}{comma}{word}" for word in words if word not in chosen]
    return _beginning(incomplete, whole)


def runs(incomplete: str) -> list[str]:
    """Run folders below results/, the newest first; for any other folder the shell completes files itself."""
    from bench.store.runs import runs_below  # noqa: PLC0415  # see the module docstring

    return _beginning(incomplete, [str(run) for run in runs_below(Path("results"))])


def formats(incomplete: str) -> list[str]:
    """What a run can be exported to."""
    return _beginning(incomplete, FORMATS)


def schemas(incomplete: str) -> list[str]:
    """What has a JSON Schema."""
    return _beginning(incomplete, SCHEMAS)


def launchers(incomplete: str) -> list[str]:
    """Names of launchers."""
    from bench.execute.launchers import LAUNCHERS  # noqa: PLC0415  # see the module docstring

    return _beginning(incomplete, list(LAUNCHERS))


def _beginning(incomplete: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def complete_in_bash(app: Callable[[], object]) -> int:
    """Answer bash, for which `=` is a word of its own: typer is given whole words, bash what stands behind the `=`."""
    words, place = _joined(os.environ["COMP_WORDS"].split("\n"), int(os.environ["COMP_CWORD"]))
    os.environ |= {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(place)}
    typed = words[place] if place < len(words) else ""
    value = typed.partition("=")[2] if typed.startswith("-") else typed
    with redirect_stdout(io.StringIO()) as answer, suppress(SystemExit):
        app()
    equals = value.count("=")
    print("\n".join(line.split("=", equals)[-1] for line in answer.getvalue().splitlines()))
    return 0


def _joined(words: list[str], place: int) -> tuple[list[str], int]:
    """The words with what bash cut at `=` put together, and where the word with the cursor is then."""
    joined: list[str] = []
    at = place
    for number, word in enumerate(words):
        if joined and number > 1 and (word == "=" or joined[-1].endswith("=")):
            joined[-1] += word
        else:
            joined.append(word)
        if number == place:
            at = len(joined) - 1
    return joined, at if place < len(words) else len(joined)
