"""`bench schema`: what editors and other programs hold files against."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from bench.commands.schema import SCHEMAS, print_schema
from bench.guard.live.outputs import as_json
from bench.plan.axes import AXES
from bench.plan.suite import Suite
from bench.plan.template import suite_template
from tests.bench.guard.live.test_gate import SAME, SLOW, checked

ROOT = Path(__file__).parents[3]
SUITES = sorted((ROOT / "bench/plan/suites").glob("*.toml"))
REFERENCE = sorted(one.parent for one in (ROOT / "results/reference").glob("*/run.json"))


def holds(what: str, content: object) -> None:
    jsonschema.Draft202012Validator(SCHEMAS[what]()).validate(content)


@pytest.mark.parametrize("what", SCHEMAS)
def test_each_is_a_schema(what, capsys):
    """Valid by its own dialect, printed as one JSON object, with a description of what it is."""
    assert print_schema(what) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$schema"]
    assert schema["description"]


@pytest.mark.parametrize("what", ["run", "trial"])
def test_every_field_of_what_is_stored_says_what_it_is(what):
    """Those of a window once: its columns have the same names."""
    schema = SCHEMAS[what]()
    models = {what: schema, **schema["$defs"]}
    models.pop("WindowColumns", None)
    fields = {(name, field): told for name, model in models.items() for field, told in model["properties"].items()}
    assert [name for name, told in fields.items() if not told.get("description") and name[1] != "kind"] == []


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.name)
def test_shipped_suites_hold(path):
    """So does the file of `bench init`."""
    holds("suite", tomllib.loads(path.read_text(encoding="utf-8")))
    holds("suite", tomllib.loads(suite_template(path)))


@pytest.mark.parametrize("folder", REFERENCE, ids=lambda folder: folder.name)
def test_stored_runs_hold(folder):
    """The reference runs, of schema version 1 too, in which windows were a list."""
    holds("run", json.loads((folder / "run.json").read_text()))
    for line in (folder / "trials.jsonl").read_text().splitlines():
        holds("trial", json.loads(line))


def test_verdicts_hold():
    """What a gate writes for programs."""
    holds("verdict", json.loads(as_json(checked(SLOW, SLOW) + checked(SAME), 1)))


WRONG = {
    'name = "x"\nrepeats = 0': "repeats",
    'name = "x"\nbudgets = 3': "",
    "repeats = 1": "",
    'name = "x"\n[defaults]\nengine = "fitt"': "defaults.engine",
    'name = "x"\n[defaults]\nengin = "fit"': "defaults",
    'name = "x"\n[defaults]\ndevice = "gpu:x"': "defaults.device",
    'name = "x"\n[defaults]\nreplicas = "most"': "defaults.replicas",
    'name = "x"\n[defaults]\nlearning_rate = -1': "defaults.learning_rate",
    'name = "x"\n[axes]\nengine = "fit"': "axes.engine",
    'name = "x"\n[axes]\nxla = [1]': "axes.xla.0",
    'name = "x"\n[[cells]]\nglobal_batch = 0': "cells.0.global_batch",
    'name = "x"\n[[exclude]]': "exclude.0",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_a_suite_may_not_say_is_marked(text):
    """At its place, as `bench run` would refuse it."""
    (error, *_) = jsonschema.Draft202012Validator(SCHEMAS["suite"]()).iter_errors(tomllib.loads(text))
    assert ".".join(map(str, error.absolute_path)) == WRONG[text]


def test_everything_in_a_suite_is_described():
    """Each field and each axis has a sentence that an editor can show."""
    schema = SCHEMAS["suite"]()
    tables = [schema, schema["$defs"]["Settings"], schema["$defs"]["Budget"]]
    told = [field for table in tables for field in table["properties"].values()]
    assert len(told) == len(Suite.model_fields) + len(AXES) + 2
    assert all(len(field["description"]) > 10 for field in told)
