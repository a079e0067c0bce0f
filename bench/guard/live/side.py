"""What one side of a comparison is: settings, a source tree, a Python environment, variables, or several of these."""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.errors import UsageError, did_you_mean
from bench.plan.axes import Settings
from bench.plan.planning import plan_trials
from bench.plan.suite import Suite, parse_overrides
from bench.plan.support import Machine
from bench.protocol.variables import IGNORED_VARIABLES
from bench.trial import Trial
from mnist_cnn.settings import ONEDNN_SWITCH

AS_IS = "default"
"""A side of which nothing is changed."""
_VARIABLE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_REFUSED = {
    **dict.fromkeys(
        ("PYTHONPATH", "PYTHONHOME", "PATH", "LD_PRELOAD", "TMPDIR"), "name a folder, git:REVISION or python=PATH"
    ),
    **dict.fromkeys(("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"), "name the GPU with device=gpu:N"),
}
"""What would change which code runs, or where, with how that is said instead."""


@dataclass(frozen=True)
class Side:
    """One side as it was asked for; `tree` is None for the `mnist_cnn` that runs here."""

    words: str
    settings: Settings = field(default_factory=dict)
    tree: str | None = None
    python: str = sys.executable
    variables: Mapping[str, str] = field(default_factory=dict)


def parse_side(words: str) -> Side:
    """A side from comma-joined words; raises UsageError for what is none of them.

    `default`, `axis=value`, `git:REVISION`, a folder that holds a `mnist_cnn`, `python=PATH`, `env:NAME=VALUE`.
    """
    if words != AS_IS and is_folder(words):
        return Side(words=words, tree=words)
    settings: list[str] = []
    found: dict[str, str] = {}
    variables: dict[str, str] = {}
    for word in filter(None, (word.strip() for word in words.split(","))):
        if word == AS_IS:
            continue
        if word.startswith("env:"):
            variables |= _variable(words, word)
        elif word.startswith("python="):
            _once(found, "python", _python(words, word.removeprefix("python=")), words)
        elif word.startswith("git:") or _is_folder(word):
            _once(found, "tree", word, words)
        elif "=" in word:
            settings.append(word)
        else:
            told = "; write axis=value, git:REVISION, a folder, python=PATH, env:NAME=VALUE, or default"
            near = did_you_mean(word, [AS_IS])
            raise UsageError(f"{words}: {word!r} is no part of a side{near or told}")
    return Side(
        words=words.strip() or AS_IS,
        settings=one_value_each(settings, "side"),
        tree=found.get("tree"),
        python=found.get("python", sys.executable),
        variables=variables,
    )


def trial_of(side: Side, name: str, common: Settings, machine: Machine, train_images: int) -> Trial:
    """The trial of a side, its own settings over the common ones, with windows only and no epochs.

    Raises UsageError for settings that no machine, or not this one, can execute.
    """
    given = {**common, **side.settings}
    for axis in ("epochs", "seed"):
        if axis in given:
            raise UsageError(f"{side.words}: {axis} is no setting of a side: speed is measured over windows alone")
    suite = Suite(name=name, defaults={**given, "epochs": 0})
    (trial,) = plan_trials(suite, machine, train_images=train_images)
    if trial.unsupported:
        raise UsageError(f"{side.words}: cannot run here: {trial.unsupported}")
    if trial.cell.onednn != "default" and ONEDNN_SWITCH in side.variables:
        raise UsageError(
            f"{side.words}: env:{ONEDNN_SWITCH} and onednn={trial.cell.onednn} say the same twice; give one"
        )
    return trial


def one_value_each(words: Iterable[str], option: str) -> Settings:
    """Settings from `axis=value` words, one value for each axis; UsageError, which names the `option`, for several."""
    axes = parse_overrides(words, option)
    for axis, values in axes.items():
        if len(values) > 1:
            raise UsageError(f"{option} {axis}: give one value; what varies is a side or a --cell of its own")
    return {axis: values[0] for axis, values in axes.items()}


def _once(found: dict[str, str], name: str, value: str, words: str) -> None:
    if name in found:
        raise UsageError(f"{words}: names two {name}s, {found[name]} and {value}; give one")
    found[name] = value


def _is_folder(word: str) -> bool:
    return "=" not in word and (word.startswith((".", "/", "~")) or os.sep in word or is_folder(word))


def is_folder(words: str) -> bool:
    """Whether words name a folder; what is too long for a name, or of a user who is none, does not."""
    with suppress(OSError, RuntimeError):
        return Path(words).expanduser().is_dir()
    return False


def _python(words: str, path: str) -> str:
    found = shutil.which(Path(path).expanduser())
    if found is None:
        raise UsageError(f"{words}: python={path}: no program; name one such as .venv/bin/python")
    return str(Path(found).absolute())


def _variable(words: str, word: str) -> dict[str, str]:
    found = _VARIABLE.fullmatch(word)
    if found is None or not word.isprintable():
        raise UsageError(f"{words}: {word!r}: write it as env:NAME=VALUE")
    if found[1] in _REFUSED:
        raise UsageError(f"{words}: env:{found[1]} changes what is compared, or where; {_REFUSED[found[1]]}")
    if found[1] in IGNORED_VARIABLES:
        raise UsageError(
            f"{words}: env:{found[1]} is ignored by workers: the trial decides; use an axis, if there is one"
        )
    return {found[1]: found[2]}
