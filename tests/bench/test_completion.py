"""What a shell completes, asked in the way that the shell asks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.commands.schema import SCHEMAS as WITH_SCHEMA
from bench.completion import FORMATS, SCHEMAS
from bench.plan.suite import suite_names
from bench.report.exports.formats import EXPORTS

INSIDE_BASH = """
read -ra COMP_WORDS <<< "${1//=/ = }"
[[ $1 == *" " || $1 == "" ]] && COMP_WORDS+=("")
COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_bench_completion bench
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What readline does: cuts the line at blanks and at `=`, and calls the function that was registered."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with two runs in results/, and `bench` on a path of its own."""
    made = tmp_path_factory.mktemp("shell")
    for name in ("20260101T000000Z-vm-quick", "20260102T000000Z-vm-smoke"):
        (made / "results" / name).mkdir(parents=True)
        (made / "results" / name / "run.json").write_text("{}")
    program = made / "bin" / "bench"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m bench.cli "$@"\n')
    program.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def tab(folder):
    """What bash offers for a line with the cursor at its end."""
    asked = {"_BENCH_COMPLETE": "source_bash"}
    script = subprocess.check_output([folder / "bin" / "bench"], env=os.environ | asked, text=True, timeout=60)

    def tab(line: str) -> list[str]:
        environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "--norc", "-c", script + INSIDE_BASH, "bash", line],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.split()

    return tab


LINES = {
    "bench ru": ["run"],
    "bench run qu": ["quick"],
    "bench run --ep": ["--epochs"],
    "bench run --set eng": ["engine=fit", "engine=step", "engine=fused"],
    "bench run --set al": ["allocator=", "all_reduce="],
    "bench run --set engine=": ["fit", "step", "fused"],
    "bench run --set engine=f": ["fit", "fused"],
    "bench run --set=engine=st": ["step"],
    "bench run --set engine=fit,": ["fit,step", "fit,fused"],
    "bench run --set engine=fit,s": ["fit,step"],
    "bench run --set xla=": ["false", "true"],
    "bench run --set engine=fit smo": ["smoke"],
    "bench run --launcher sl": ["slurm"],
    "bench run --resume results/20260102": ["results/20260102T000000Z-vm-smoke"],
    "bench report res": ["results/20260102T000000Z-vm-smoke", "results/20260101T000000Z-vm-quick"],
    "bench export results/20260101T000000Z-vm-quick --to pa": ["parquet"],
    "bench export results/20260101": ["results/20260101T000000Z-vm-quick"],
    "bench schema tr": ["trial"],
    "bench ab --set precision=mixed_b": ["mixed_bfloat16"],
    "bench baseline pro": ["promote"],
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("line", LINES)
def test_bash_completes(tab, line):
    """Commands, options, suites, axes, their values and runs; behind a `=` only what follows it, as bash wants."""
    assert tab(line) == LINES[line]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_all_suites(tab):
    """Where nothing was typed yet."""
    assert tab("bench run ") == sorted(suite_names())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bench run --set engine=f", ["engine=fit", "engine=fused"]),
        ("bench run sca", ["scaling"]),
    ],
)
def test_fish_completes_whole_words(folder, line, words):
    """A shell that does not cut words at `=` gets them whole."""
    asked = {
        "_BENCH_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = subprocess.run(
        [folder / "bin" / "bench"], env=os.environ | asked, cwd=folder, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == words


def test_words_that_are_told_apart_are_those_there_are():
    """Formats and schemas, which completion and help tell without importing what makes them."""
    assert tuple(EXPORTS) == FORMATS
    assert tuple(WITH_SCHEMA) == SCHEMAS
