"""Open a page in headless Chromium and say how soon a reader can sort and filter its largest listing.

    .venv/bin/python scripts/open_page.py results/RUN/report/report.html

Seconds are from the start of the navigation to the frame that shows the answer, on the page's own clock.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

MISSING = "chromium and chromium-driver are not installed"
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--window-size=1400,1000",
)  # fmt: skip
"""Nothing is shown, and nothing of the browser's own asks the network."""
ANSWERED = """
const done = arguments[arguments.length - 1];
const holder = [...document.querySelectorAll(".listing")].at(-1);
holder.querySelector("thead th.figure button").click();
const search = holder.querySelector("input[type=search]");
search.value = "ok";
search.dispatchEvent(new Event("input", { bubbles: true }));
requestAnimationFrame(() => requestAnimationFrame(() => done([
  performance.now() / 1000,
  performance.getEntriesByName("usable")[0].startTime / 1000,
  holder.querySelector(".count").textContent,
])));
"""


def main() -> None:
    """Parse the command line, open, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    page = parser.parse_args().page
    if not available():
        parser.error(MISSING)
    with tempfile.TemporaryDirectory() as profile, chromium(Path(profile)) as browser:
        answered_s, usable_s, count = seconds_to_answer(browser, page)
    told = f"usable after {usable_s:.2f} s, sorted and filtered after {answered_s:.2f} s"
    print(f"{page.stat().st_size / 1e6:.1f} MB, {count}: {told}")


def available() -> bool:
    """Whether Debian's browser and its driver are there; nothing is ever downloaded."""
    return bool(shutil.which("chromium") and shutil.which("chromedriver"))


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """A browser with a fresh profile that records what it asks of the network; it ends with the block."""
    os.environ["SE_OFFLINE"] = "true"  # Selenium's own manager would look for browsers elsewhere
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for word in (*QUIET, f"--user-data-dir={profile}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = Chrome(options=options, service=Service(executable_path=shutil.which("chromedriver")))
    try:
        browser.set_page_load_timeout(60)
        browser.set_script_timeout(60)
        yield browser
    finally:
        browser.quit()


def seconds_to_answer(browser: Chrome, page: Path) -> tuple[float, float, str]:
    """Seconds until the last listing is sorted and filtered, until it could be, and how many lines it says to have."""
    browser.get(page.resolve().as_uri())
    answered_s, usable_s, count = browser.execute_async_script(ANSWERED)
    return answered_s, usable_s, count


if __name__ == "__main__":
    main()
