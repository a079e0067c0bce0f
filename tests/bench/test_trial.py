"""The ids of cells never change by themselves, and a setting is what it says, to the type."""

import json
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from bench.trial import Cell, Trial
from mnist_cnn import settings


def test_pinned_ids() -> None:
    """These ids are in stored runs: one that changes makes them another cell's."""
    assert Cell().cell_id == "44136fa3"
    assert Cell(engine="fit", global_batch=64).cell_id == "bb371af0"


@pytest.mark.parametrize("field", Cell.model_fields)
def test_default_said_aloud_is_the_same_cell(field: str) -> None:
    """A cell is known by what differs from the defaults, so a new axis changes no old id."""
    default = Cell.model_fields[field].default
    assert Cell.model_validate({field: default}).cell_id == Cell().cell_id


OTHER: dict[str, Any] = {
    "strategy": "mirrored",
    "device": "gpu",
    "replicas": 2,
    "precision": "tf32",
    "global_batch": 400,
    "engine": "fit",
    "xla": True,
    "input": "resident",
    "variant": "batchnorm",
    "recipe": "tuned",
    "optimizer": "sgd",
    "learning_rate": 0.5,
    "epochs": 0,
    "cpu_threads": 1,
    "onednn": "off",
    "allocator": "cuda_malloc_async",
    "all_reduce": "ring",
    "workers": 2,
    "servers": 2,
}


def test_every_setting_is_part_of_the_id() -> None:
    """Any one setting that differs gives an id of its own, of eight hex digits."""
    assert OTHER.keys() == Cell.model_fields.keys()
    # several workers are several replicas
    ids = {Cell.model_validate({field: value, "replicas": 2}).cell_id for field, value in OTHER.items()}
    ids |= {Cell().cell_id}
    assert len(ids) == len(OTHER) + 1
    assert all(len(cell_id) == 8 and int(cell_id, 16) >= 0 for cell_id in ids)


def test_order_of_settings_is_no_part_of_the_id() -> None:
    """The same settings in another order are the same cell."""
    assert Cell(xla=True, engine="fit").cell_id == Cell(engine="fit", xla=True).cell_id


def test_whole_learning_rate_is_the_same_cell_as_a_float() -> None:
    """`learning_rate = 1` and `1.0` differ in spelling only, also once stored and read again."""
    whole = Cell(learning_rate=1)
    assert whole.cell_id == Cell(learning_rate=1.0).cell_id
    assert Cell.model_validate(json.loads(whole.model_dump_json())) == whole


def test_asynchronous_batch_is_that_of_one_update() -> None:
    """Where replicas do not wait for each other a step is one's update: nothing is shared out, and nothing divides."""
    cell = Cell(strategy="parameter_server", workers=3, replicas=3, global_batch=200)
    assert (cell.per_replica_batch, cell.batch_words) == (200, "200 an update")


def test_roles_of_the_processes() -> None:
    """A coordinator, then workers, then servers; elsewhere everybody is a worker, whatever servers say."""
    served = Cell(strategy="parameter_server", workers=2, replicas=2, servers=3)
    assert served.roles == ("coordinator", "worker", "worker", "server", "server", "server")
    assert Cell(strategy="multi_worker_mirrored", workers=2, replicas=2, servers=3).roles == ("worker", "worker")
    assert Cell().roles == ("worker",)


def test_trial_id() -> None:
    """A trial is its cell, its seed and its repeat."""
    assert Trial(cell=Cell(), seed=3, repeat=1).trial_id == "44136fa3-3-1"


@pytest.mark.parametrize(
    ("words", "label"),
    [
        ({}, "default"),
        ({"engine": "fit"}, "engine=fit"),
        ({"strategy": "mirrored", "replicas": 2}, "mirrored ×2"),
        ({"precision": "mixed_float16", "global_batch": 64, "xla": True}, "mixed_float16 global_batch=64 xla"),
        ({"device": "gpu", "variant": "dropout"}, "gpu dropout"),
        ({"learning_rate": "sqrt", "epochs": 0}, "learning_rate=sqrt epochs=0"),
    ],
)
def test_label(words: dict[str, Any], label: str) -> None:
    """A label says what differs from the default cell, in few words."""
    assert Cell.model_validate(words).label == label


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", True),
        ("epochs", 1.0),
        ("epochs", -1),
        ("epochs", 10_001),
        ("xla", 1),
        ("xla", "true"),
        ("global_batch", "200"),
        ("global_batch", 0),
        ("global_batch", 1_000_001),
        ("replicas", True),
        ("replicas", 1025),
        ("cpu_threads", 0),
        ("engine", "Step"),
        ("learning_rate", True),
        ("learning_rate", 0),
        ("learning_rate", -0.1),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", 10**400),
        ("learning_rate", "lin"),
        ("batch_size", 200),
    ],
)
def test_value_of_the_wrong_type_or_size(field: str, value: Any) -> None:
    """A setting is never bent into another: the cell is refused and the error names the field."""
    with pytest.raises(ValidationError, match=field):
        Cell.model_validate({field: value})


def test_batch_that_replicas_cannot_share() -> None:
    """Every replica gets the same number of images or there is no cell."""
    with pytest.raises(ValidationError, match="global_batch 200 is not divisible by 3 replicas"):
        Cell(strategy="mirrored", replicas=3)
    assert Cell(strategy="mirrored", replicas=4).per_replica_batch == 50


@pytest.mark.slow
def test_words_are_those_of_the_tables() -> None:
    """Every engine, optimizer, input and variant that a cell can name is one that the workload has, and vice versa."""
    from mnist_cnn.engines import ENGINES  # noqa: PLC0415  # likewise
    from mnist_cnn.model import build_cnn  # noqa: PLC0415  # TensorFlow
    from mnist_cnn.recipes import ARTICLE_RATES, OPTIMIZERS  # noqa: PLC0415  # likewise

    assert set(ENGINES) == set(get_args(settings.Engine))
    assert set(OPTIMIZERS) == set(ARTICLE_RATES) == set(get_args(settings.Optimizer))
    names = {build_cnn(variant).name for variant in get_args(settings.Variant)}
    assert names == {f"mnist_cnn_{variant}" for variant in get_args(settings.Variant)}
    shared = settings.TrainingSettings.__dataclass_fields__.keys() & Cell.model_fields.keys()
    machine = {"strategy", "device", "replicas", "precision", "cpu_threads", "onednn", "allocator", "all_reduce"} | {
        "servers",
        "workers",
    }
    assert Cell.model_fields.keys() - shared == machine
    ours, theirs = Cell().model_dump(), settings.TrainingSettings()
    assert {name for name in shared if ours[name] != getattr(theirs, name)} == {"epochs"}
