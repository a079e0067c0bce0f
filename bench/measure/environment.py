"""What this machine is, and what would spoil a measurement on it; every reading may be missing."""

import os
import platform
import re
import socket
import subprocess
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from bench.measure.builds import build_of
from bench.measure.cgroups import cpu_limit, memory_limit, read_text
from bench.measure.cpus import cpu_flags, cpu_model, usable_cpus
from bench.measure.gpu_spoilers import gpu_spoilers
from bench.measure.gpu_state import look_within
from bench.measure.gpus import Gpus
from bench.measure.host_checks import host_checks
from bench.measure.identity import NO_EXACT_UNIT, code_sha256, exact_unit, machine_class
from bench.measure.versions import package_versions

_DRIVER_S = 60.0
"""Eight GPUs without persistence mode take some 20 s to be initialised; a driver that hangs takes for ever."""


def read_environment() -> dict[str, Any]:
    """The machine and its present state; a value that cannot be read is None."""
    packages = package_versions()
    build = build_of(packages)
    gpus, states, links = look_within(_DRIVER_S, build)
    # a virtual environment may lie inside somebody else's repository, whose commit says nothing of this code
    commit = _git("rev-parse", "HEAD") if _git("ls-files", "--error-unmatch", Path(__file__).name) else None
    environment = {
        "host": socket.gethostname(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "cpu_model": cpu_model(),
        "cpu_flags_low_precision": _low_precision_flags(),
        "logical_cpus": os.cpu_count(),
        "usable_cpus": len(usable_cpus()),
        "cpu_limit": cpu_limit(),
        "cpu_governor": read_text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "load_1min": round(os.getloadavg()[0], 2),
        "memory_bytes": psutil.virtual_memory().total,
        "memory_available_bytes": psutil.virtual_memory().available,
        "memory_limit_gib": None if (limit := memory_limit()) is None else round(limit / 2**30, 3),
        "container": _container(),
        **_gpu_facts(gpus),
        "packages": packages,
        "wheel_cuda": build.cuda if build else None,
        "wheel_cudnn": build.cudnn if build else None,
        "variables": _variables(),
        "git_commit": commit,
        "git_dirty": None if commit is None or (changes := _git(*_CHANGES)) is None else changes != "",
        "code_sha256": code_sha256(),
    }
    unit = exact_unit([gpu.uuid for gpu in gpus.found if gpu.uuid])
    identity = {"exact_unit": unit, "no_exact_unit_reason": NO_EXACT_UNIT if unit is None else ""}
    seen = {"gpu_states": [asdict(state) for state in states], "gpu_links": links}
    return environment | {"machine_class": machine_class(environment)} | identity | seen


def _gpu_facts(gpus: Gpus) -> dict[str, Any]:
    """What was found, each list in the order that CUDA will number the GPUs."""
    return {
        "gpus": [gpu.name for gpu in gpus.found],
        "gpu_capabilities": [".".join(map(str, gpu.capability)) if gpu.capability else None for gpu in gpus.found],
        "gpu_processes": [f"{pid} on {gpu.name} ({gpu.uuid})" for gpu in gpus.found for pid in gpu.pids],
        "gpu_is_mig_device": any(gpu.mig for gpu in gpus.found),
        "no_gpu_reason": gpus.reason,
        "gpu_notes": list(gpus.notes),
        "driver": gpus.driver,
        "driver_cuda": gpus.cuda,
    }


def spoilers(environment: dict[str, Any]) -> list[str]:
    """What would spoil a measurement here, each with its mend; empty where nothing was found."""
    return [*(check.fault for check in host_checks(environment) if check.fault), *gpu_spoilers(environment)]


def _low_precision_flags() -> list[str] | None:
    """CPU instructions that make bfloat16 or float16 fast; without them both are emulated."""
    flags = cpu_flags()
    telling = {"avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "avx_ne_convert"}
    return None if flags is None else sorted(flags & telling)


def _container() -> str | None:
    if Path("/.dockerenv").exists():
        return "docker"
    # systemd's own name for it is in lower case
    return os.environ.get("container") or ("kubernetes" if "KUBERNETES_SERVICE_HOST" in os.environ else None)  # noqa: SIM112  # see above


_CHANGES = ("status", "--porcelain", "--", ":/", ":(top,exclude)results")
"""What a run or a verification writes below results/ is no change of the code that did it."""


def _git(*words: str) -> str | None:
    """What git says of the benchmark's own checkout, or None outside one."""
    folder = Path(__file__).parent
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, timeout=10, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    return None


_TELLING = re.compile(
    r"TF_(CPP|XLA|ENABLE|NUM|GPU|CUDA|CUDNN|FORCE|DETERMINISTIC|DISABLE|MKL)_\w+|XLA_FLAGS|NCCL_\w+|KERAS_BACKEND"
    r"|CUDA_(VISIBLE_DEVICES|DEVICE_ORDER|LAUNCH_BLOCKING)|NVIDIA_TF32_OVERRIDE|(OMP|KMP|MKL|ONEDNN|DNNL)_\w+"
)
"""Names, not beginnings: others share them, and what they keep there may be secret (Terraform's TF_VAR_…)."""


def _variables() -> dict[str, str]:
    """The environment variables that can change what a library does, and no others: runs are published."""
    return {name: value for name, value in sorted(os.environ.items()) if _TELLING.fullmatch(name)}
