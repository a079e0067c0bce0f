"""What several ranks did together, as one answer of all of theirs."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from bench.execute.parts import merged_parts
from bench.measure.versions import differing_content
from bench.protocol.answers import Failed, Finished, Ready, WindowDone

N = TypeVar("N", int, float)
_BUILT = {"engine", "input", "variant", "recipe", "learning_rate"}
_ASKED = _BUILT | {
    "strategy",
    "global_batch",
    "allocator",
    "compute_dtype",
    "variable_dtype",
    "tf32",
    "loss_scaling",
    "xla",
    "onednn",
    "optimizer",
    "cross_device_ops",
}
"""What a cell decides of the effective settings, whatever the host."""


def _window(answers: Sequence[Any]) -> WindowDone:
    losses = [answer.loss for answer in answers]
    return WindowDone(
        start_s=answers[0].start_s,
        window_s=max(answer.window_s for answer in answers),
        steps=answers[0].steps if len({answer.steps for answer in answers}) == 1 else 1,
        loss=None if None in losses else math.fsum(losses),
        accuracy=math.fsum(answer.accuracy for answer in answers),
    )


def _ready(answers: Sequence[Ready]) -> Ready | Failed:
    """Rank 0's, as slow as the slowest; its devices are those of all ranks, and what differs between them is told.

    Where it is a setting that a cell asks for, or the data, they trained different things, and there is no number.
    """
    first = answers[0]
    asked = [one.effective.model_dump(include=_ASKED) for one in answers]
    if wrong := "; ".join(_differences(asked)):
        return Failed(status="invalid", reason=f"ran with other settings than asked: {wrong}")
    for rank, one in enumerate(answers):
        whose = f"rank {rank}", "rank 0"
        if differing := differing_content("data", whose, one.data_sha256, first.data_sha256):
            return Failed(status="invalid", reason=differing)
    devices = [f"{rank}:{name}" for rank, one in enumerate(answers) for name in one.effective.devices]
    addresses = [address for one in answers for address in one.effective.addresses]
    cpus, cores = ([words for one in answers for words in getattr(one.effective, name)] for name in ("cpus", "cores"))
    notes = [*first.effective.notes, *_differences([one.effective.model_dump() for one in answers])]
    losses = [one.loss for one in answers]
    return first.model_copy(
        update={
            "effective": first.effective.model_copy(
                update={"devices": devices, "addresses": addresses, "cpus": cpus, "cores": cores, "notes": notes}
            ),
            "import_s": max(one.import_s for one in answers),
            "build_s": max(one.build_s for one in answers),
            "first_step_s": max(one.first_step_s for one in answers),
            "loss": None if None in losses else math.fsum(loss for loss in losses if loss is not None),
            "accuracy": math.fsum(one.accuracy for one in answers),
        }
    )


def _differences(settings: Sequence[dict[str, Any]]) -> Iterator[str]:
    for name in sorted(settings[0].keys() - {"addresses", "cores", "cpus", "devices", "notes"}):
        values = [one[name] for one in settings]
        if any(value != values[0] for value in values):
            yield f"ranks differ in {name}: {', '.join(map(str, values))}"


def _finished(answers: Sequence[Finished]) -> Finished:
    """CPU seconds and PSS of all ranks together; of peaks the highest of one; every host's part."""
    sums = {name: _of(sum, answers, name) for name in ("worker_cpu_s", "watchdog_cpu_s", "pss_host_memory_bytes")}
    peaks = ("import_host_memory_bytes", "peak_host_memory_bytes", "peak_device_memory_bytes")
    highest = {name: _of(max, answers, name) for name in peaks}
    return answers[0].model_copy(update={**sums, **highest, "hosts": merged_parts(answers)})


def _of(figure: Callable[[list[N]], N], answers: Sequence[Finished], name: str) -> N | None:
    values = [getattr(answer, name) for answer in answers]
    return None if None in values else figure(values)


def _begun(answers: Sequence[Any]) -> Any:
    return answers[0].model_copy(update={"so_far": _finished([answer.so_far for answer in answers])})


def _slowest(answers: Sequence[Any]) -> Any:
    return max(answers, key=lambda answer: answer.window_s)


MERGES: dict[str, Callable[[Sequence[Any]], Any]] = {
    "window_done": _window,
    "ready": _ready,
    "finished": _finished,
    "diagnosis_begun": _begun,
    "probe_done": _slowest,
    "collectives_measured": _slowest,
    "computing_measured": _slowest,
}
"""By the kind of an answer; of another kind rank 0's is everybody's."""
