"""The house: a folder is a stage, imports point down only, and TensorFlow stays behind the process boundary."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TENSORFLOW_FREE_WORKLOAD = {"mnist_cnn.settings", "mnist_cnn.dataset", "mnist_cnn.history"}
LEVELS = [
    {"bench.errors"},
    {"bench.trial", "bench.host"},
    {"bench.protocol"},
    {"bench.plan", "bench.measure"},
    {"bench.store"},
    {"bench.execute", "bench.report"},
    {"bench.guard"},
    {"bench.several"},
    {"bench.display"},
    {"bench.commands"},
    {"bench.completion"},
    {"bench.judging_cli", "bench.stored_cli"},
    {"bench.cli", "bench.perf"},
]
"""Each may import what stands above it here, and itself."""
SOURCES = sorted([*(ROOT / "bench").rglob("*.py"), *(ROOT / "mnist_cnn").rglob("*.py")])


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """Every module that a file names in an import, at any depth of the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def level_of(module: str) -> int:
    """The level of the part that a module belongs to."""
    part = ".".join(module.split(".")[:2])
    return next(level for level, parts in enumerate(LEVELS) if part in parts)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_down(path):
    """No part imports one that stands beside or above it, and the workload knows nothing of benchmarking."""
    module = module_of(path)
    for imported in imports_of(path):
        if within(module, "mnist_cnn"):
            assert not within(imported, "bench"), f"{module} imports {imported}"
        elif within(imported, "bench") and within(module, "bench.worker"):
            assert level_of(imported) <= level_of("bench.measure") if not within(imported, "bench.worker") else True
        elif within(imported, "bench") and imported.count(".") and module != "bench":
            same_part = module.split(".")[:2] == imported.split(".")[:2]
            assert same_part or level_of(imported) < level_of(module), f"{module} imports {imported}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_only_workload_and_worker_touch_tensorflow(path):
    """Outside bench.worker, bench imports neither TensorFlow nor Keras nor what of mnist_cnn needs them."""
    module = module_of(path)
    if within(module, "bench") and not within(module, "bench.worker"):
        for imported in imports_of(path):
            assert imported.split(".")[0] not in {"tensorflow", "keras"}
            assert not within(imported, "mnist_cnn") or imported in TENSORFLOW_FREE_WORKLOAD
            assert not within(imported, "bench.worker")


def test_the_command_line_starts_light():
    """Importing the command line loads none of the heavy libraries, so that help and errors come at once."""
    heavy = ["tensorflow", "keras", "pandas", "matplotlib", "seaborn", "scipy", "numpy", "ruptures"]
    code = f"import sys, bench.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"


def test_the_watchdog_starts_light():
    """It imports no pydantic, which would take longer than all else before the worker is even started."""
    code = "import sys, bench.worker.watchdog; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False"]


def test_the_parent_never_loads_tensorflow():
    """Importing all that a run needs in the parent leaves TensorFlow and Keras out."""
    code = (
        "import sys, bench.commands.run, bench.report.writer, bench.worker.watchdog, bench.worker.conversation;"
        "import bench.commands.compare, bench.commands.baseline;"
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"
