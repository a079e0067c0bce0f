"""Loss and accuracy epoch by epoch: curves, or dots where nobody trained for more than one epoch."""

from collections.abc import Sequence
from pathlib import Path

from bench.report.cells import CellSummary
from bench.report.names import absent, leading, left_out, short_names
from bench.report.pictures.canvas import Picture, styles
from bench.report.pictures.curves import PUBLISHED_EPOCHS, bands_note, draw_curves, published_note
from bench.report.pictures.dots import draw_dots
from bench.report.pictures.learned import Learned
from bench.report.text import percent
from bench.store.record import EpochRecord

_HOW_TAKEN = "Training figures are means while the epoch ran, test figures are taken after it."


def plot_history(stem: Path, every: Sequence[CellSummary]) -> Picture | None:
    """Draw loss and accuracy per epoch, training dashed and test solid; None if no epoch was finished.

    Cells with synthetic images are left out: there is nothing to learn in them.
    """
    trained = [cell for cell in every if cell.cell.input != "synthetic" and _seeds(cell)]
    if not trained:
        return None
    drawn = leading(trained, _highest)
    names, shared = short_names([cell.cell for cell in drawn])
    marked = zip(names, styles(len(drawn)), drawn, strict=True)
    learned = [Learned(name, style, _seeds(cell)) for name, style, cell in marked]
    title = _title(learned)
    several = max(one.epochs for one in learned) > 1
    published = several and any(_article(cell) for cell in drawn)
    more = left_out(len(drawn), len(trained), f"the {len(drawn)} cells with the highest test accuracy")
    notes = [f"All cells: {shared}." if shared else "", _HOW_TAKEN]
    notes += [bands_note(learned) if several else "", published_note() * published, more, absent(every, trained, _why)]
    if several:
        draw_curves(stem, title, notes, learned, published=published)
    else:
        draw_dots(stem, title, notes, learned)
    return Picture.of(stem, title, notes)


def _seeds(cell: CellSummary) -> dict[int, list[list[EpochRecord]]]:
    seeds: dict[int, list[list[EpochRecord]]] = {}
    for row in cell.counted:
        if row.record.epochs:
            seeds.setdefault(row.record.trial.seed, []).append(row.record.epochs)
    return seeds


def _highest(cell: CellSummary) -> float:
    return max(row.record.epochs[-1].test_accuracy for row in cell.counted if row.record.epochs)


def _article(cell: CellSummary) -> bool:
    """Whether it was trained as the article did, and for as long, so that its figures belong beside the article's."""
    settings, plain = cell.cell, type(cell.cell)()
    names = ("variant", "recipe", "optimizer", "learning_rate", "global_batch")
    alike = all(getattr(settings, name) == getattr(plain, name) for name in names)
    return alike and any(len(row.record.epochs) >= PUBLISHED_EPOCHS for row in cell.counted)


def _why(cell: CellSummary) -> str:
    if not cell.ok:
        return cell.status
    return "nothing to learn" if cell.cell.input == "synthetic" else "no whole epoch"


def _title(learned: Sequence[Learned]) -> str:
    """Where the trials ended: their range, for a single seed ranks no cell."""
    last = [trial[-1] for one in learned for trial in one.trials]
    epochs = dict.fromkeys(pick(epoch.epoch for epoch in last) for pick in (min, max))
    accuracies = dict.fromkeys(percent(pick(epoch.test_accuracy for epoch in last)) for pick in (min, max))
    title = f"Test accuracy {' to '.join(accuracies)} % after epoch {' to '.join(map(str, epochs))}"
    losses = [epoch.test_loss for epoch in last if epoch.test_loss is not None]
    ends = dict.fromkeys(f"{pick(losses):.3g}" for pick in (min, max)) if losses else {}
    return f"{title}; test loss {' to '.join(ends)}" if losses else title
