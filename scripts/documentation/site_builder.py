"""From laid-out pages to a site: Zensical builds or serves it, in a folder of its own that is gone afterwards."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from pages import lay_out

from bench.errors import UsageError

CONFIGURATION = Path(__file__).with_name("zensical.toml")
_BUILD_S = 300.0
_LOOK_S = 1.0


@contextmanager
def build(root: Path) -> Iterator[Path | None]:
    """Build the site of a checkout strictly; yields its folder, or None where Zensical found something wrong."""
    with _project(root) as folder:
        done = subprocess.run(_zensical("build", "--strict", "--clean"), cwd=folder, timeout=_BUILD_S, check=False)
        yield folder / "site" if done.returncode == 0 else None


def serve(root: Path) -> int:
    """Serve it until the user interrupts; what changes in docs/ is laid out again."""
    with _project(root) as folder:
        process = subprocess.Popen(_zensical("serve"), cwd=folder)
        try:
            while process.poll() is None:
                try:
                    process.wait(_LOOK_S)
                except subprocess.TimeoutExpired:
                    lay_out(root, folder / "pages")
        except KeyboardInterrupt:
            return 0
        finally:
            process.terminate()
            process.wait(10)
        return process.returncode


def put(site: Path, out: Path) -> None:
    """Move a built site to its folder, in place of the former one and of nothing else."""
    if out.exists():
        if any(out.iterdir()) and not (out / "search.json").exists():
            raise UsageError(f"--out {out}: holds something that is no site; name another folder, or empty it")
        shutil.rmtree(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(site, out)


@contextmanager
def _project(root: Path) -> Iterator[Path]:
    """A folder as Zensical wants it: the configuration, and beside it the pages."""
    if find_spec("zensical") is None:
        raise UsageError("Zensical is not installed here; install the extra docs: pip install -e '.[docs]'")
    with TemporaryDirectory(prefix="docs-") as scratch:
        folder = Path(scratch).resolve()
        shutil.copy2(CONFIGURATION, folder)
        lay_out(root, folder / "pages")
        yield folder


def _zensical(*words: str) -> list[str]:
    return [sys.executable, "-m", "zensical", *words]
