"""What a trial is that a coordinator leads, as it and those who serve it tell together."""

from collections.abc import Sequence

from bench.execute.session import WorkerLost
from bench.measure.cpus import cpus_in
from bench.protocol.answers import Failed, Finished, Ready, Serving
from bench.protocol.conversation import AnyAnswer
from bench.trial import FEWEST_INTER_OP_THREADS, Role

_A_PROGRAM = ("onednn", "allocator")
"""What a cell decides of a worker's process, whatever the host."""
_LISTS = ("addresses", "cores", "cpus", "gpu_models", "notes")
"""What is told one behind the other, not compared."""


def led(ready: Ready, others: Sequence[AnyAnswer], roles: Sequence[Role]) -> Ready | Failed:
    """The coordinator's answer, with what the workers' processes are in place of what its own is.

    The addresses are all ranks', CPUs and GPUs the workers'. What differs between workers is a note, or where the cell
    decides it, makes them run other programs, which is no trial. Raises WorkerLost for an answer of another kind.
    """
    servings = [one for one in others if isinstance(one, Serving)]
    if len(servings) < len(others):
        kinds = sorted({one.kind for one in others} - {"serving"})
        raise WorkerLost(f"ranks answered ready and {', '.join(kinds)} at once")
    workers = [one for one, role in zip(servings, roles, strict=True) if role == "worker"]
    told = [one.model_dump(exclude={"kind", *_LISTS}) for one in workers]
    compared = [one.model_dump(exclude={"kind", "addresses", "cores", "cpus", "notes"}) for one in workers]
    differences = {
        name: f"workers differ in {name}: {', '.join(str(one[name]) for one in compared)}"
        for name in compared[0]
        if any(one[name] != compared[0][name] for one in compared)
    }
    wrong = [differences[name] for name in _A_PROGRAM if name in differences]
    few = [one.inter_op_threads for one, role in zip(servings, roles, strict=True) if role == "server"]
    if few and min(few) < FEWEST_INTER_OP_THREADS:
        wrong.append(f"a server has {min(few)} inter-op threads, not {FEWEST_INTER_OP_THREADS} at least")
    if wrong:
        return Failed(status="invalid", reason=f"ran with other settings than asked: {'; '.join(wrong)}")
    effective, notes = ready.effective, dict.fromkeys(note for one in workers for note in one.notes)
    others_at = [words for one, role in zip(servings, roles, strict=True) if role != "worker" for words in one.cpus]
    lists = {
        "addresses": [*effective.addresses, *(address for one in servings for address in one.addresses)],
        "cpus": [words for one in workers for words in one.cpus],
        "cores": [words for one in workers for words in one.cores],
        "gpu_models": [model for one in workers for model in one.gpu_models],
        "notes": [*effective.notes, *notes, *differences.values(), *_crowded([*effective.cpus, *others_at], workers)],
    }
    return ready.model_copy(update={"effective": effective.model_copy(update=told[0] | lists)})


def finished_led(merged: Finished, answers: Sequence[AnyAnswer], roles: Sequence[Role]) -> Finished:
    """What all ranks took together, with the workers' peak of device memory: the others have no device to tell of."""
    told = [
        answer.peak_device_memory_bytes
        for answer, role in zip(answers, roles, strict=True)
        if role == "worker" and isinstance(answer, Finished)
    ]
    known = [peak for peak in told if peak is not None]
    peak = max(known) if known and len(known) == len(told) else None
    return merged.model_copy(update={"peak_device_memory_bytes": peak})


def _crowded(places: Sequence[str], workers: Sequence[Serving]) -> list[str]:
    """Whether a coordinator or server, told as its host and CPUs, has none on a core that is no worker's."""
    taken = {(host, cpu) for one in workers for words in one.cores or one.cpus for host, cpu in _cpus(words)}
    if any(set(_cpus(words)) <= taken for words in places):
        return ["the coordinator or a server has no core but the workers'"]
    return []


def _cpus(place: str) -> list[tuple[str, int]]:
    host, _, words = place.rpartition(" ")
    return [(host, cpu) for cpu in cpus_in(words)]
