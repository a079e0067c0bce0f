"""`python -m mnist_cnn`: the article's training run, plain, without a benchmark around it."""

import os
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mnist_cnn.dataset import Dataset, DatasetError, load_dataset
from mnist_cnn.history import PUBLISHED_TEST_ACCURACY, PUBLISHED_TEST_LOSS, Epoch, plot_history, write_history
from mnist_cnn.settings import FUSED_VARIABLES, Engine, Optimizer, RecipeName, TrainingSettings, Variant

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def train(
    recipe: Annotated[RecipeName, typer.Option(help="article: constant rate; tuned: warm-up and cosine.")] = "article",
    variant: Annotated[Variant, typer.Option(help="The network, plain or with batch-norm and dropout.")] = "article",
    optimizer: Annotated[Optimizer, typer.Option()] = "rmsprop",
    engine: Annotated[Engine, typer.Option(help="What repeats the step; the training is the same.")] = "step",
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    batch: Annotated[int, typer.Option(min=1, help="Global batch.")] = 200,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Initial weights, data order and dropout.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Repeat with this many seeds, from --seed on.")] = 1,
    data: Annotated[Path | None, typer.Option(help="An .npz or a folder of IDX files; default: embedded.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for plot and CSV; default: a new one in results/.")] = None,
    save: Annotated[bool, typer.Option("--save", help="Also save each trained model as .keras.")] = False,
) -> None:
    """Train the MNIST CNN, print its test loss and accuracy, and plot both per epoch."""
    if find_spec("tensorflow") is None:
        _refuse("TensorFlow is not installed here; install the extra cpu or gpu")
    dataset = _load(data, batch)
    folder = _writable(out or Path("results") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-mnist_cnn")
    settings = TrainingSettings(
        variant=variant,
        recipe=recipe,
        optimizer=optimizer,
        engine=engine,
        global_batch=batch,
        epochs=epochs,
        seed=seed,
    )
    histories = {}
    shards = _settle_engine(settings)
    for number in range(seed, seed + seeds):
        model_path = folder / f"seed-{number}.keras" if save else None
        histories[f"seed {number}"] = _train_seed(settings, dataset, number, shards, model_path)
        write_history(folder / "history.csv", histories)
    plot_history(folder / "history.png", histories, f"MNIST CNN, {variant}, recipe {recipe}, global batch {batch}")
    _print_summary([epochs_[-1] for epochs_ in histories.values()])
    print(f"Plot and history: {folder}/history.png, history.csv")


def _refuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    raise typer.Exit(2)


def _load(data: Path | None, batch: int) -> Dataset:
    """The data set, if it is one and holds at least a batch."""
    try:
        dataset = load_dataset(data)
    except DatasetError as error:
        _refuse(str(error))
    if batch > (examples := len(dataset.train.labels)):
        _refuse(f"--batch {batch}: the training set has only {examples} images; give at most that")
    return dataset


def _writable(folder: Path) -> Path:
    """The folder, made, if files can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "history.csv").open("a").close()
    except OSError as error:
        _refuse(f"--out {folder}: cannot be written ({error.strerror}); name a folder that can")
    return folder


def _settle_engine(settings: TrainingSettings) -> int:
    """Set up TensorFlow's kernels and threads as the engine wants them; on a GPU, as they are."""
    if settings.engine == "fused":
        os.environ.update(FUSED_VARIABLES | os.environ)
    import tensorflow as tf  # noqa: PLC0415  # only once the input is known good

    from mnist_cnn.training import share_cores  # noqa: PLC0415  # likewise

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    shards = 1 if tf.config.list_physical_devices("GPU") else settings.shards(cores)
    share_cores(shards, cores)
    return shards


def _train_seed(
    settings: TrainingSettings, dataset: Dataset, seed: int, shards: int, model_path: Path | None
) -> list[Epoch]:
    """Train one seed, printing a line per epoch."""
    from dataclasses import replace  # noqa: PLC0415  # beside its only use

    from mnist_cnn.training import Training, train_epochs  # noqa: PLC0415  # TensorFlow, only once the input is known good

    training = Training(replace(settings, seed=seed), dataset, shards=shards)
    if seed == settings.seed:
        training.model.summary()
    print(f"Seed {seed}, {training.steps_per_epoch} steps an epoch")

    def on_epoch(epoch: Epoch) -> None:
        print(
            f"epoch {epoch.epoch:2d}/{settings.epochs}  {epoch.train_s:5.1f} s  "
            f"loss {epoch.train_loss:.4f}  accuracy {epoch.train_accuracy:.2%}  "
            f"test loss {epoch.test_loss:.4f}  test accuracy {epoch.test_accuracy:.2%}",
            flush=True,
        )

    history = train_epochs(training, dataset.test, on_epoch)
    if model_path is not None:
        training.model.save(model_path)
    return history


def _print_summary(finals: Sequence[Epoch]) -> None:
    published = f"(published: {PUBLISHED_TEST_ACCURACY:.2%}, {PUBLISHED_TEST_LOSS})"
    accuracies, losses = [final.test_accuracy for final in finals], [final.test_loss for final in finals]
    print(f"Test accuracy {statistics.mean(accuracies):.2%}, test loss {statistics.mean(losses):.4f} {published}")
    if len(finals) > 1:
        print(
            f"Over {len(finals)} seeds: accuracy sd {100 * statistics.stdev(accuracies):.2f} points, "
            f"range {min(accuracies):.2%} to {max(accuracies):.2%}; "
            f"loss sd {statistics.stdev(losses):.4f}, range {min(losses):.4f} to {max(losses):.4f}"
        )


if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's start-up chatter would bury the summary
    app()
