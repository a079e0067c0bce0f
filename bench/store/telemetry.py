"""Reads what samplers wrote below a run's telemetry/; a torn or foreign line is passed over."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure.energy import NO_SAMPLES, Samples

_LONGEST_LINE = 10_000
_MOST_GPUS = 256
_HIGHEST = 2**63


@dataclass(frozen=True)
class Telemetry:
    """The samples of each GPU by its UUID, why there are none, and which were lost and why.

    A GPU that told nothing has empty samples. `cpu_share` is what sampling took of a core. `processes` are the highest
    bytes that each process had on any one GPU, by its id on the host; None where not told. `host` is whose GPUs they
    are, empty where the file does not say.
    """

    gpus: dict[str, Samples] = field(default_factory=dict)
    reason: str = ""
    lost: dict[str, str] = field(default_factory=dict)
    processes: dict[int, int | None] = field(default_factory=dict)
    cpu_share: float | None = None
    host: str = ""


def read_telemetry(path: Path) -> Telemetry:
    """Read one trial's file; an empty Telemetry with the reason where there is no such file, or nothing in it."""
    try:
        with path.open("rb") as stream:
            return _read(_objects(stream))
    except FileNotFoundError:
        return Telemetry(reason="no telemetry was kept")
    except OSError as error:
        return Telemetry(reason=f"{path}: {error.strerror}")


def joined(parts: Sequence[tuple[Telemetry, float | None]]) -> Telemetry:
    """What the samplers of a trial's hosts told, rank 0's first, as one: each GPU by its UUID and host.

    With each stands how far its host's clock is ahead of rank 0's. Where that is not known, or nothing was told, there
    is a GPU without samples, so that no sum over the others passes for all. Processes are those of rank 0's host.
    """
    gpus, lost = dict[str, Samples](), dict[str, str]()
    for number, (part, offset_s) in enumerate(parts):
        host = part.host or f"host {number + 1}"
        lost |= {f"{uuid} on {host}": reason for uuid, reason in part.lost.items()}
        if not part.gpus:
            lost[f"on {host}"] = part.reason or "no sample was taken"
            gpus[f"on {host}"] = NO_SAMPLES
        for uuid, samples in part.gpus.items():
            name = f"{uuid} on {host}"
            gpus[name] = NO_SAMPLES if offset_s is None else Samples(samples.at_s - offset_s, samples.columns)
            if offset_s is None:
                lost[name] = "no window told how its host's clock stands to rank 0's"
    shares = [part.cpu_share for part, _ in parts if part.cpu_share is not None]
    return replace(parts[0][0], gpus=gpus, lost=lost, cpu_share=max(shares, default=None))


def _objects(stream: Any) -> Iterator[Any]:
    while line := stream.readline(_LONGEST_LINE):
        with suppress(ValueError, RecursionError):
            yield json.loads(line)


def _read(objects: Iterator[Any]) -> Telemetry:
    """The header may stand behind noise of a launcher; until it comes nothing is a sample."""
    header = next((one for one in objects if isinstance(one, dict) and isinstance(one.get("gpus"), list)), None)
    if header is None:
        return Telemetry(reason="the sampler wrote nothing")
    uuids = [str(uuid) for uuid in header["gpus"]][:_MOST_GPUS]
    names = header.get("columns")
    columns = [str(name) for name in names] if isinstance(names, list) else []
    rows: list[list[list[float]]] = [[] for _ in uuids]
    told = Telemetry(reason=str(header.get("reason", ""))[:200], host=str(header.get("host", ""))[:200])
    for one in objects:
        if isinstance(one, dict):
            told = _aside(told, one, uuids)
        elif isinstance(one, list) and len(one) == 2 + len(columns) and _place(one[1], uuids) is not None:
            rows[one[1]].append([_number(value) for value in (one[0], *one[2:])])
    gpus = {uuid: _samples(columns, taken) for uuid, taken in zip(uuids, rows, strict=True)}
    return replace(told, gpus=gpus)


def _aside(told: Telemetry, one: dict[str, Any], uuids: list[str]) -> Telemetry:
    """What is known after one more object between the samples."""
    if (place := _place(one.get("lost"), uuids)) is not None:
        return replace(told, lost=told.lost | {uuids[place]: str(one.get("reason", ""))[:200]})
    if _number(one.get("span_s")) > 0:
        return replace(told, cpu_share=_number(one.get("cpu_s")) / _number(one.get("span_s")))
    shown = one.get("of") if _place(one.get("processes"), uuids) is not None else None
    for process in shown if isinstance(shown, list) else []:
        if isinstance(process, list) and len(process) == 2 and isinstance(process[0], int):
            size = None if math.isnan(_number(process[1])) else int(process[1])
            pid = process[0]
            known = told.processes.get(pid)
            told.processes[pid] = size if known is None else max(known, size or 0)
    return told


def _samples(columns: list[str], rows: list[list[float]]) -> Samples:
    """Samples in the order of their times, those without one left out."""
    table = np.array(rows, float).reshape(len(rows), 1 + len(columns))
    table = table[~np.isnan(table[:, 0])]
    table = table[np.argsort(table[:, 0], kind="stable")]
    return Samples(table[:, 0], {name: table[:, place] for place, name in enumerate(columns, 1)})


def _place(value: object, uuids: list[str]) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(uuids) else None


def _number(value: object) -> float:
    """NaN for what is not told, or is no number that any counter could show."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return math.nan
    return float(value) if 0 <= value < _HIGHEST else math.nan
