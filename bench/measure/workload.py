"""Which `mnist_cnn` a process would import, without importing it, and a hash of all that it is made of."""

from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "mnist_cnn"


def workload_folder() -> Path:
    """The folder of the package that `import mnist_cnn` takes here. Raises ModuleNotFoundError without one."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"no package {PACKAGE}", name=PACKAGE)
    return Path(spec.submodule_search_locations[0]).resolve()


def tree_sha256(folder: Path) -> str:
    """SHA-256 over the names and contents of the files below a folder, in order of their names.

    What Python caches beside its sources is left out, since it is there after the first import only, and so are hidden
    files and copies that editors leave (`name~`), which no import reads.
    """
    digest = sha256()
    for path in sorted(_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        left_out = any(part == "__pycache__" or part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not left_out and not path.name.endswith("~"):
            yield path
