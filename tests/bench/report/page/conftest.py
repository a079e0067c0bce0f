"""Pages of made-up runs, and a real browser to open them in."""

import json
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.report.account import account_of
from bench.report.cells import summarise
from bench.report.page.run import run_page, write_run_page

REPOSITORY = Path(__file__).parents[4]


@pytest.fixture
def page_of(build: SimpleNamespace, tmp_path: Path) -> Callable[..., Path]:
    """Writes the page of some records, as report/report.html of a run; further arguments are fields of the run."""

    def write(*records: Any, ceilings: Any = None, pictures: Any = (), **run: Any) -> Path:
        folder = tmp_path / "run"
        (folder / "report").mkdir(parents=True, exist_ok=True)
        path = folder / "report" / "report.html"
        cells = summarise(build.rows(*records, ceilings=ceilings))
        write_run_page(path, run_page(account_of(build.run(records, **run), cells), folder), pictures)
        return path

    return write


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for the tests of a file."""
    script = runpy.run_path(str(REPOSITORY / "scripts" / "open_page.py"))
    if not script["available"]():
        pytest.skip(script["MISSING"])
    with script["chromium"](tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def opened(chromium: Any) -> Iterator[Callable[[Path], Any]]:
    """Opens a page; at the end of a test nothing may have been complained of, nor asked for but the page itself."""
    pages: set[str] = set()

    def begin(page: Path) -> Any:
        for kind in ("browser", "performance"):
            chromium.get_log(kind)
        pages.add(page.as_uri())
        chromium.get(page.as_uri())
        return chromium

    yield begin
    assert chromium.get_log("browser") == []
    # what is inside a page has an address of its own, and chrome: is what the browser itself begins with
    elsewhere = [address for address in asked(chromium) if not address.startswith(("data:", "chrome:"))]
    assert {address.partition("#")[0] for address in elsewhere} == pages
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def asked(browser: Any) -> list[str]:
    """The address of every request since the last look."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"
    ]
