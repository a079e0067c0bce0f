"""What can be said of a side, and what is refused in one line."""

import sys
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.guard.live.side import parse_side, trial_of
from bench.plan.support import Machine


def test_side_of_several_parts(tmp_path: Path):
    """Settings, a tree, a Python and variables stand in one side, comma-joined."""
    side = parse_side(f"engine=fused, global_batch=16,{tmp_path},python={sys.executable},env:TF_ENABLE_ONEDNN_OPTS=0")
    assert side.settings == {"engine": "fused", "global_batch": 16}
    assert side.tree == str(tmp_path)
    assert side.python == sys.executable
    assert side.variables == {"TF_ENABLE_ONEDNN_OPTS": "0"}


def test_default_changes_nothing():
    """A side called default is this very tree, Python and environment."""
    side = parse_side("default")
    assert (side.settings, side.tree, side.python, side.variables) == ({}, None, sys.executable, {})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("engin=fused", "did you mean 'engine'"),
        ("engine=slow", "one of fit, step, fused"),
        ("engine=fit,engine=step", "engine is set twice"),
        ("fast", "'fast' is no part of a side"),
        ("git:main,git:dev", "names two trees"),
        ("python=/nowhere/python", "no program"),
        ("env:PYTHONPATH=/tmp", "name a folder"),
        ("env:CUDA_VISIBLE_DEVICES=1", "device=gpu:N"),
        ("env:XLA_FLAGS=--x", "ignored by workers"),
        ("env:=1", "write it as env:NAME=VALUE"),
        ("env:A=\x1b[2J", "write it as env:NAME=VALUE"),
    ],
)
def test_what_is_no_side_is_told(words: str, told: str):
    """One line names the word and the fix."""
    with pytest.raises(UsageError, match=told.replace("[", r"\[")):
        parse_side(words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("epochs=3", "epochs is no setting of a side"),
        ("seed=3", "seed is no setting of a side"),
        ("device=gpu", "cannot run here"),
        ("global_batch=70000", "only 60000 images"),
        ("onednn=on,env:TF_ENABLE_ONEDNN_OPTS=0", "say the same twice"),
    ],
)
def test_what_cannot_be_measured_is_told(words: str, told: str):
    """A side that this machine cannot run is refused before anything starts."""
    with pytest.raises(UsageError, match=told):
        trial_of(parse_side(words), "B", {}, Machine(), 60_000)


def test_own_settings_go_over_common_ones():
    """What both sides share is overridden by what a side says of itself."""
    trial = trial_of(parse_side("global_batch=16"), "B", {"global_batch": 64, "engine": "fused"}, Machine(), 60_000)
    assert (trial.cell.global_batch, trial.cell.engine, trial.cell.epochs) == (16, "fused", 0)
