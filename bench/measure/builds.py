"""What the published TensorFlow wheels were built for, without importing any: which GPUs and drivers they run on.

Read off the wheel's own tensorflow/python/platform/build_info.py; for 2.21.0 on Linux it says CUDA 12.5.1, cuDNN 9 and
sm_60, sm_70, sm_80, sm_89, compute_90. Drivers: NVIDIA, "CUDA Compatibility", minor version compatibility.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

Capability = tuple[int, int]
CONTAINER = "NVIDIA's TensorFlow container may have kernels for it"


@dataclass(frozen=True)
class Build:
    """A wheel: its CUDA and cuDNN, the architectures that it has binaries for, and the drivers for its CUDA.

    A binary runs on its own major architecture from its minor on. `oldest_driver` runs it by minor version
    compatibility, `own_driver` came with that CUDA.
    """

    tensorflow: str
    cuda: str
    cudnn: str
    binaries: tuple[Capability, ...]
    oldest_driver: str
    own_driver: str


_BUILDS = {
    "2.21": Build("2.21", "12.5.1", "9", ((6, 0), (7, 0), (8, 0), (8, 9), (9, 0)), "525.60.13", "555.42"),
}


def build_of(packages: Mapping[str, str]) -> Build | None:
    """The build of the installed TensorFlow; None for one without CUDA, of another hand or of an unknown version."""
    version = packages.get("tensorflow", "")
    own = re.fullmatch(r"(\d+\.\d+)\.\d+", version)  # NVIDIA's builds have a + behind it, nightly ones a dev
    return _BUILDS.get(own[1]) if own else None


def unsuited(capability: Capability | None, build: Build | None) -> str:
    """Why a build cannot use a GPU of this compute capability, with what to do; empty where it can, or none knows."""
    if capability is None or build is None or any(_runs_on(binary, capability) for binary in build.binaries):
        return ""
    dotted = ".".join(map(str, capability))
    told = f"TensorFlow {build.tensorflow} has no kernels for compute capability {dotted}"
    if capability < min(build.binaries):
        oldest = ".".join(map(str, min(build.binaries)))
        return f"{told}: it needs {oldest}; use a newer GPU or an older TensorFlow"
    # tf#111958, tf#99592: compiling its PTX for Blackwell at run time aborts in XLA and fails in plain operations
    return f"{told}, and making them from its PTX fails; {CONTAINER}"


def cudnn_too_new(capability: str | None, packages: Mapping[str, str]) -> str:
    """Why the installed cuDNN has no kernels for a GPU that TensorFlow's wheel has some for, with what to do."""
    installed = re.match(r"9\.(\d+)", packages.get("nvidia-cudnn-cu12", ""))
    if capability is None or installed is None or int(installed[1]) < 11 or float(capability) >= 7.5:
        return ""
    # reported in pytorch#172352 and conda-forge/cudnn-feedstock#124; nobody here has seen it
    return f"cuDNN 9.{installed[1]} is reported to have dropped capability {capability}: "


def _runs_on(binary: Capability, capability: Capability) -> bool:
    return binary[0] == capability[0] and binary[1] <= capability[1]


def driver_too_old(driver: str | None, build: Build | None) -> str:
    """What is wrong with a driver for a build, with the mend; empty where nothing is, or it is not known."""
    if driver is None or build is None or _version(driver) >= _version(build.oldest_driver):
        return ""
    return (
        f"driver {driver} is too old for CUDA {build.cuda}, which TensorFlow {build.tensorflow} was built for: "
        f"update it to {build.oldest_driver} or newer ({build.own_driver} came with that CUDA)"
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)))
