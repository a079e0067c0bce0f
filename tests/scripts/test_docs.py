"""The documentation: the site builds, no link leads nowhere, figures are of stored runs, and commands exist."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from typer.main import get_command
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import UsageError
from bench.host import Conditions
from bench.plan.planning import plan_trials
from bench.plan.suite import load_suite, parse_suite
from bench.plan.support import Machine
from bench.report.sheet import COLUMNS
from bench.store.record import RunRecord, TrialRecord
from bench.trial import Cell

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "scripts" / "documentation"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
REFERENCE_RUN = "20261125T111605Z-vm-quick"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script's modules lie beside each other, as Python finds them when it runs the script."""
    monkeypatch.syspath_prepend(str(FOLDER))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as scripts/docs builds it, which checks every link."""
    pytest.importorskip("material", reason="needs the extra docs")
    out = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [sys.executable, FOLDER, "--out", out], capture_output=True, text=True, cwd="/", timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def text_of(page: Path) -> str:
    """What a reader sees of a page, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")).replace("&quot;", '"').split())


def test_site_is_whole_and_checked(site: Path) -> None:
    """Built strictly, with a page for each page of docs/ and each of the reference, and no link that leads nowhere."""
    from links import broken_in_site  # noqa: PLC0415  # see importable
    from reference import PAGES as REFERENCE  # noqa: PLC0415  # likewise

    names = [page.stem for page in (REPOSITORY / "docs").glob("*.md")] + [f"reference/{name}" for name in REFERENCE]
    assert [name for name in names if not (site / f"{name}.html").exists()] == []
    assert broken_in_site(site) == []


def test_reference_leaves_nothing_out(site: Path) -> None:
    """Commands with every option, axes, columns and stored fields stand on their pages, the machine's with meanings."""
    commands, columns = text_of(site / "reference/commands.html"), text_of(site / "reference/columns.html")
    for name, command in leaves(get_command(app), "bench"):
        assert f" {name} " in commands
        missing = [option for param in command.params for option in param.opts if option.startswith("--")]
        assert [option for option in missing if option not in commands] == []
    assert [column for column in COLUMNS if f" {column} " not in columns] == []
    meanings = [field.description for field in Conditions.model_fields.values()]
    assert [meaning for meaning in meanings if not meaning or meaning not in columns] == []
    suites, stored = text_of(site / "reference/suites.html"), text_of(site / "reference/stored.html")
    axes = [*Cell.model_fields, "per_replica_batch", "seed"]
    assert [axis for axis in axes if f" {axis} " not in suites] == []
    fields = [*RunRecord.model_fields, *TrialRecord.model_fields]
    assert [field for field in fields if f" {field} " not in stored] == []


def leaves(command: object, name: str) -> Iterator[tuple[str, object]]:
    inner = getattr(command, "commands", {})
    if not inner:
        yield name, command
    for word, sub in inner.items():
        yield from leaves(sub, f"{name} {word}")


def test_a_description_stays_one_cell() -> None:
    """Spaces around code stay, a bar or a tag neither ends the cell nor becomes HTML."""
    from schema_words import cell_of_table  # noqa: PLC0415  # see importable

    assert cell_of_table("Instead of\n  `a<b`: one|two <b>") == r"Instead of `a<b`: one\|two &lt;b&gt;"


def test_exit_codes_are_those_of_the_help(site: Path) -> None:
    """A code's meaning is what the command's own help says, and parts in brackets do not cut it."""
    told = text_of(site / "reference/exit-codes.html")
    assert "bench guard 1 a regression, found twice, or a head that failed twice" in told
    assert "bench baseline check 3 inconclusive (0 with --inconclusive pass)" in told


@pytest.mark.slow
def test_serving_follows_a_change_and_ends_when_told(tmp_path: Path) -> None:
    """A page that is changed is served anew within seconds; SIGTERM ends it, and no folder of its own stays behind."""
    pytest.importorskip("material", reason="needs the extra docs")
    root, scratch = tmp_path / "repository", tmp_path / "scratch"
    (root / "docs").mkdir(parents=True)
    scratch.mkdir()
    page = root / "docs" / "index.md"
    page.write_text("# One")
    with socket.create_server(("localhost", 0)) as free:
        address = f"localhost:{free.getsockname()[1]}"
    code = (
        f"import signal, sys; sys.path.insert(0, {str(FOLDER)!r}); signal.signal(15, signal.default_int_handler)\n"
        f"from pathlib import Path; from site_builder import serve; sys.exit(serve(Path({str(root)!r}), {address!r}))"
    )
    environment = os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://{address}/index.html", "One")
        page.write_text("# Two")
        wait_for(f"http://{address}/index.html", "Two")
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert list(scratch.iterdir()) == []


def wait_for(url: str, text: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if text in answer.read().decode():
                return
        time.sleep(0.2)
    raise AssertionError(f"{url} never said {text}")


def test_settings_page_has_every_axis_and_value() -> None:
    """The page for people who compare settings names each axis, and each of its values that are words."""
    text = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    words = {word for schema in Cell.model_json_schema()["properties"].values() for word in schema.get("enum", [])}
    assert sorted(word for word in {*Cell.model_fields, *words} if f"`{word}`" not in text) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ('<a href="nowhere.html">x</a>', "nowhere.html: leads nowhere"),
        ('<a href="other.html#nothing">x</a>', "other.html#nothing: leads nowhere"),
        ('<a href="#nothing">x</a>', "#nothing: leads nowhere"),
        ('<img src="picture.png">', "picture.png: leads nowhere"),
        ('<a href="../secret.html">x</a>', "../secret.html: leads nowhere"),
        ('<a href="https://nodot">x</a>', "https://nodot: no address"),
        ('<a href="javascript:alert()">x</a>', "javascript:alert(): no address"),
        ('<script src="https://example.org/x.js"></script>', "https://example.org/x.js: fetched from a network"),
        ('<link rel="stylesheet" href="//fonts.example.org/a">', "//fonts.example.org/a: fetched from a network"),
        ('<img src="https://example.org/x.png">', "https://example.org/x.png: fetched from a network"),
    ],
)
def test_what_is_broken_in_a_site_is_told(tmp_path: Path, broken: str, said: str) -> None:
    """Each kind of broken link, and whatever would come from a network, is a line that names page and address."""
    from links import broken_in_site  # noqa: PLC0415  # see importable

    (tmp_path / "secret.html").touch()
    folder = tmp_path / "site"
    folder.mkdir()
    good = '<a href="other.html#here">x</a> <a href="https://example.org/a">x</a> <a href="#top" id="top">x</a>'
    (folder / "other.html").write_text('<h2 id="here">x</h2>')
    (folder / "page.html").write_text(good)
    assert broken_in_site(folder) == []
    (folder / "page.html").write_text(good + broken)
    assert broken_in_site(folder) == [f"page.html: {said}"]


def test_a_style_sheet_that_fetches_is_told(tmp_path: Path) -> None:
    """Fonts of others come in through style sheets."""
    from links import broken_in_site  # noqa: PLC0415  # see importable

    (tmp_path / "a.css").write_text('@font-face{src:url("https://fonts.example.org/a.woff2")}')
    assert broken_in_site(tmp_path) == ["a.css: fetches from a network"]


def test_markdown_of_the_repository_leads_somewhere() -> None:
    """README, CONTRIBUTING, results/README and docs/ as a reader of the repository sees them, before any build."""
    from links import broken_in_markdown, read_by_hand  # noqa: PLC0415  # see importable

    files = read_by_hand(REPOSITORY)
    assert {file.name for file in files} >= {"README.md", "CONTRIBUTING.md", "guard.md"}
    assert broken_in_markdown(REPOSITORY, files) == []


def test_what_is_broken_in_markdown_is_told(tmp_path: Path) -> None:
    """A file, a heading or a picture that is not there is a line; code that looks like a link is none."""
    from links import broken_in_markdown  # noqa: PLC0415  # see importable

    page = tmp_path / "a.md"
    page.write_text(
        "# One `two`, three\n\n# Twice\n\n# Twice\n\n`[x](not.md)`\n\n"
        "[a](#one-two-three) [b](#twice-1) [c](#twice-2) [d](b.md) ![e](c.png) [f](http://x) [g](https://example.org)\n"
    )
    told = broken_in_markdown(tmp_path, [page])
    assert told == [
        "a.md: #twice-2: leads nowhere",
        "a.md: b.md: leads nowhere",
        "a.md: c.png: leads nowhere",
        "a.md: http://x: no address",
    ]


def test_links_follow_their_files_into_the_site(tmp_path: Path) -> None:
    """A page of docs/ stands at the top, a file it names elsewhere under its own path, and links follow them."""
    from pages import lay_out  # noqa: PLC0415  # see importable

    root, laid = tmp_path / "repository", tmp_path / "pages"
    (root / "docs").mkdir(parents=True)
    (root / "results").mkdir()
    (root / "docs" / "a.md").write_text(
        "[b](b.md#x) [r](../results/r.md) ![p](../results/p.png) [w](https://example.org)"
    )
    (root / "docs" / "b.md").write_text("# x")
    (root / "results" / "r.md").write_text("![p](p.png) [a](../docs/a.md) [out](../../secret.md)")
    (root / "results" / "p.png").write_bytes(b"PNG")
    (root / "results" / "other.md").touch()
    (tmp_path / "secret.md").touch()
    lay_out(root, laid)
    assert (laid / "a.md").read_text() == "[b](b.md#x) [r](results/r.md) ![p](results/p.png) [w](https://example.org)"
    assert (laid / "results/r.md").read_text() == "![p](p.png) [a](../a.md) [out](../../secret.md)"
    assert (laid / "results/p.png").read_bytes() == b"PNG"
    assert not (laid / "results/other.md").exists()


def test_an_unchanged_page_is_not_written_again(tmp_path: Path) -> None:
    """Whoever serves the pages builds again at each write."""
    from pages import lay_out  # noqa: PLC0415  # see importable

    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs" / "a.md"
    page.write_text("one")
    lay_out(tmp_path, tmp_path / "laid")
    laid = tmp_path / "laid" / "a.md"
    before = laid.stat().st_mtime_ns
    lay_out(tmp_path, tmp_path / "laid")
    assert laid.stat().st_mtime_ns == before
    page.write_text("two")
    lay_out(tmp_path, tmp_path / "laid")
    assert laid.read_text() == "two"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder of runs, two of one name."""
    for name in ("20260101T000000Z-vm-mine", "20260102T000000Z-vm-mine"):
        shutil.copytree(REPOSITORY / "results/reference" / REFERENCE_RUN, tmp_path / "runs" / name)
    return tmp_path / "runs"


def drawn(page: Path, mark: str, runs: Path) -> str:
    from runs import draw_tables  # noqa: PLC0415  # see importable

    page.write_text(f"before\n\n<!-- run: {mark} -->\nold figures\n<!-- end of run -->\n\nafter\n")
    assert draw_tables(page, runs)
    text = page.read_text()
    assert not draw_tables(page, runs)
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old figures" not in text
    return text


def test_tables_of_a_page_are_those_of_the_newest_run(tmp_path: Path, kept: Path) -> None:
    """The mark names a run and the axis that alone may differ; figures are those of the run's own summary."""
    text = drawn(tmp_path / "page.md", "mine; only: global_batch; pictures: memory", kept)
    summary = (kept / "20260102T000000Z-vm-mine/report/summary.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == ["| global_batch", "| ---", "| 32", "| 64", "| 200", "| 800"]
    place = rows[0].index("images/s (95 % interval)")
    assert all(f" {row[place]} " in summary for row in rows[2:])
    assert "runs/20260102T000000Z-vm-mine/report/summary.md" in text
    assert "![memory](runs/20260102T000000Z-vm-mine/report/plots/memory.png)" in text
    assert "20260101" not in text


def test_several_seeds_have_mean_spread_and_range(tmp_path: Path) -> None:
    """A cell of several seeds shows what they agree on; an axis that varies is a column once, and names the best."""
    script = [sys.executable, REPOSITORY / "scripts/synthetic_store.py", "--trials=80", "--windows=8", "--out=runs"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=True)
    text = drawn(tmp_path / "page.md", "synthetic", tmp_path / "runs")
    header, _, first, _ = [line for line in text.splitlines() if line.startswith("| ")]
    assert header.startswith("| global_batch | epochs | status | seeds | test accuracy % |")
    assert re.match(r"\| 16 \| 1 \| ok \| 4 \| \d\d\.\d\d ± 0\.\d\d \(\d\d\.\d\d to \d\d\.\d\d\) \|", first)
    assert "Most accurate: global_batch=32 epochs=2, " in text


def test_a_missing_run_is_told_and_no_figure_shown(tmp_path: Path, kept: Path) -> None:
    """The page says which run it waits for; a run whose name only ends like it is another one."""
    text = drawn(tmp_path / "page.md", "ine", kept)
    assert "**Not measured yet.** No run of the name `ine`" in text
    assert "| " not in text


@pytest.mark.parametrize("mark", ["mine; only: engines", "mine; figure: x", "mine; table"])
def test_a_mark_that_means_nothing_is_refused(tmp_path: Path, kept: Path, mark: str) -> None:
    """A slip in a mark is one line, and the page stays as it was."""
    with pytest.raises(UsageError, match="is unknown"):
        drawn(tmp_path / "page.md", mark, kept)


def test_tables_of_the_article_are_up_to_date(tmp_path: Path) -> None:
    """What the page shows is what the runs kept in results/reference/ say; scripts/docs draws it anew."""
    from runs import draw_tables  # noqa: PLC0415  # see importable

    copy = tmp_path / "docs" / "article.md"
    copy.parent.mkdir()
    shutil.copy(REPOSITORY / "docs" / "article.md", copy)
    (tmp_path / "results").symlink_to(REPOSITORY / "results")
    assert not draw_tables(copy, tmp_path / "results" / "reference")


@pytest.mark.parametrize("suite", sorted((REPOSITORY / "docs" / "suites").glob("*.toml")), ids=lambda path: path.stem)
def test_suites_of_the_article_can_be_run(suite: Path) -> None:
    """Each is a suite whose trials a CPU can train, but for a precision it has not; its name is its file's."""
    loaded = load_suite(str(suite), "cpu")
    trials = plan_trials(loaded, Machine(), train_images=60_000)
    assert loaded.name == suite.stem
    assert {trial.cell.precision for trial in trials if trial.unsupported} <= {"tf32"}
    assert len({trial.seed for trial in trials}) == 3


def test_the_suite_shown_is_one() -> None:
    """What the page for settings shows of a suite can be copied into a file and planned."""
    page = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    (shown,) = [token.content for token in MarkdownIt().parse(page) if token.info == "toml"]
    trials = plan_trials(parse_suite(shown, "settings.md"), Machine(), train_images=60_000)
    assert len(trials) == (3 * 2 - 1) * 3


def test_only_a_site_is_replaced(tmp_path: Path) -> None:
    """A file, or a folder that holds something else, stays as it is; a former site makes room."""
    from site_builder import put  # noqa: PLC0415  # see importable

    new, out = tmp_path / "new", tmp_path / "out"
    for folder in (new, out):
        folder.mkdir()
    (new / "sitemap.xml").touch()
    (out / "thesis.txt").touch()
    for other in (out, out / "thesis.txt"):
        with pytest.raises(UsageError, match="holds something that is no site"):
            put(new, other)
    assert (out / "thesis.txt").exists()
    (out / "sitemap.xml").touch()
    put(new, out)
    assert [file.name for file in out.iterdir()] == ["sitemap.xml"]


def commands_of(page: Path) -> list[str]:
    """Every bench command of a page: lines of code blocks, continued ones joined, and code within sentences."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        if token.type == "fence":
            found += token.content.replace("\\\n", " ").splitlines()
        found += [inner.content for inner in token.children or [] if inner.type == "code_inline"]
    words = get_command(app).commands  # type: ignore[attr-defined]  # typer does not name the type of a group
    lines = [" ".join(line.split()) for line in found]
    return [line for line in lines if re.match(rf"(scripts/)?bench ({'|'.join(words)})( |$)", line)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_shown_is_one_that_there_is(page: Path) -> None:
    """With --help behind it, the command line takes every word that a page tells people to type."""
    for command in commands_of(page):
        _, *words = shlex.split(command, comments=True)
        assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0, command


def test_pages_show_commands() -> None:
    """The check above has something to check, and would find an option that is none."""
    found = [command for page in PAGES for command in commands_of(page)]
    assert len(found) > 40
    assert CliRunner().invoke(app, ["run", "--no-such-option", "--help"]).exit_code == 2
