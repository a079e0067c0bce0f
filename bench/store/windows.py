"""Stored windows: one by one as they come, and all of a trial in columns."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, fields
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, PlainSerializer, Strict, TypeAdapter, model_validator
from pydantic.dataclasses import dataclass

from bench.protocol.message import Count, Figure, Seconds
from bench.store.model import StoredModel

Phase = Literal["first_step", "run_in", "window"]


class Window(StoredModel):
    """Training between two clock readings."""

    phase: Phase
    """`first_step` (trace and compile), `run_in` (untimed by the rules: it follows a pause) or `window`."""
    start_s: Figure
    """When it began, on the worker's CLOCK_MONOTONIC."""
    window_s: Seconds
    """Seconds from its start to its end."""
    steps: Count
    """Training steps in it."""
    loss: Figure | None
    """Mean over its training images; null where that was no number."""
    accuracy: Figure
    """Share of its training images that were told rightly."""
    short: bool = False
    """Whether it is the last of an epoch where fewer steps were left."""


def _packed(values: Sequence[float] = ()) -> Sequence[float]:
    return array("d", values)


_PACKED = AfterValidator(_packed), PlainSerializer(list, return_type=list[float])
Numbers = Annotated[Sequence[Annotated[Figure, Strict()]], *_PACKED]
Durations = Annotated[Sequence[Annotated[Seconds, Strict()]], *_PACKED]
"""Lists or tuples, kept in eight bytes a number, a quarter of what objects take; arithmetic takes them as they are."""


@dataclass(frozen=True, config=ConfigDict(extra="ignore", allow_inf_nan=False))
class WindowColumns:
    """The windows of a trial in order, as one sequence for each field of `Window`, all equally long.

    A run holds them by the million: columns are checked and kept at a fraction of what objects cost, and what is
    plain inside them, unlike lists, at no cost to the garbage collector.
    """

    phase: tuple[Phase, ...] = ()
    start_s: Numbers = field(default_factory=_packed)
    window_s: Durations = field(default_factory=_packed)
    steps: tuple[Annotated[Count, Strict()], ...] = ()
    loss: tuple[Annotated[Figure, Strict()] | None, ...] = ()
    accuracy: Numbers = field(default_factory=_packed)
    short: tuple[Annotated[bool, Strict()], ...] = ()

    @model_validator(mode="after")
    def _equally_long(self) -> Self:
        lengths = {name: len(getattr(self, name)) for name in _COLUMNS}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of unequal lengths: {lengths}")
        return self

    @classmethod
    def of(cls, windows: Iterable[Window]) -> Self:
        """The columns of some windows."""
        rows = list(windows)
        return cls(**{name: tuple(getattr(row, name) for row in rows) for name in _COLUMNS})

    def __len__(self) -> int:
        return len(self.phase)

    def __iter__(self) -> Iterator[Window]:
        for values in zip(*(getattr(self, name) for name in _COLUMNS), strict=True):
            yield Window(**dict(zip(_COLUMNS, values, strict=True)))


_COLUMNS = tuple(column.name for column in fields(WindowColumns))
_LIST: TypeAdapter[list[Window]] = TypeAdapter(list[Window])


def _columns(value: object) -> object:
    """A list of windows, live ones or those of a file of schema version 1, as columns."""
    return WindowColumns.of(_LIST.validate_python(value)) if isinstance(value, list) else value


OF_ANY_VERSION = BeforeValidator(_columns, json_schema_input_type=WindowColumns | list[Window])
