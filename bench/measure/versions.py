"""Versions of the packages that decide a number, from their metadata alone, and what may not differ among trainers."""

from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from typing import Literal

OWN_PACKAGE = "mnist-cnn-bench"
PACKAGES = (
    *("tensorflow", "tensorflow-cpu", "keras", "numpy", "nvidia-ml-py", OWN_PACKAGE),
    # what `tensorflow[and-cuda]` brings: its versions float over time, so that two installs of one TensorFlow differ
    *("nvidia-cuda-runtime-cu12", "nvidia-cuda-nvcc-cu12", "nvidia-cudnn-cu12", "nvidia-cublas-cu12"),
    "nvidia-nccl-cu12",
)


def package_versions() -> dict[str, str]:
    """Name and version of each of PACKAGES that is installed."""
    versions = {}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


_MUST_BE_ALIKE = ("keras", OWN_PACKAGE, "python", "tensorflow", "tensorflow-cpu")
"""Without these the same nobody can say what was measured."""


def differing_versions(whose: tuple[str, str], one: Mapping[str, str], other: Mapping[str, str]) -> str | None:
    """The first version in which two that are to train together differ, as a sentence that says what to do, or None."""
    for name in _MUST_BE_ALIKE:
        own, others = one.get(name, "none"), other.get(name, "none")
        if own != others:
            return f"{whose[0]} has {name} {own}, {whose[1]} has {others}: install the same on every host"
    return None


_MENDS = {"code": "install the same package on every host", "data": "load the same data everywhere"}


def differing_content(
    what: Literal["code", "data"], whose: tuple[str, str], one: str | None, other: str | None
) -> str | None:
    """That two that are to train together have other code or data by its hash, as such a sentence, or None.

    Who does not tell a hash is believed.
    """
    if one is None or other is None or one == other:
        return None
    hashes = f"sha256 {one[:12]}… and {other[:12]}…"
    return f"{whose[0]} has other {what} than {whose[1]} ({hashes}): {_MENDS[what]}"
