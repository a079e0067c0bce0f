"""`python -m mnist_cnn` as a user runs it: a real process on a small data set."""

import csv
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
EPOCH_LINE = re.compile(
    r"epoch +(\d)/2 +[\d.]+ s  loss ([\d.]+)  accuracy ([\d.]+)%  test loss ([\d.]+)  test accuracy ([\d.]+)%"
)


def mnist_cnn(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mnist_cnn", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1", "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd="/")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("main")


@pytest.fixture(scope="module")
def small(folder, embedded) -> Path:
    path = folder / "small.npz"
    train, test = embedded.train, embedded.test
    np.savez(
        path,
        x_train=train.images[:400],
        y_train=train.labels[:400],
        x_test=test.images[:100],
        y_test=test.labels[:100],
    )
    return path


@pytest.fixture(scope="module")
def run(small, folder) -> subprocess.CompletedProcess[str]:
    """Two seeds of two epochs, saved."""
    words = [
        "--data",
        small,
        "--batch",
        20,
        "--epochs",
        2,
        "--seed",
        3,
        "--seeds",
        2,
        "--save",
        "--out",
        folder / "a/b",
    ]
    return mnist_cnn(*words)


@pytest.fixture(scope="module")
def table(run, folder) -> list[dict[str, str]]:
    with (folder / "a/b/history.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_run_prints_the_network(run):
    """A run ends well, with Keras's summary of 257,162 parameters printed once, and says nothing on stderr."""
    assert (run.returncode, run.stderr.count("Traceback")) == (0, 0), run.stderr
    assert run.stdout.count("Total params: 257,162") == 1


def test_run_prints_a_line_per_epoch(run, table):
    """Each seed prints its steps and one line per epoch, whose figures are those of history.csv."""
    assert [line for line in run.stdout.splitlines() if line.startswith("Seed")] == [
        "Seed 3, 20 steps an epoch",
        "Seed 4, 20 steps an epoch",
    ]
    printed = EPOCH_LINE.findall(run.stdout)
    assert [int(line[0]) for line in printed] == [1, 2, 1, 2]
    for line, row in zip(printed, table, strict=True):
        shown = [float(figure) for figure in line[1:]]
        assert shown[0::2] == pytest.approx([float(row["train_loss"]), float(row["test_loss"])], abs=5e-5)
        kept = [100 * float(row["train_accuracy"]), 100 * float(row["test_accuracy"])]
        assert shown[1::2] == pytest.approx(kept, abs=5e-3)


def test_run_reports_mean_spread_and_range(run, table):
    """The last lines give mean, standard deviation and range over seeds of each one's last epoch."""
    finals = [row for row in table if row["epoch"] == "2"]
    accuracies = [100 * float(row["test_accuracy"]) for row in finals]
    losses = [float(row["test_loss"]) for row in finals]
    mean, spread, files = run.stdout.splitlines()[-3:]
    assert mean == (
        f"Test accuracy {statistics.mean(accuracies):.2f}%, test loss {statistics.mean(losses):.4f} "
        "(published: 99.27%, 0.03166)"
    )
    assert spread == (
        f"Over 2 seeds: accuracy sd {statistics.stdev(accuracies):.2f} points, "
        f"range {min(accuracies):.2f}% to {max(accuracies):.2f}%; "
        f"loss sd {statistics.stdev(losses):.4f}, range {min(losses):.4f} to {max(losses):.4f}"
    )
    assert files.endswith("/a/b/history.png, history.csv")


def test_every_seed_trains_another_model(table):
    """The two seeds of a run end at different losses."""
    assert table[1]["train_loss"] != table[3]["train_loss"]


def test_run_writes_table_and_plot(run, table, folder):
    """The folder, made with its parents, holds a table of two epochs for each seed and a plot."""
    assert [(row["run"], row["epoch"]) for row in table] == [
        ("seed 3", "1"),
        ("seed 3", "2"),
        ("seed 4", "1"),
        ("seed 4", "2"),
    ]
    assert (folder / "a/b/history.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert {path.name for path in (folder / "a/b").iterdir()} == {
        "history.csv",
        "history.png",
        "seed-3.keras",
        "seed-4.keras",
    }


@pytest.mark.parametrize("seed", [3, 4])
def test_saved_model_predicts_as_it_did(run, table, folder, embedded, seed):
    """Each saved model loads into Keras and has the loss and accuracy that its seed ended with."""
    model = keras.models.load_model(folder / f"a/b/seed-{seed}.keras")
    probabilities = model.predict(embedded.test.images[:100, ..., None] / np.float32(255), verbose=0)
    labels = embedded.test.labels[:100]
    final = next(row for row in table if (row["run"], row["epoch"]) == (f"seed {seed}", "2"))
    assert (probabilities.argmax(axis=1) == labels).mean() == pytest.approx(float(final["test_accuracy"]))
    loss = -np.log(probabilities[np.arange(100), labels]).mean()
    assert loss == pytest.approx(float(final["test_loss"]), rel=1e-4)


def refusal(*words: object) -> str:
    """The one line on stderr of a refused command."""
    refused = mnist_cnn(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.count("\n") == 1
    return refused.stderr


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "no such file or folder"), (b"text", "not a readable .npz file")],
    ids=["none", "text"],
)
def test_bad_data_is_refused(tmp_path, content, fault):
    """Data that is missing or damaged ends with code 2 and the file's name."""
    if content:
        (tmp_path / "bad.npz").write_bytes(content)
    assert refusal("--data", tmp_path / "bad.npz").startswith(f"{tmp_path}/bad.npz: {fault}")


def test_batch_larger_than_the_set_is_refused(small, tmp_path):
    """A batch of 401 from 400 images ends with code 2, and says how many there are; no folder is made."""
    text = refusal("--data", small, "--batch", 401, "--out", tmp_path / "out")
    assert text == "--batch 401: the training set has only 400 images; give at most that\n"
    assert not (tmp_path / "out").exists()


def test_folder_that_cannot_be_written_is_refused(small, tmp_path):
    """An output folder below a regular file ends with code 2 before any training."""
    (tmp_path / "file").touch()
    text = refusal("--data", small, "--out", tmp_path / "file" / "out")
    assert text == f"--out {tmp_path}/file/out: cannot be written (Not a directory); name a folder that can\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--recipe", "secret"), "'secret' is not one of 'article', 'tuned'"),
        (("--engine", "warp"), "'warp' is not one of 'fit', 'step', 'fused'"),
        (("--epochs", "0"), "Invalid value for '--epochs'"),
        (("--seed", str(2**32)), "Invalid value for '--seed'"),
        (("--frobnicate",), "No such option: --frobnicate"),
    ],
)
def test_wrong_options_are_refused(words, expected):
    """An unknown option or a value out of range ends with code 2, saying what there is, without a traceback."""
    refused = mnist_cnn(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert expected in refused.stderr
    assert "Traceback" not in refused.stderr
