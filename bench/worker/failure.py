"""What made a worker fail, as a status and one line that a user can act on; nothing of TensorFlow is imported."""

import re
import sys
from math import prod

from bench.measure.room import free_host_memory_bytes
from bench.protocol.answers import Failed
from bench.trial import Cell
from bench.worker.attendance import WorkerHung

_HEADERS = re.compile(r"in user code:|Exception encountered when|Graph execution error|Detected at node|File ")
"""Lines that TensorFlow and Keras put before what went wrong."""
_EXHAUSTED = re.compile(r"out of memory|OUT_OF_MEMORY|OOM when allocating|ALLOC_FAILED|std::bad_alloc", re.IGNORECASE)
_PERHAPS = re.compile(
    r"Failed to get convolution algorithm|DNN library initialization failed|(CUDNN|CUBLAS)_STATUS_NOT_INITIALIZED"
)
"""What libraries say that find no memory for themselves, and also when they are installed wrongly."""
_LIBRARIES_BYTES = 2**30
"""With less left on a GPU it was memory: cuDNN's and cuBLAS's handles take some hundred MiB."""
_NO_SERVER = re.compile(r"Could not start gRPC server|Address already in use")
"""What TensorFlow 2.21 says where the port of its cluster is taken, and the system's own words for it."""
_TENSOR = re.compile(r"shape ?\[([\d,]*)\] and type (\w+)")
_AMOUNT = re.compile(r"(?:allocate|allocating|request for) (\d[\d,]*(?:\.\d+)?) ?(bytes|B|[KMGTPE]iB)\b")
_UNITS = {"bytes": 1, "B": 1} | {f"{letter}iB": 1024**power for power, letter in enumerate("KMGTPE", 1)}
_TYPE_BYTES = {
    "bool": 1,
    "uint8": 1,
    "int8": 1,
    "half": 2,
    "bfloat16": 2,
    "float": 4,
    "int32": 4,
    "int64": 8,
    "double": 8,
}
"""By TensorFlow's names of types, as its messages have them."""
_SERVES = re.compile(r"/job:(worker|ps)/replica:\d+/task:(\d+)")
"""Whose device it is, in TensorFlow's names."""
_ON_HOST = re.compile(r"device:CPU:|by allocator (mkl)?cpu|std::bad_alloc")


def failure_of(error: Exception, cell: Cell | None) -> Failed:
    """`oom` for memory that ran out, `timeout` for a worker that hangs, `error` for everything else.

    `cell` is None before there was one to train.
    """
    if isinstance(error, WorkerHung):
        return Failed(status="timeout", reason=str(error), rank=error.rank)
    text, kinds = str(error), {kind.__name__ for kind in type(error).__mro__}  # TensorFlow's may not be imported
    on_gpu = cell is not None and cell.kind == "gpu"
    free = _free_device_bytes(cell) if cell and on_gpu else None
    no_room = _PERHAPS.search(text) and free is not None and free < _LIBRARIES_BYTES
    if not (_EXHAUSTED.search(text) or kinds & {"ResourceExhaustedError", "MemoryError"} or no_room):
        return Failed(status="error", reason=_one_line(error), port_taken=bool(_NO_SERVER.search(text)))
    where = "host" if not on_gpu or _ON_HOST.search(text) or "MemoryError" in kinds else "GPU"
    served = _SERVES.search(text) if cell and cell.strategy == "parameter_server" else None
    left = None if served else free if where == "GPU" else free_host_memory_bytes()
    said = _asked(text) or f"asked for an amount that is not told ({_one_line(error)})"
    told = "what was free is not told" if left is None else f"{_size(left)} of the {where}'s memory free after that"
    whose = f" of {'server' if served[1] == 'ps' else 'worker'} {served[2]}" if served else ""
    return Failed(status="oom", reason=f"out of memory{whose}: {said}; {told}")


def _asked(text: str) -> str | None:
    """What the allocation that failed was for: bytes, and of which tensor, as far as the message says."""
    if tensor := _TENSOR.search(text):
        shape, kind = tensor.groups()
        name, each = f"a tensor {kind}[{shape}]", _TYPE_BYTES.get(kind)
        count = prod(int(size) for size in shape.split(",") if size)
        return f"asked for {_size(each * count)} ({name})" if each else f"asked for {name}"
    if amount := _AMOUNT.search(text):
        return f"asked for {_size(round(float(amount[1].replace(',', '')) * _UNITS[amount[2]]))}"
    return None


def _free_device_bytes(cell: Cell) -> int | None:
    """None too where memory ran out before there was a device: to import TensorFlow now would fail again."""
    devices = sys.modules.get("bench.worker.devices")
    return devices.free_device_memory_bytes(cell.replicas) if devices else None


def _size(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB" if count >= 2**20 else f"{count:,} bytes"


def _one_line(error: Exception) -> str:
    """The kind of error and the line of its text that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not _HEADERS.match(line)]
    named = [line for line in telling if re.match(r"\w+(Error|Exception): ", line)]
    said = (named[-1:] or telling[:1] or lines[:1] or ["no message"])[0][:300]
    return said if named else f"{type(error).__name__}: {said}"
