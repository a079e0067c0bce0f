"""The axes that a suite can vary: what each of them is, and what may be said of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from bench.errors import UsageError, did_you_mean, first_fault
from bench.trial import Batch, Cell, Trial
from mnist_cnn.settings import LearningRateRule

Setting = str | int | float | bool
Settings = dict[str, Setting]

REPLICA_WORDS = ("all", "doubling")
"""As many as there are GPUs (two on a CPU); 1, 2, 4 and so on up to them."""
_EXAMPLES: dict[str, tuple[Setting, ...]] = {
    "device": ("cpu", "gpu"),
    "replicas": (1, *REPLICA_WORDS),
    "global_batch": (64, 200, 800),
    "per_replica_batch": (64, 256),
    "learning_rate": (0.001, *get_args(LearningRateRule)),
    "epochs": (0, 1),
    "cpu_threads": (1, 2),
    "seed": (0, 1, 2),
}
"""Of axes whose values cannot all be told; of `workers` and `servers` only one goes with every strategy."""


@dataclass(frozen=True)
class Axis:
    """One axis: what it is in a sentence, its default (None: depends on other settings), and what it accepts.

    `examples` are values to begin with, all that there are where they are words.
    """

    name: str
    description: str
    default: Setting | None
    examples: tuple[Setting, ...]
    accepts: TypeAdapter[Setting]

    def check(self, value: Setting) -> None:
        """Raise ValueError, a pydantic one or with words of its own, for what the axis cannot be."""
        if self.name == "replicas" and isinstance(value, str):
            if value not in REPLICA_WORDS:
                told = f"a whole number, or one of {', '.join(REPLICA_WORDS)}"
                raise ValueError(f"{told}{did_you_mean(value, REPLICA_WORDS)}")
        else:
            self.accepts.validate_python(value, strict=True)

    @property
    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of one value in a suite file, where nothing is said as null."""
        schema = self.accepts.json_schema()
        variants = [one for one in schema.pop("anyOf", [schema]) if one != {"type": "null"}]
        variants += [{"enum": list(REPLICA_WORDS)}] * (self.name == "replicas")
        told: dict[str, Any] = {"description": self.description, "examples": list(self.examples)}
        told |= {} if self.default is None else {"default": self.default}
        return told | (variants[0] if len(variants) == 1 else {"anyOf": variants})


def _axis(name: str, field: FieldInfo) -> Axis:
    found = get_args(field.annotation) if get_origin(field.annotation) is Literal else (field.default,)
    examples = (False, True) if field.annotation is bool else found
    return Axis(
        name=name,
        description=field.description or "",
        default=field.default,
        examples=_EXAMPLES.get(name, examples),
        accepts=TypeAdapter(field.rebuild_annotation()),
    )


_PER_REPLICA = FieldInfo(annotation=Batch, default=None, description="Instead of global_batch: images on each replica.")
_FIELDS = Cell.model_fields | {"per_replica_batch": _PER_REPLICA, "seed": Trial.model_fields["seed"]}
AXES = {name: _axis(name, field) for name, field in _FIELDS.items()}
"""Every axis there is by its name, in the order of a cell's fields."""


def check_setting(where: str, axis: str, values: Iterable[Setting]) -> None:
    """Raise UsageError, which begins with `where`, if there is no such axis or it can have no such value."""
    if axis not in AXES:
        near = did_you_mean(axis, AXES) or f"; there are {', '.join(sorted(AXES))}"
        raise UsageError(f"{where}: unknown{near}")
    for value in values:
        try:
            AXES[axis].check(value)
        except ValidationError as error:
            raise UsageError(f"{where}: {first_fault(error)}") from None
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from None
