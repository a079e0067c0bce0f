"""A training whose input may begin afresh after a pause, in which it has piled up batches."""

from collections.abc import Iterator
from typing import Any

from mnist_cnn.training import Training


class Resumable(Training):
    """Can throw away what its input piled up while nobody trained.

    Steps that follow a pause live on that pile: beside an input that takes a tenth longer than a step it lasts for ten
    times as many steps as it has batches, and all of them are too fast. With no pile they wait for each batch, as all
    others do, or, where batches come sooner than steps end, for none but the first; an input that takes nearly as long
    as a step, on the same CPUs, fills its buffers again for some steps, which costs those CPUs more than usual.
    """

    piled_up = 0
    """Batches that a pause lets pile up."""
    _batches: Iterator[Any] | None = None

    def iterator(self) -> Iterator[Any]:
        """A fresh pass over the pipeline, of which this is the latest."""
        self._batches = super().iterator()
        return self._batches

    def begin_afresh(self) -> None:
        """Throw the pile away; Keras's `fit`, and workers that a coordinator leads, keep theirs out of reach."""
        if self._batches is not None and self.updates is None:
            for _ in range(self.piled_up):
                next(self._batches)
