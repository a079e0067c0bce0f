"""What the pictures of a history share: the two measures of an epoch, and the epochs of a cell's trials."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.report.pictures.accuracy import accuracy_limits
from bench.report.pictures.canvas import Style
from bench.store.record import EpochRecord

KINDS = ("training", "test")
Pick = Callable[[EpochRecord], float | None]


@dataclass(frozen=True)
class Measure:
    """What is drawn of an epoch, of the training and of the test images."""

    label: str
    train: Pick
    test: Pick


LOSS = Measure("loss (cross-entropy)", lambda epoch: epoch.train_loss, lambda epoch: epoch.test_loss)
ACCURACY = Measure("accuracy (%)", lambda epoch: 100 * epoch.train_accuracy, lambda epoch: 100 * epoch.test_accuracy)


@dataclass(frozen=True)
class Learned:
    """The epochs of every trial of one cell, by seed: repeats of a seed train the same model."""

    name: str
    style: Style
    seeds: dict[int, list[list[EpochRecord]]]

    @property
    def trials(self) -> list[list[EpochRecord]]:
        """Of whatever seed."""
        return [trial for trials in self.seeds.values() for trial in trials]

    @property
    def epochs(self) -> int:
        """Of the longest trial."""
        return max(map(len, self.trials))

    def by_seed(self, of: Pick) -> NDArray[np.float64]:
        """A row for each seed, a column for each epoch: the mean over its repeats, NaN where there is no value."""
        table = np.full((len(self.seeds), self.epochs), math.nan)
        for row, trials in zip(table, self.seeds.values(), strict=True):
            for epoch in range(self.epochs):
                found = [of(trial[epoch]) for trial in trials if epoch < len(trial)]
                known = [value for value in found if value is not None]
                row[epoch] = sum(known) / len(known) if known else math.nan
        return table


def values(epochs: Sequence[EpochRecord], of: Pick) -> list[float]:
    """One value per epoch, NaN (a gap) where there is none."""
    found = [of(epoch) for epoch in epochs]
    return [math.nan if value is None else value for value in found]


def limit_accuracy(
    set_limits: Callable[[float, float], object], cells: Sequence[Learned], further: Sequence[float] = ()
) -> None:
    """Limits around all accuracies of training and test, and further ones in percent."""
    epochs = [epoch for cell in cells for trial in cell.trials for epoch in trial]
    every = values(epochs, ACCURACY.train) + values(epochs, ACCURACY.test)
    known = [value for value in (*every, *further) if not math.isnan(value)]
    if known:
        accuracy_limits(set_limits, known)
