"""Every shell script of the repository is clean to the tools that read them."""

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = sorted(
    file.relative_to(REPOSITORY)
    for folder in ("scripts", ".ci")
    for file in (REPOSITORY / folder).iterdir()
    if file.is_file() and (file.suffix == ".sh" or file.read_bytes().startswith(b"#!/usr/bin/env bash\n"))
)


@pytest.mark.parametrize("script", SCRIPTS, ids=str)
def test_bash_parses(script: Path) -> None:
    """Without running anything."""
    subprocess.run(["bash", "-n", script], cwd=REPOSITORY, timeout=20, check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck (Debian: shellcheck)")
def test_shellcheck_finds_nothing() -> None:
    """Each exception has its reason in the script."""
    command = ["shellcheck", "--external-sources", *map(str, SCRIPTS)]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout) == (0, "")
