"""A worker process that trains nothing: the real protocol, windows that are told as long and take a few milliseconds.

The optimizer `sgd` is out of memory at once; whatever else is asked is done, at 12,800 images/s give or take 2 %.
"""

import os
import sys
import time
from itertools import cycle

from bench.measure.environment import read_environment
from bench.protocol.answers import EnvironmentRead, Evaluated, Failed, Finished, Hello, Ready, WindowDone
from bench.protocol.commands import AskEnvironment, Evaluate, Prepare, RunWindow
from bench.protocol.conversation import COMMANDS, HELLO_TOKEN, PROTOCOL_VERSION, AnyAnswer, AnyCommand
from bench.protocol.effective import EffectiveSettings
from bench.trial import Cell

REAL_S = float(os.environ.get("FAKE_WINDOW_S", "0.02"))
STEP_S = 1 / 64
WANDERING = cycle([1.0, 1.02, 0.98, 1.01, 0.99, 1.0, 0.985])


def answer(command: AnyCommand) -> AnyAnswer:
    if isinstance(command, AskEnvironment):
        return EnvironmentRead(environment=read_environment(), tensorflow=True)
    if isinstance(command, Prepare):
        if command.trial.cell.optimizer == "sgd":
            return Failed(status="oom", reason="asked for 3 GiB where 2 GiB were free")
        return ready(command.trial.cell)
    time.sleep(REAL_S)
    if isinstance(command, RunWindow):
        window_s = command.steps * STEP_S * next(WANDERING)
        return WindowDone(start_s=time.monotonic(), window_s=window_s, steps=command.steps, loss=0.5, accuracy=0.9)
    if isinstance(command, Evaluate):
        return Evaluated(start_s=time.monotonic(), evaluate_s=0.1, loss=0.1, accuracy=0.97)
    return Finished(peak_host_memory_bytes=2**29, peak_device_memory_bytes=None, worker_cpu_s=1.0)


def ready(cell: Cell) -> Ready:
    effective = EffectiveSettings(
        strategy="_DefaultDistributionStrategy", replicas=1, global_batch=cell.global_batch,
        devices=["/device:CPU:0"], variable_dtype="float32", compute_dtype="float32", xla=False, xla_scope="none",
        tf32=False, loss_scaling=False, cross_device_ops=None, optimizer="RMSprop", intra_op_threads=1,
        inter_op_threads=1, onednn=False, parameters=257_162, buffered_batches=2,
    )  # fmt: skip
    return Ready(
        effective=effective, import_s=0.1, build_s=0.1, first_step_s=0.1, first_step_start_s=time.monotonic(),
        train_images=60_000, training_flops_per_image=1000, loss=2.3, accuracy=0.1,
    )  # fmt: skip


def say(message: AnyAnswer, before: str = "") -> None:
    print(before + message.model_dump_json(), flush=True)


if __name__ == "__main__":
    say(Hello(protocol_version=PROTOCOL_VERSION, host="fake", pid=os.getpid(), versions={}), HELLO_TOKEN)
    for line in sys.stdin.buffer:
        if line.strip() != b"ping":
            say(answer(COMMANDS.validate_json(line)))
