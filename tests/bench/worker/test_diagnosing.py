"""A real worker within a diagnosis, and what it proves of its own programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.execute.effective import mismatch
from bench.execute.launchers import Launcher
from bench.execute.session import Session
from bench.protocol.answers import (
    DiagnosisBegun,
    DiagnosisEnded,
    Evaluated,
    Finished,
    Hello,
    ProbeDone,
    Ready,
    WindowDone,
)
from bench.protocol.commands import BeginDiagnosis, EndDiagnosis, Evaluate, Finish, Prepare, RunProbe, RunWindow
from bench.trial import Cell, Trial
from mnist_cnn.dataset import load_dataset

pytestmark = pytest.mark.slow
MIRRORED = {"strategy": "mirrored", "replicas": 2, "variant": "batchnorm_dropout"}
CENTRAL = {"strategy": "central_storage", "replicas": 2}
WORKERS = {"strategy": "multi_worker_mirrored", "replicas": 2, "workers": 2, "variant": "batchnorm_dropout"}


@contextmanager
def ready(log: Path, data: Path, **settings: Any) -> Iterator[tuple[Session, Ready]]:
    """Workers, of most cells one, that are ready to train a cell of the small data set."""
    trial = Trial(cell=Cell(global_batch=40, epochs=0, **settings), seed=1)
    session = Launcher()(trial, log)
    try:
        assert isinstance(session.hear(60), Hello)
        session.say(Prepare(trial=trial, data=str(data)))
        answer = session.hear(200)
        assert isinstance(answer, Ready), answer
        yield session, answer
        session.say(Finish())
        assert isinstance(session.hear(60), Finished)
    finally:
        session.close()


def ask(session: Session, command: Any, kind: type) -> Any:
    session.say(command)
    answer = session.hear(120)
    assert isinstance(answer, kind), answer
    return answer


@pytest.mark.parametrize(
    ("settings", "probes"),
    [
        pytest.param({}, ["step_resident", "resident"], id="step"),
        pytest.param({"engine": "fit", "variant": "dropout"}, ["fused", "resident"], id="fit"),
        pytest.param({"engine": "fused", "input": "resident"}, [], id="nothing to take away"),
        pytest.param(MIRRORED, ["step_resident", "resident", "communication"], id="two replicas"),
        pytest.param(CENTRAL, ["step_resident", "resident", "communication"], id="central storage"),
        pytest.param(WORKERS, ["step_resident", "resident", "communication"], id="two workers"),
    ],
)
def test_a_diagnosis_leaves_the_training_as_it_was(tmp_path, small_data, settings, probes):
    """Probes and windows within it train the model on; after it, evaluation finds the very same loss as before."""
    with ready(tmp_path / "log", small_data, **settings) as (session, _):
        ask(session, RunWindow(steps=5), WindowDone)
        before = ask(session, Evaluate(), Evaluated)
        assert ask(session, BeginDiagnosis(), DiagnosisBegun).probes == probes
        for probe in probes:
            done = ask(session, RunProbe(probe=probe, steps=7), ProbeDone)
            assert (done.probe, done.steps) == (probe, 7)
        ask(session, RunWindow(steps=7, afresh=True), WindowDone)
        within = ask(session, Evaluate(), Evaluated)
        ask(session, EndDiagnosis(), DiagnosisEnded)
        after = ask(session, Evaluate(), Evaluated)
    assert within.loss != before.loss
    assert (after.loss, after.accuracy) == (before.loss, before.accuracy)


def test_training_goes_on_after_a_diagnosis_as_without_one(tmp_path, small_data):
    """Five more steps on the same batch end where they do undiagnosed: seeds and the optimizer's state are put back."""

    def loss_of(*, diagnosed: bool) -> float:
        with ready(tmp_path / "log", small_data, input="synthetic", variant="dropout") as (session, _):
            ask(session, RunWindow(steps=5), WindowDone)
            if diagnosed:
                ask(session, BeginDiagnosis(), DiagnosisBegun)
                ask(session, RunProbe(probe="fused", steps=7), ProbeDone)
                ask(session, RunWindow(steps=7), WindowDone)
                ask(session, EndDiagnosis(), DiagnosisEnded)
            ask(session, RunWindow(steps=5), WindowDone)
            return ask(session, Evaluate(), Evaluated).loss

    assert loss_of(diagnosed=True) == pytest.approx(loss_of(diagnosed=False), rel=1e-4)


@pytest.mark.parametrize("engine", ["fit", "fused"])
def test_central_storage_is_read_back(tmp_path, small_data, engine):
    """The worker tells where the replicas run, and that one copy of the weights serves them all."""
    with ready(tmp_path / "log", small_data, engine=engine, **CENTRAL) as (session, answer):
        ask(session, RunWindow(steps=5), WindowDone)
    effective = answer.effective
    assert mismatch(Cell(global_batch=40, engine=engine, **CENTRAL), effective) is None
    assert effective.devices == ["/device:CPU:0", "/device:CPU:1"]
    assert "all replicas read and update one copy of the weights, on /device:CPU:0" in effective.notes


def test_mirrored_replicas_are_read_back(tmp_path, small_data):
    """The worker tells that moving statistics are each replica's own, and that the first's are evaluated."""
    with ready(tmp_path / "log", small_data, **MIRRORED) as (_, answer):
        assert mismatch(Cell(global_batch=40, **MIRRORED), answer.effective) is None
    told = "the first replica's moving statistics are evaluated: every replica's are its own"
    assert told in answer.effective.notes


def test_workers_are_read_back(tmp_path, small_data):
    """Two workers in half precision with the tuned recipe run what was asked, and tell whose masks and data."""
    settings = WORKERS | {"precision": "mixed_float16", "recipe": "tuned", "engine": "fused", "input": "resident"}
    with ready(tmp_path / "log", small_data, **settings) as (session, answer):
        ask(session, RunWindow(steps=5), WindowDone)
        ask(session, Evaluate(), Evaluated)
    assert mismatch(Cell(global_batch=40, **settings), answer.effective) is None
    told = {
        "rank 0's moving statistics are evaluated: every replica's are its own",
        "batch-norm statistics are per replica",
        "all replicas draw the same dropout masks, as Keras seeds them",
    }
    assert told <= {*answer.effective.notes}
    assert answer.effective.cross_device_ops == "CollectiveAllReduce (RING)"
    assert answer.data_sha256 == load_dataset(small_data).sha256


def test_kernels_are_those_that_ran(tmp_path, small_data):
    """Where oneDNN is built in its kernels stand in the graphs of the first step; switched off, they do not."""
    with ready(tmp_path / "log", small_data, onednn="on") as (_, on):
        pass
    with ready(tmp_path / "log", small_data, onednn="off") as (_, off):
        pass
    assert str(on.effective.onednn) == on.build["onednn_built_in"]
    assert not off.effective.onednn
    assert (on.effective.tf32, on.effective.xla_program) == (False, None)


def test_fused_takes_onednn_unless_the_shell_says_no(tmp_path, small_data, monkeypatch):
    """On a CPU `fused` runs oneDNN's kernels, and says so where TensorFlow would not; what a user's shell says stands.

    `step` runs what TensorFlow chooses, or the shell, which the row then says.
    """
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    with ready(tmp_path / "log", small_data, engine="fused") as (_, unasked):
        pass
    with ready(tmp_path / "log", small_data, onednn="default") as (_, of_tensorflow):
        pass
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    with ready(tmp_path / "log", small_data, engine="fused") as (_, refused):
        pass
    other = not of_tensorflow.effective.onednn
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", str(int(other)))
    with ready(tmp_path / "log", small_data) as (_, of_the_shell):
        pass
    assert str(unasked.effective.onednn) == unasked.build["onednn_built_in"]
    assert not refused.effective.onednn
    told = "oneDNN is on, which TensorFlow leaves off on this CPU"
    assert (told in unasked.effective.notes) == (unasked.effective.onednn and not of_tensorflow.effective.onednn)
    assert told not in [*of_tensorflow.effective.notes, *refused.effective.notes]
    by_the_shell = "oneDNN is {}, as TF_ENABLE_ONEDNN_OPTS of the shell has it"
    assert by_the_shell.format("off") in refused.effective.notes
    switched = of_the_shell.effective.onednn == other  # no kernels can be switched on that are not built in
    assert (by_the_shell.format("on" if other else "off") in of_the_shell.effective.notes) == switched
    assert not any("of the shell" in note for note in [*of_tensorflow.effective.notes, *unasked.effective.notes])


@pytest.mark.parametrize(("choice", "kept"), [(None, True), ("0", True), ("true", False)])
def test_fused_keeps_kernels_of_gradients_unless_the_shell_says_no(tmp_path, small_data, monkeypatch, choice, kept):
    """On a CPU `fused` makes a gradient's kernel once a thread; by the shell at every step, which is then noted."""
    monkeypatch.setenv("ONEDNN_VERBOSE", "profile_create")
    monkeypatch.delenv("TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE", raising=False)
    if choice is not None:
        monkeypatch.setenv("TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE", choice)
    alone = {"engine": "fused", "onednn": "on", "input": "resident", "cpu_threads": 1}
    with ready(tmp_path / "log", small_data, **alone) as (session, answer):
        ask(session, RunWindow(steps=2), WindowDone)
        before = (tmp_path / "log").read_text().count("backward_weights")
        ask(session, RunWindow(steps=20), WindowDone)
    made = (tmp_path / "log").read_text().count("backward_weights") - before
    assert answer.build["onednn_built_in"] == str(before > 0)
    assert (made < 20) == (kept or before == 0)
    note = "kernels of gradients are made anew at each step, as TF_MKL_OPTIMIZE_PRIMITIVE_MEMUSE of the shell has it"
    assert (note in answer.effective.notes) == (answer.effective.onednn and not kept)


@pytest.mark.parametrize("engine", ["fit", "step", "fused"])
def test_xla_is_proved_by_its_program(tmp_path, small_data, engine):
    """Where XLA was asked for, the worker names the program that XLA wrote out, with its instructions."""
    with ready(tmp_path / "log", small_data, engine=engine, xla=True) as (_, compiled):
        pass
    assert compiled.effective.xla
    name, instructions = compiled.effective.xla_program.split(": ")
    assert "one_step_on_data" in name or "replica_step" in name
    assert int(instructions.split()[0]) > 100


@pytest.mark.parametrize("threads", [1, 2])
def test_split_step_is_noted(tmp_path, small_data, threads):
    """Where each step runs as several shards, the row says over how many; one shard is no news."""
    with ready(tmp_path / "log", small_data, engine="fused", input="resident", cpu_threads=threads) as (_, answer):
        pass
    shards = answer.effective.shards
    note = f"each step is split into {shards} shards, worked on side by side"
    assert (note in answer.effective.notes) == (shards > 1)
    assert shards == threads
