"""A plugin for the pytest that a test starts: its trials are conversations with the fake worker of tests/bench/execute.

FAKE_FAULT is what becomes of the seventh answer: nan or interrupt. A step takes 1/64 s of a clock of its own.
"""

import importlib.util
import os
from pathlib import Path

from bench.execute.launchers import Launcher
from bench.measure.workload import tree_sha256, workload_folder
from bench.protocol.answers import Hello, WindowDone, Workload

spec = importlib.util.spec_from_file_location("fake_worker", Path(__file__).parents[1] / "execute" / "conftest.py")
fake = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fake)

FAULTS = {
    "nan": WindowDone(start_s=0, window_s=1, steps=13, loss=None, accuracy=0.1),
    "interrupt": KeyboardInterrupt(),
}


class Worker(fake.FakeWorker):
    def _hello(self) -> Hello:
        own = Workload(folder="here", sha256=tree_sha256(workload_folder()))
        return super()._hello().model_copy(update={"workload": own})


def launch(launcher: Launcher, trial: object, log: Path) -> Worker:
    log.touch()
    fault = os.environ.get("FAKE_FAULT")
    return Worker(
        fake.Clock(),
        step_s=1 / 64,
        train_images=2000,
        faults={6: FAULTS[fault]} if fault else {},
    )


Launcher.__call__ = launch
