"""The page as a reader has it: in a real browser, by keyboard, on paper, in the dark, with ten thousand lines."""

import base64
import itertools

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

NASTY = (
    "<script>window.pwned = 1</script><img src=x onerror='pwned = 1'>\"' onload=pwned=1 </script> {{ 7*7 }} "
    "\u202e\x00\x1b[31m"
)
HARNESS = {"span_s": 8.0, "cpus": 2, "parent_cpu_s": 0.016, "watchdog_cpu_s": 0.0, "exchanged_bytes": 800}


def listing(browser, name):
    return browser.find_element(By.CSS_SELECTOR, f".listing[data-name={name}]")


def column(browser, name, header):
    """The words of a column in the order shown, without the quieter half."""
    return browser.execute_script(
        """
        const holder = document.querySelector(`.listing[data-name=${arguments[0]}]`);
        const heads = [...holder.querySelectorAll("thead th")].map((cell) => cell.textContent);
        const place = heads.findIndex((text) => text.startsWith(arguments[1]));
        const rows = [...holder.querySelectorAll("tbody > tr[data-place]")];
        return rows.map((row) => row.children[place].firstChild?.textContent ?? "");
        """,
        name,
        header,
    )


def head(browser, name, header):
    heads = listing(browser, name).find_elements(By.CSS_SELECTOR, "thead th")
    return next(one for one in heads if one.text.startswith(header))


def choose(browser, name, facet, value):
    browser.execute_script(
        """
        const holder = document.querySelector(`.listing[data-name=${arguments[0]}]`);
        const labels = [...holder.querySelectorAll(".filters label")];
        const label = labels.find((one) => one.firstChild.textContent === arguments[1]);
        const select = label.querySelector("select");
        select.value = [...select.options].find((option) => option.textContent === arguments[2]).value;
        select.dispatchEvent(new Event("change", { bubbles: true }));
        """,
        name,
        facet,
        value,
    )


def star(build):
    """Cells of several kinds; the slowest has the largest batch, and one has no figure at all."""
    common = {"first_step_s": 1.83, "peak_host_memory_bytes": 712 * 2**20, "stopped_by": "epochs", "harness": HARNESS}
    engines = [("fit", 32), ("step", 32), ("fit", 200), ("step", 200), ("fused", 1600)]
    cells = [{"engine": engine, "global_batch": batch} for engine, batch in engines]
    timed = [
        build.record(cell, step_s=[0.01 * place, 0.0101 * place] * 8, accuracies=[0.98], **common)
        for place, cell in enumerate(cells, 1)
    ]
    rounds = [{"as_is": 0.1, "fused": 0.09, "resident": 0.06, "communication": 0.01}] * 12
    timed[0] = timed[0].model_copy(update={"diagnosis": rounds, "log": f"logs/{timed[0].trial.trial_id}.log"})
    return [
        *timed,
        build.record({"precision": "tf32"}, status="unsupported", reason="a CPU has no tensor cores"),
        build.record({"xla": True}, status="error", reason="the worker died"),
    ]


def test_figures_sort_as_numbers_with_the_empty_ones_last(build, page_of, opened):
    """Largest first, then smallest first, then as they came; what was not measured is at the end both times."""
    browser, name = opened(page_of(*star(build))), "images/s"
    assert head(browser, "cells", name).get_attribute("aria-sort") is None
    began = column(browser, "cells", name)
    # 10 steps of 32, 32, 200, 200 and 1600 images in 10.05, 20.1 … ms a step
    truth = [batch / (0.01005 * place) for place, batch in enumerate([32, 32, 200, 200, 1600], 1)]
    for direction, ordered in (("descending", sorted(truth, reverse=True)), ("ascending", sorted(truth))):
        head(browser, "cells", name).find_element(By.TAG_NAME, "button").click()
        assert head(browser, "cells", name).get_attribute("aria-sort") == direction
        shown = [word.strip().replace(",", "") for word in column(browser, "cells", name)]
        assert shown[5:] == ["", ""]
        assert [float(word) for word in shown[:5]] == pytest.approx(ordered, rel=0.01)
    head(browser, "cells", name).find_element(By.TAG_NAME, "button").click()
    assert column(browser, "cells", name) == began


def test_lines_are_filtered_by_words_axis_and_status(build, page_of, opened):
    """Only axes that vary are offered; what is left is said aloud, and can be taken back."""
    browser = opened(page_of(*star(build)))
    cells = listing(browser, "cells")
    offered = [one.text.split("\n")[0] for one in cells.find_elements(By.CSS_SELECTOR, ".filters label")]
    assert {"status", "engine", "global_batch", "xla", "precision"} <= set(offered)
    assert "optimizer" not in offered
    count = cells.find_element(By.CSS_SELECTOR, "[role=status]")
    choose(browser, "cells", "engine", "fit")
    assert count.text == "2 of 7 cells"
    assert all("fit" in word for word in column(browser, "cells", "cell"))
    cells.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys("BATCH=32")
    assert count.text == "1 of 7 cells"
    cells.find_element(By.XPATH, ".//button[text()='Clear']").click()
    assert count.text == "7 cells"
    choose(browser, "cells", "status", "error")
    assert column(browser, "cells", "cell") == ["xla"]


def test_line_opens_by_keyboard_on_what_stands_behind_it(build, page_of, opened, tmp_path):
    """Settings, those read back, the diagnosis with intervals, notes and trials with the log; Enter closes it again."""
    records = star(build)
    (tmp_path / "run" / "logs").mkdir(parents=True)
    (tmp_path / "run" / records[0].log).touch()
    browser = opened(page_of(*records))
    button = listing(browser, "cells").find_element(
        By.XPATH, ".//tbody//button[contains(., 'fit global_batch=32') or contains(., 'global_batch=32 engine=fit')]"
    )
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    behind = listing(browser, "cells").find_element(By.CLASS_NAME, "behind")
    lines = " ".join(behind.text.split())
    for told in ("optimizer rmsprop", "variable_dtype float32", "bound by input", "30.0 (30.0–30.0)", "fit", "98.00"):
        assert told in lines
    link = behind.find_element(By.TAG_NAME, "a")
    assert link.get_dom_attribute("href") == f"../{records[0].log}"
    button.send_keys(Keys.ENTER)
    assert listing(browser, "cells").find_elements(By.CLASS_NAME, "behind") == []


def test_first_tab_leads_past_the_top(build, page_of, opened):
    """The skip link is the first thing that a keyboard reaches, visible then, and leads to the contents."""
    browser = opened(page_of(*star(build)))
    browser.find_element(By.TAG_NAME, "body").send_keys(Keys.TAB)
    focused = browser.switch_to.active_element
    assert focused.text == "Skip to the content"
    focused.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_attribute("id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(build, page_of, opened, scheme):
    """Axe finds no serious fault in either colour scheme, a line opened or not."""
    from axe_core_python.selenium import Axe  # noqa: PLC0415  # a script of half a megabyte is read

    browser = opened(page_of(*star(build), ceilings=build.ceilings()))
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(ground) > 600) == (scheme == "light")
    listing(browser, "cells").find_element(By.CSS_SELECTOR, "tbody button").click()
    found = Axe().run(browser)["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}] == []


def many_trials(build, count):
    """`count` trials, 40 of a cell; the time of a step grows with their number."""
    batches = [8 * (1 + number // 40) for number in range(count)]
    return [
        build.record({"global_batch": batch}, repeat=number % 40, step_s=[0.001 * (1 + number)] * 4)
        for number, batch in enumerate(batches)
    ]


def many_cells(build, count):
    """`count` different cells."""
    axes = itertools.product(range(8, 8 * (count // 20 + 1) + 1, 8), ("fit", "step", "fused", "x"), range(5))
    settings = [
        {
            "global_batch": batch,
            "engine": "fit" if engine == "x" else engine,
            "xla": engine == "x",
            "cpu_threads": 1 + threads,
        }
        for batch, engine, threads in itertools.islice(axes, count)
    ]
    return [build.record(cell, step_s=[0.001 * (1 + number)] * 4) for number, cell in enumerate(settings)]


@pytest.mark.slow
@pytest.mark.parametrize(("made", "name"), [(many_trials, "trials"), (many_cells, "cells")])
def test_ten_thousand_lines_are_sorted_and_filtered_but_never_all_built(build, page_of, opened, made, name):
    """Of a large run only the lines in view exist; the order is over all of them, and pages turn."""
    records = made(build, 10_000)
    browser = opened(page_of(*records))
    holder = listing(browser, name)
    assert browser.execute_script("return document.querySelectorAll('tr').length") < 700
    slowest = [record.trial.cell.global_batch / (0.001 * (1 + number)) for number, record in enumerate(records)]
    button = head(browser, name, "images/s").find_element(By.TAG_NAME, "button")
    button.click()
    button.click()
    shown = [float(word.replace(",", "")) for word in column(browser, name, "images/s")]
    assert shown == pytest.approx(sorted(slowest)[:100], rel=0.01)
    holder.find_element(By.XPATH, ".//nav//button[text()='Next']").click()
    shown = [float(word.replace(",", "")) for word in column(browser, name, "images/s")]
    assert shown == pytest.approx(sorted(slowest)[100:200], rel=0.01)
    assert holder.find_element(By.CSS_SELECTOR, ".pager span").text == "101 to 200"
    wanted = sum(str(record.trial.cell.global_batch) == "1600" for record in records)
    holder.find_element(By.CSS_SELECTOR, "input[type=search]").send_keys("global_batch=1600")
    assert holder.find_element(By.CSS_SELECTOR, "[role=status]").text == f"{wanted} of 10,000 {name}"


def test_hostile_words_stay_words(build, page_of, opened):
    """Whatever a file says is shown as it is: nothing of it runs, and nothing of the page breaks."""
    failed = build.record(
        {"xla": True}, status="error", reason=NASTY + "x" * 1_000_000, log="javascript:pwned=1", versions={"a": NASTY}
    )
    plain = build.record(step_s=[0.1] * 8, stopped_by="epochs")
    effective = plain.effective.model_copy(update={"strategy": NASTY, "notes": [NASTY], "devices": [NASTY] * 3})
    run = {"suite": NASTY, "description": NASTY, "created_utc": NASTY, "data": NASTY, "data_sha256": NASTY}
    environment = {
        NASTY: NASTY,
        "gpus": [{NASTY: [NASTY]}],
        "load": float("nan"),
        "hosts": [{"host": NASTY, "ranks": [0]}],
    }
    browser = opened(page_of(failed, plain.model_copy(update={"effective": effective}), environment=environment, **run))
    for button in listing(browser, "cells").find_elements(By.CSS_SELECTOR, "tbody button"):
        button.click()
    assert browser.execute_script("return window.pwned") is None
    assert browser.execute_script("return document.images.length") == 0
    assert browser.find_element(By.TAG_NAME, "h1").text.startswith("<script>window.pwned = 1</script>")
    hrefs = browser.execute_script("return [...document.links].map((link) => link.getAttribute('href'))")
    assert all(href.startswith("#") or href in {"trials.csv", "summary.md"} for href in hrefs)
    assert max(map(len, browser.find_element(By.TAG_NAME, "body").text.splitlines())) < 5000


def test_without_javascript_the_cells_are_there(build, page_of, opened):
    """The table of results needs no script: every cell with its status and figures."""
    browser = opened(page_of(*star(build)))
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.refresh()
        rows = browser.find_elements(By.CSS_SELECTOR, ".listing[data-name=cells] tbody tr")
        assert len(rows) == 7
        assert any("3,184 (" in row.text.replace("\n", " ") for row in rows)
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_paper_has_every_line(build, page_of, opened):
    """Printed, a listing of several pages is whole, and afterwards it is as before."""
    browser = opened(
        page_of(*(build.record({"global_batch": batch}, step_s=[0.1] * 8) for batch in range(8, 8 * 151, 8)))
    )
    assert len(column(browser, "cells", "cell")) == 100
    browser.execute_script(
        "const rows = () => document.querySelectorAll('[data-name=cells] tbody tr').length;"
        "addEventListener('beforeprint', () => { window.printed = rows(); })"
    )
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})["data"])
    assert pdf.startswith(b"%PDF")
    assert browser.execute_script("return window.printed") == 150
    assert len(column(browser, "cells", "cell")) == 100


@pytest.mark.parametrize("width", [420, 1400])
def test_page_is_never_wider_than_its_window(build, page_of, opened, width):
    """Only tables scroll sideways."""
    browser = opened(page_of(*star(build)))
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
