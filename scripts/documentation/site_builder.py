"""From laid-out pages to a site: MkDocs builds or serves it, in a folder of its own that is gone afterwards.

Its theme, Material, is maintained until May 2027. Zensical, by the same people, reads the same mkdocs.yml.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

from pages import lay_out, write_page
from reference import reference_pages

from bench.errors import UsageError

os.environ["NO_MKDOCS_2_WARNING"] = "1"  # Material would warn of a MkDocs that the pinned versions keep away
_FOLDER = Path(__file__).parent
_BUILD_S = 300.0
_LOOK_S = 1.0


@contextmanager
def build(root: Path) -> Iterator[Path | None]:
    """Build the site of a checkout strictly; yields its folder, or None where MkDocs found something wrong."""
    with _project(root) as folder:
        # without --quiet, which would leave no warning to be strict about
        command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
        done = subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, text=True, timeout=_BUILD_S, check=False)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
        yield folder / "site" if done.returncode == 0 else None


def serve(root: Path, address: str) -> int:
    """Serve it at `host:port` until the user interrupts; what changes in docs/ is laid out, and so built, again.

    Raises UsageError for an address that cannot be had.
    """
    with _project(root) as folder:
        from mkdocs.commands.serve import serve as serve_pages  # _project says if it is not here
        from mkdocs.exceptions import MkDocsException

        over = Event()
        following = Thread(target=_follow, args=(root, folder / "pages", over))
        following.start()
        print(f"docs: http://{address} (Ctrl-C ends it)", flush=True)
        try:
            serve_pages(str(folder / "mkdocs.yml"), dev_addr=address)
        except (OSError, MkDocsException) as error:
            raise UsageError(f"--serve {address}: {error}; give host:port, such as localhost:8001") from None
        finally:
            over.set()
            following.join()
    return 0


def _follow(root: Path, pages: Path, over: Event) -> None:
    """Lay the pages out again every now and then; a page that an editor is just replacing is there the next time."""
    while not over.wait(_LOOK_S):
        with suppress(OSError, UnicodeDecodeError):
            lay_out(root, pages)


def check_out(out: Path) -> None:
    """Raise UsageError for a place where a site would take the place of something else."""
    if out.exists() and not (out / "sitemap.xml").exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"--out {out}: is or holds something that is no site; name another folder, or empty it")


def put(site: Path, out: Path) -> None:
    """Move a built site to its folder, in place of the former one and of nothing else."""
    check_out(out)
    shutil.rmtree(out, ignore_errors=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(site, out)


@contextmanager
def _project(root: Path) -> Iterator[Path]:
    """A folder as MkDocs wants it: the configuration, and beside it the pages."""
    if find_spec("material") is None:
        raise UsageError("mkdocs-material is not installed here; install the extra docs: pip install -e '.[docs]'")
    with TemporaryDirectory(prefix="docs-") as scratch:
        folder = Path(scratch).resolve()
        shutil.copy2(_FOLDER / "mkdocs.yml", folder)
        for name, text in reference_pages().items():
            write_page(folder / "pages" / "reference" / f"{name}.md", text)
        lay_out(root, folder / "pages")
        shutil.copy2(_FOLDER / "site.css", folder / "pages")
        yield folder
