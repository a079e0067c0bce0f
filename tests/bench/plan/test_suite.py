"""Whatever is wrong with a suite is one line that names the source, the field and the fix, before anything runs."""

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.plan.suite import Suite, load_suite, parse_overrides, parse_suite

FROM_PLACE_TO_ERROR = {
    'nam = "x"': "nam: unknown; leave it out",
    "repeats = true": "repeats: a whole number",
    "repeats = 0": "repeats: at least 1",
    'repeats = "3"': "repeats: a whole number",
    "[budget]\ntrial_s = nan": "budget.trial_s: a finite number",
    "[budget]\ntrial_s = inf": "budget.trial_s: a finite number",
    "[budget]\nrun_s = -1": "budget.run_s: more than 0",
    '[budget]\nrun_s = "5"': "budget.run_s: a number",
    "target_accuracy = 0": "target_accuracy: more than 0",
    "target_accuracy = 99": "target_accuracy: at most 1",
    "target_accuracy = nan": "target_accuracy: ",
    "[budget]\nminutes = 3": "budget.minutes: unknown; leave it out",
    "[defaults]\nengin = 1": "defaults.engin: unknown; did you mean 'engine'?",
    '[defaults]\nengine = "stepp"': "defaults.engine: one of fit, step, fused",
    "[defaults]\nepochs = true": "defaults.epochs: a whole number",
    "[defaults]\nepochs = 1e1": "defaults.epochs: a whole number",
    "[defaults]\nepochs = 10001": "defaults.epochs: at most 10000",
    "[defaults]\nxla = 1": "defaults.xla: true or false",
    '[defaults]\nglobal_batch = "200"': "defaults.global_batch: a whole number",
    "[defaults]\nglobal_batch = -1": "defaults.global_batch: at least 1",
    f"[defaults]\nglobal_batch = {'9' * 60}": "defaults.global_batch: at most 1000000",
    f"[defaults]\nglobal_batch = 0x{'f' * 9000}": "defaults.global_batch: at most 1000000",
    "[defaults]\nper_replica_batch = 0": "defaults.per_replica_batch: at least 1",
    "[defaults]\nlearning_rate = nan": "defaults.learning_rate: give a positive number or one of linear, sqrt",
    "[defaults]\nlearning_rate = inf": "defaults.learning_rate: give a positive number or one of linear, sqrt",
    "[defaults]\nlearning_rate = -0.1": "defaults.learning_rate: give a positive number or one of linear, sqrt",
    '[defaults]\nlearning_rate = "root"': "defaults.learning_rate: give a positive number or one of linear, sqrt",
    '[defaults]\nreplicas = "most"': "defaults.replicas: a whole number",
    "[defaults]\nseed = -1": "defaults.seed: at least 0",
    "[defaults]\nseed = true": "defaults.seed: a whole number",
    f"[defaults]\nseed = {2**31}": "defaults.seed: less than 2147483648",
    "[defaults]\nengine = 2020-01-01": "defaults.engine",
    f"[defaults]\nengine = 0x{'f' * 9000}": "defaults.engine: one of fit, step, fused",
    '[defaults]\nengine = ["fit"]': "defaults.engine",
    "[axes]\nengine = []": "axes.engine: at least 1, not 0",
    '[axes]\nengine = "fit"': "axes.engine: a list",
    '[axes]\nengine = ["fit", "sit"]': "axes.engine: one of fit, step, fused",
    "[axes]\nbatch_size = [1]": "axes.batch_size: unknown",
    "[[cells]]\n[[cells]]\nxla = 0": "cells.1.xla: true or false",
    "[[exclude]]": "exclude.0: at least 1, not 0",
    '[[exclude]]\nengine = "stepp"': "exclude.0.engine: one of fit, step, fused",
    "defaults = 3": "defaults: a table of settings",
    "[defaults": "not TOML: ",
    "\x00": "not TOML: ",
    "[defaults]\nepochs = 1\nepochs = 2": "not TOML: ",
    f"[defaults]\nepochs = {'9' * 5000}": "not TOML: ",
    f"x = {'[' * 100_000}": "not TOML: ",
}


@pytest.mark.parametrize("text", FROM_PLACE_TO_ERROR, ids=range(len(FROM_PLACE_TO_ERROR)))
def test_fault_of_a_suite(text: str) -> None:
    """Each fault is refused with the file, the place in it, and what would be right."""
    with pytest.raises(UsageError) as caught:
        parse_suite(f'name = "mine"\n{text}\n', "mine.toml")
    assert str(caught.value).startswith(f"mine.toml: {FROM_PLACE_TO_ERROR[text]}")
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize("name", ['"a b"', '"../up"', '""', "3", f'"{"x" * 41}"'])
def test_name_that_cannot_be_part_of_a_folder(name: str) -> None:
    """A suite's name becomes part of a folder's, so only letters, digits, _ and - will do."""
    with pytest.raises(UsageError, match=r"mine\.toml: name: "):
        parse_suite(f"name = {name}\n", "mine.toml")


def test_names_that_would_break_the_line() -> None:
    """Neither a newline in a field's name nor a terminal's escape sequence gets into an error."""
    with pytest.raises(UsageError) as caught:
        parse_suite('name = "x"\n[defaults]\n"a\\nb\\u001b[2J" = 1\n', "mine.toml")
    assert str(caught.value).isprintable()


def test_unknown_suite_gets_the_nearest_name() -> None:
    """A name close to a suite's is answered with that, any other with all there are."""
    with pytest.raises(
        UsageError,
        match=r"^unknown suite 'quik'; did you mean 'quick'\?$",
    ):
        load_suite("quik", "cpu")
    with pytest.raises(
        UsageError, match=r"^unknown suite 'zzz'; give one of article, .*, or the path of a \.toml file$"
    ):
        load_suite("zzz", "cpu")
    with pytest.raises(UsageError, match="unknown"):
        load_suite("../suites/quick", "cpu")


def test_name_means_the_suite_of_the_device() -> None:
    """`quick` is one file for CPUs and another for GPUs; `smoke` is the same for both."""
    assert load_suite("quick", "gpu").defaults["device"] == "gpu"
    assert "device" not in load_suite("quick", "cpu").defaults
    assert load_suite("smoke", "gpu") == load_suite("smoke", "cpu")


def test_suite_by_path(tmp_path: Path) -> None:
    """A path is read whatever the device, and its errors name the path."""
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ndescription = "x"\nrepeats = 2\n[budget]\ntrial_s = 5\n')
    suite = load_suite(str(path), "gpu")
    assert (suite.name, suite.repeats, suite.budget.trial_s) == ("mine", 2, 5.0)
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(UsageError, match=r"mine\.toml: not UTF-8 text; give another file or one of article"):
        load_suite(str(path), "cpu")
    with pytest.raises(UsageError, match=r"gone\.toml: No such file or directory; give another file or"):
        load_suite(str(tmp_path / "gone.toml"), "cpu")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(UsageError, match=r"folder\.toml: Is a directory; give another file"):
        load_suite(str(tmp_path / "folder.toml"), "cpu")


def test_suite_is_not_changed_by_reading() -> None:
    """A suite is a value: what it says is there again, and cannot be assigned to."""
    suite = parse_suite('name = "x"\n[axes]\nxla = [true, false]\nlearning_rate = [1, 0.5, "sqrt"]\n', "x.toml")
    assert suite == Suite(name="x", axes={"xla": [True, False], "learning_rate": [1, 0.5, "sqrt"]})
    assert suite.axes["xla"][0] is True
    with pytest.raises(ValueError, match="frozen"):
        suite.name = "y"


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("engine=fit", ["fit"]),
        ("engine= fit , step ", ["fit", "step"]),
        ("global_batch=16,1_000", [16, 1000]),
        ("xla=true,false", [True, False]),
        ("learning_rate=1e-3,sqrt,1", [0.001, "sqrt", 1]),
        ('precision="tf32"', ["tf32"]),
        ("replicas=all,2", ["all", 2]),
        ("seed=0,1,2", [0, 1, 2]),
    ],
)
def test_override(option: str, values: list[object]) -> None:
    """Values are read as TOML reads them, words need no quotes."""
    (read,) = parse_overrides([option]).values()
    assert [(value, type(value)) for value in read] == [(value, type(value)) for value in values]


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("engine", "--set engine: write it as axis=value or axis=value,value"),
        ("engine=", "--set engine=: write it as axis=value or axis=value,value"),
        ("=3", "--set =3: unknown; there are "),
        ("engin=fit", "--set engin=fit: unknown; did you mean 'engine'?"),
        ("engine=fit,,step", "--set engine=fit,,step: one of fit, step, fused"),
        ("engine=fitt", "--set engine=fitt: one of fit, step, fused; did you mean 'fit'?"),
        ("xla=maybe", "--set xla=maybe: true or false"),
        ("xla=True", "--set xla=True: true or false"),
        ("xla=1", "--set xla=1: true or false"),
        ("epochs=1.5", "--set epochs=1.5: a whole number"),
        ("learning_rate=nan", "--set learning_rate=nan: give a positive number or one of linear, sqrt"),
        ("engine=2020-01-01", "--set engine=2020-01-01: one of fit, step, fused"),
        ("global_batch=[1]", "--set global_batch=[1]: a whole number"),
        ("engine=fit\nx=2", "--set engine=fit x=2: one of"),
        ("global_batch=" + "9" * 5000, "--set global_batch=999"),
    ],
)
def test_fault_of_an_override(option: str, told: str) -> None:
    """A wrong --set is refused with the option as given and what would be right."""
    with pytest.raises(UsageError) as caught:
        parse_overrides([option])
    assert str(caught.value).startswith(told)


def test_axis_overridden_twice() -> None:
    """A second --set of an axis is refused; silently, only one of the two would count."""
    with pytest.raises(
        UsageError, match=r"^--set engine=step: engine is set twice; write its values behind one another"
    ):
        parse_overrides(["engine=fit", "xla=true", "engine=step"])
