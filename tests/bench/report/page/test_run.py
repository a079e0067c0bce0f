"""The page of a run as a file: what it says, what it links to, and what its policy lets run."""

import base64
import hashlib
import json
from html.parser import HTMLParser

import pytest

from bench.report.pictures.canvas import Picture
from bench.report.tables import grid_of


class Read(HTMLParser):
    """What a page consists of, by the standard library's parser."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.inlined, self._within = [], [], [], {}, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        self._within = tag if tag in {"script", "style"} else ""
        if self._within:
            kind = dict(attributes).get("type", tag)
            self.inlined.setdefault(kind, []).append("")
            self._kind = kind

    def handle_endtag(self, tag):
        self._within = ""

    def handle_data(self, text):
        if self._within:
            self.inlined[self._kind][-1] += text
        else:
            self.texts.append(" ".join(text.split()))

    def values(self, name):
        return [value for _, one, value in self.attributes if one == name]

    @property
    def text(self):
        return " ".join(filter(None, self.texts))

    @property
    def listings(self):
        return {one["name"]: one for one in map(json.loads, self.inlined["application/json"])}


@pytest.fixture
def read(page_of):
    def read(*records, **run):
        return Read(page_of(*records, **run).read_text(encoding="utf-8"))

    return read


def timed(build, **rest):
    return build.record(step_s=[0.0499, 0.0502] * 8, accuracies=[0.9893], stopped_by="epochs", **rest)


def test_summary_in_words_comes_before_every_table(build, read):
    """The fastest cell, what bounds it, what it takes and gives, what failed and how far to trust it."""
    rounds = [{"as_is": 0.1, "fused": 0.09, "resident": 0.06, "communication": 0.01}] * 12
    best = timed(build, diagnosis=rounds, peak_host_memory_bytes=712 * 2**20)
    text = read(best, build.record({"xla": True}, status="oom", reason="8 GiB | too <little>")).text
    for told in (
        "Fastest in this one run (a rerun may differ; --repeats 3 tells): default, 3,996 (3,987–4,005) images/s",
        "Input 30 % (30–30) of its step",
        "peak host memory 712 MiB; 98.93 % test accuracy after 1 epoch",
        "1 of 2 recorded trials ended ok; 1 oom: 8 GiB | too <little>.",
        "Each cell ran in one process",
    ):
        assert told in text
        assert text.index(told) < text.index("How to read the numbers")


def test_listing_of_cells_is_the_table_of_results(build, read):
    """The same words as on the terminal and in Markdown, once for the script and once for readers without one."""
    records = [timed(build), build.record({"xla": True}, status="unsupported", reason="no XLA")]
    page, grid = read(*records), grid_of(build.cells(*records))
    assert page.listings["cells"]["lines"] == grid.lines
    assert all(word.split(" (")[0] in page.text for line in grid.lines for word in line)
    assert page.listings["cells"]["notes"] == list(grid.footnotes)


def test_trials_stand_inside_their_cells(build, read):
    """Each cell knows where its trials begin in the listing of trials, which has the cells' order."""
    records = [timed(build, seed=seed) for seed in range(3)]
    page = read(build.record({"global_batch": 400}, status="error", reason="it died"), *records)
    cells, trials = page.listings["cells"], page.listings["trials"]
    assert cells["begins"] == [0, 3]
    assert [line[0] for line in trials["lines"]] == ["default"] * 3 + ["global_batch=400"]
    assert trials["lines"][3][trials["headers"].index("reason")] == "it died"


def test_only_files_that_bench_wrote_and_are_there_are_linked(build, read, tmp_path):
    """A record's own words lead nowhere: links are made of its id, and of what the folder holds."""
    failed = build.record(status="error", reason="x", log="../../etc/passwd")
    other = build.record({"xla": True}, status="error", reason="x")
    other = other.model_copy(update={"log": f"logs/{other.trial.trial_id}.log"})
    for name in (f"logs/{failed.trial.trial_id}.log", f"logs/{other.trial.trial_id}.log", "logs/other.log"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).touch()
    (tmp_path / "run" / "telemetry").mkdir()
    (tmp_path / "run" / "telemetry" / f"{other.trial.trial_id}.jsonl").touch()
    page = read(failed, other)
    assert page.listings["trials"]["links"] == [
        [["log", f"../logs/{failed.trial.trial_id}.log"]],
        [["log", f"../logs/{other.trial.trial_id}.log"], ["telemetry", f"../telemetry/{other.trial.trial_id}.jsonl"]],
    ]
    outward = [href for href in page.values("href") if not href.startswith(("#", "data:"))]
    assert sorted(outward) == [f"../logs/{other.trial.trial_id}.log", "summary.md", "trials.csv"]


def test_policy_lets_only_the_pages_own_style_and_script_run(build, read):
    """Nothing may be loaded but pictures inside the page, and each hash is that of the text between the tags."""
    page = read(timed(build))
    (policy,) = [value for value in page.values("content") if value.startswith("default-src")]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert (rules["default-src"], rules["img-src"]) == ("'none'", "data:")
    for kind in ("style", "script"):
        (text,) = page.inlined[kind]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]


def test_pictures_are_inside_with_their_finding_as_text(build, read, tmp_path):
    """An image that needs no other file, told to who cannot see it."""
    svg = "<svg xmlns='http://www.w3.org/2000/svg' viewBox=\"0 0 300 150\"><script>pwned=1</script></svg>"
    (tmp_path / "speed.svg").write_text(svg)
    page = read(timed(build), pictures=[Picture(tmp_path / "speed", 'Fastest: "a"', "Bars: 95 % intervals.")])
    assert [page.values("width"), page.values("height")] == [["400"], ["200"]]
    assert page.values("alt") == ['Fastest: "a". Bars: 95 % intervals.']
    (source,) = page.values("src")
    kind, _, content = source.partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content) == (tmp_path / "speed.svg").read_bytes()


def test_effective_settings_that_differ_between_trials_are_both_told(build, read):
    """A cell whose trials ran with different threads says so behind its line."""
    one, other = timed(build), timed(build, seed=1)
    other = other.model_copy(update={"effective": other.effective.model_copy(update={"intra_op_threads": 1})})
    facts = {one["title"]: one for one in read(one, other).listings["cells"]["facts"]}
    read_back = facts["Effective settings, read back"]
    (words,) = read_back["distinct"]
    assert dict(zip(read_back["names"], words, strict=True))["intra_op_threads"] == "2 / 1"


def test_facets_are_the_axes_that_vary(build, read):
    """Values stand in order, numbers by size, and what all cells share is no choice."""
    records = [build.record({"global_batch": batch, "xla": batch == 64}) for batch in (800, 64, 200)]
    facets = {one["name"]: one["values"] for one in read(*records).listings["cells"]["facets"]}
    assert facets == {"global_batch": ["64", "200", "800"], "xla": ["false", "true"]}


@pytest.mark.parametrize(
    "nasty",
    [
        "</script><script>pwned()</script>",
        "<!--<script>",
        "a\x00\ud800\u2028\u202e",
        "{{ 7*7 }}",
        "']]>\"&amp;",
    ],
)
def test_hostile_words_open_no_tag(build, read, nasty):
    """A page of hostile words has the tags of one of plain words, and its listings are still JSON."""

    def page(word, load):
        words = dict.fromkeys(("suite", "description", "created_utc", "data"), word)
        failed = build.record(status="error", reason=word, log=word)
        return read(failed, environment={word: [word, load]}, **words)

    hostile = page(nasty, float("inf"))
    assert hostile.tags == page("a", 1.0).tags
    assert set(hostile.listings) == {"cells", "trials"}


def test_run_without_records_has_a_page(build, read):
    """A run that was interrupted before its first trial says so."""
    text = read(trials=[build.record().trial]).text
    assert "No cell was measured." in text
    assert "1 have no record" in text
    assert "Nothing is known of the machine." in text
