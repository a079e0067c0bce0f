"""The pages over several runs as a reader has them: in a real browser, in the dark and narrow, with hostile words."""

import pytest
from selenium.webdriver.common.by import By

from bench.commands.history import report_history
from bench.commands.machines import write_side_by_side
from bench.guard.stored.compare import lettered
from bench.several.comparison.together import together
from bench.store.runs import read_run
from tests.bench.guard.stored.conftest import machine, trials
from tests.bench.report.page.test_in_a_browser import NASTY, column, head, listing

ENVIRONMENT = {"host": NASTY, "cpu_model": NASTY, "git_commit": NASTY, "packages": {"tensorflow": NASTY}}


@pytest.fixture
def comparison(stored, tmp_path):
    """The page of three runs whose files hold nothing but hostile words beside their figures."""
    speeds = {"a": (1000, 3000), "b": (2000, 4000), "javascript:alert(1)": (1500, 5000)}
    runs = [
        stored(
            name,
            [*trials(one, accuracies=[0.98]), *trials(other, cell={"xla": True})],
            environment=machine(**ENVIRONMENT),
            suite=NASTY,
        )
        for name, (one, other) in speeds.items()
    ]
    for run in runs:  # their own pages are not what is looked at
        (run / "report").mkdir()
        (run / "report" / "report.html").touch()
    write_side_by_side(together(lettered([read_run(run) for run in runs]), None), tmp_path / "out")
    return tmp_path / "out" / "comparison.html"


@pytest.fixture
def history(past, tmp_path):
    """The page of twenty such runs with a level shift."""
    past([1000] * 10 + [900] * 10, environment=lambda _: ENVIRONMENT, suite=NASTY)
    assert report_history([tmp_path / "runs"], None, tmp_path / "out") == 0
    return tmp_path / "out" / "history.html"


@pytest.mark.parametrize("name", ["comparison", "history"])
def test_pages_hold_in_any_scheme_width_and_with_hostile_words(request, opened, name):
    """Nothing of a file runs, links lead to reports only, nobody is shut out, and only tables scroll sideways."""
    browser = opened(request.getfixturevalue(name))
    for button in browser.find_elements(By.CSS_SELECTOR, ".listing tbody button"):
        button.click()
    assert browser.execute_script("return window.pwned") is None
    hrefs = browser.execute_script("return [...document.links].map((link) => link.getAttribute('href'))")
    assert "../runs/javascript%3Aalert%281%29/report/report.html" in hrefs or name == "history"
    assert all(href.startswith("#") or href.endswith((".csv", "/report/report.html")) for href in hrefs)
    for scheme in ("light", "dark"):
        assert serious(browser, scheme) == []
    assert fits(browser, 420)


def test_ratios_sort(comparison, opened):
    """A click on a ratio puts the fastest beside the reference first."""
    browser = opened(comparison)
    head(browser, "cells", "B ÷ A").find_element(By.TAG_NAME, "button").click()
    assert column(browser, "cells", "cell") == ["default", "xla"]  # 2 and 1.33 times
    head(browser, "cells", "A images/s").find_element(By.TAG_NAME, "button").click()
    assert column(browser, "cells", "cell") == ["xla", "default"]
    assert listing(browser, "cells").find_element(By.CSS_SELECTOR, "[role=status]").text == "2 cells"


def serious(browser, scheme):
    """What Axe complains of."""
    from axe_core_python.selenium import Axe  # noqa: PLC0415  # a script of half a megabyte is read

    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    found = Axe().run(browser)["violations"]
    return [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}]


def fits(browser, width):
    """Whether the page is no wider than a window of this width."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        return browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
