"""The parent's side of measuring ceilings, over a worker that speaks the protocol without a process."""

from collections import deque
from typing import Any

import pytest

from bench.execute.ceilings import NoCeilings, lead_measurement, measurements_for
from bench.execute.limits import Limits
from bench.execute.session import NoAnswer, WorkerLost
from bench.plan.support import Machine
from bench.protocol.answers import Ceiling, CeilingsMeasured, Failed, Finished, Hello
from bench.protocol.commands import MeasureCeilings
from bench.protocol.conversation import PROTOCOL_VERSION, AnyAnswer, AnyCommand

HELLO = Hello(protocol_version=PROTOCOL_VERSION, host="fake", pid=7, versions={})
ONE = Ceiling(value=1e9, median=9e8, n=3)
ASKED = MeasureCeilings(device="cpu", threads=2, precisions=["float32", "mixed_bfloat16"], kernel_s=0.5)


def answer(**changes: Any) -> CeilingsMeasured:
    both = {"float32": ONE, "mixed_bfloat16": ONE}
    filled = {"device": "cpu", "threads": 2, "matmul_flops_per_s": both, "convolution_flops_per_s": both}
    return CeilingsMeasured.model_validate(filled | {"memory_bytes_per_s": ONE, "dispatch_s": ONE} | changes)


class Worker:
    """Gives its answers one after the other, or raises them; after the last there are none."""

    def __init__(self, *answers: AnyAnswer | Exception):
        self.answers = deque(answers)
        self.said: list[AnyCommand] = []
        self.closed = 0

    def say(self, command: AnyCommand) -> None:
        self.said.append(command)

    def hear(self, timeout_s: float) -> AnyAnswer:
        assert 0 < timeout_s < 3600, "every wait has a deadline"
        if not self.answers:
            raise NoAnswer(f"no answer within {timeout_s:.0f} s")
        answer = self.answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1


def test_worker_is_told_what_to_measure_and_believed() -> None:
    """After hello the command is the first and only word; the answer is handed on and the session closed."""
    worker = Worker(HELLO, answer())
    assert lead_measurement(worker, ASKED, Limits()) == answer()
    assert worker.said == [ASKED]
    assert worker.closed == 1


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([], "no answer within 60 s"),
        ([HELLO], "no answer within"),
        ([HELLO.model_copy(update={"protocol_version": 99})], "protocol 99"),
        ([HELLO, Failed(status="oom", reason="out of memory")], "out of memory"),
        ([HELLO, WorkerLost("the worker was killed by SIGKILL")], "SIGKILL"),
        ([HELLO, Finished(peak_host_memory_bytes=1, peak_device_memory_bytes=None)], "answered finished"),
        ([HELLO, answer(threads=1)], "other threads"),
        ([HELLO, answer(device="gpu")], "another device"),
        ([HELLO, answer(matmul_flops_per_s={"float32": ONE})], "precisions"),
    ],
    ids=["silent", "hangs", "version", "failed", "killed", "nonsense", "threads", "device", "precisions"],
)
def test_worker_that_does_not_measure_is_told_in_one_line(answers: list[Any], told: str) -> None:
    """Whatever goes wrong is one reason, never figures of something else, and the session is closed."""
    worker = Worker(*answers)
    with pytest.raises(NoCeilings, match=told):
        lead_measurement(worker, ASKED, Limits())
    assert worker.closed == 1


def test_cpu_is_measured_with_one_thread_and_with_all() -> None:
    """Each number of threads needs a worker of its own; a CPU has no TF32."""
    cpu = [(asked.device, asked.threads) for asked in measurements_for(Machine(), 8)]
    assert cpu == [("cpu", 1), ("cpu", 8)]
    assert [asked.threads for asked in measurements_for(Machine(), 1)] == [1]
    assert {tuple(asked.precisions) for asked in measurements_for(Machine(), 8)} == {
        ("float32", "mixed_float16", "mixed_bfloat16")
    }


@pytest.mark.parametrize(("capability", "tf32"), [("7.5", False), ("9.0", True)])
def test_gpu_is_measured_once_and_tf32_where_it_has_it(capability: str, tf32: bool) -> None:
    """One GPU stands for all; TF32 came with Ampere."""
    first, *rest = measurements_for(Machine(["A GPU", "A GPU"], [capability] * 2, ""), 4)
    assert (first.device, first.threads) == ("gpu", None)
    assert ("tf32" in first.precisions) is tf32
    assert [asked.device for asked in rest] == ["cpu", "cpu"]
