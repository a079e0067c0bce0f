"""Versions of the packages that decide a number, from their metadata, without importing any of them."""

from contextlib import suppress
from importlib import metadata

PACKAGES = (
    *("tensorflow", "tensorflow-cpu", "keras", "numpy", "nvidia-ml-py", "mnist-cnn-bench"),
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
