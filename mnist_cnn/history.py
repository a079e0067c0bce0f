"""What a training run did, epoch by epoch: as CSV and as the article's plot. No TensorFlow."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

PUBLISHED_TEST_ACCURACY = 0.9927
PUBLISHED_TEST_LOSS = 0.03166


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean training loss and accuracy while it ran, test figures after it, seconds of each."""

    epoch: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    train_s: float
    evaluate_s: float


def write_history(path: Path, histories: Mapping[str, Sequence[Epoch]]) -> None:
    """Write every epoch of every named run as one CSV table, its first column the name."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["run", *(field.name for field in fields(Epoch))])
        for name, epochs in histories.items():
            writer.writerows([name, *asdict(epoch).values()] for epoch in epochs)


def plot_history(path: Path, histories: Mapping[str, Sequence[Epoch]], title: str) -> None:
    """Draw loss and accuracy per epoch, training dashed and test solid, one colour per run, as a PNG."""
    import matplotlib as mpl  # noqa: PLC0415  # a second of import that only this function needs

    mpl.use("Agg")
    import seaborn as sns  # noqa: PLC0415  # likewise
    from matplotlib import pyplot as plt  # noqa: PLC0415  # likewise
    from matplotlib.lines import Line2D  # noqa: PLC0415  # likewise

    sns.set_theme(style="whitegrid", context="notebook")
    figure, (loss, accuracy) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    colours = sns.color_palette("colorblind", max(len(histories), 1))
    for colour, (name, epochs) in zip(colours, histories.items(), strict=True):
        numbers = [epoch.epoch for epoch in epochs]
        train, test = (
            {"ls": "--", "color": colour, "lw": 1.2},
            {"color": colour, "marker": "o", "ms": 4, "label": name},
        )
        loss.plot(numbers, [epoch.train_loss for epoch in epochs], **train)
        loss.plot(numbers, [epoch.test_loss for epoch in epochs], **test)
        accuracy.plot(numbers, [100 * epoch.train_accuracy for epoch in epochs], **train)
        accuracy.plot(numbers, [100 * epoch.test_accuracy for epoch in epochs], **test)
    loss.set(xlabel="epoch", ylabel="loss (cross-entropy, logarithmic)", yscale="log")
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)")
    lowest_test = min((100 * epoch.test_accuracy for epochs in histories.values() for epoch in epochs), default=0)
    lowest = accuracy.get_ylim()[0]
    # a good run's first epochs of training may fall out of the picture, so that its tests can be told apart
    accuracy.set_ylim(bottom=max(lowest, 90) if lowest_test > 90 else max(lowest - 5, 0), top=100)
    for axes in (loss, accuracy):
        axes.xaxis.get_major_locator().set_params(integer=True)
    lines = [
        Line2D([], [], color="0.3", ls="--", label="training"),
        Line2D([], [], color="0.3", marker="o", label="test"),
    ]
    accuracy.legend(handles=lines + accuracy.get_legend_handles_labels()[0] * (len(histories) > 1), loc="best")
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    plt.close(figure)
