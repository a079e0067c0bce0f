"""One trial alive in this process: built, then trained window by window as the parent commands."""

import math
import time
from pathlib import Path

import keras
import tensorflow as tf

from bench.protocol import Evaluate, Evaluated, Finish, Finished, Ready, RunWindow, WindowDone
from bench.trial import Cell, Trial
from bench.worker.channel import Channel
from bench.worker.devices import configure_devices, synchronise
from bench.worker.effective import read_effective_settings
from bench.worker.memory import PeakMemory
from bench.worker.strategies import build_strategy
from mnist_cnn.dataset import load_dataset
from mnist_cnn.engines import Progress
from mnist_cnn.model import training_flops_per_image
from mnist_cnn.settings import TrainingSettings
from mnist_cnn.training import Training


class LiveTrial:
    """Answers windows and evaluations from inside the engine's `next_window`."""

    def __init__(self, trial: Trial, data: Path | None, channel: Channel, import_s: float):
        began = time.monotonic()
        self.cell, self.channel, self.import_s = trial.cell, channel, import_s
        self.dataset = load_dataset(data)
        self.device_names = configure_devices(trial.cell)
        self.memory = PeakMemory(self.device_names)
        _set_precision(trial.cell)
        self.training = Training(_training_settings(trial), self.dataset, build_strategy(trial.cell, self.device_names))
        self.build_s = time.monotonic() - began
        self.window_began = 0.0
        self.ready = False

    def train(self) -> None:
        """Train until the parent says finish."""
        self.training.train(self._next_window)

    def _next_window(self, progress: Progress | None) -> int:
        """End one window, begin the next: the only place where windows meet the clock."""
        if progress is None:
            self.window_began = time.monotonic()
            return 1
        synchronise()
        self._report(progress, time.monotonic())
        return self._next_steps()

    def _report(self, progress: Progress, now: float) -> None:
        window_s = now - self.window_began
        loss = _finite(progress.loss)
        if self.ready:
            done = WindowDone(
                start_s=self.window_began,
                window_s=window_s,
                steps=progress.steps,
                loss=loss,
                accuracy=progress.accuracy,
            )
            self.channel.say(done)
            return
        self.ready = True
        self.channel.say(
            Ready(
                effective=read_effective_settings(self.training, self.cell),
                import_s=self.import_s,
                build_s=self.build_s,
                first_step_s=window_s,
                first_step_start_s=self.window_began,
                train_images=len(self.dataset.train.labels),
                training_flops_per_image=training_flops_per_image(self.training.model),
                loss=loss,
                accuracy=progress.accuracy,
            )
        )

    def _next_steps(self) -> int:
        """Answer commands until one is a window; 0 when the trial is finished."""
        while True:
            command = self.channel.next_command()
            if isinstance(command, RunWindow):
                self.window_began = time.monotonic()
                return command.steps
            if isinstance(command, Evaluate):
                self._evaluate()
            if isinstance(command, Finish):
                self.memory.pause()
                host, device = self.memory.host_bytes, self.memory.device_bytes
                self.channel.say(Finished(peak_host_memory_bytes=host, peak_device_memory_bytes=device))
                return 0

    def _evaluate(self) -> None:
        self.memory.pause()
        began = time.monotonic()
        loss, accuracy = self.training.evaluate(self.dataset.test)
        evaluate_s = time.monotonic() - began
        self.channel.say(Evaluated(start_s=began, evaluate_s=evaluate_s, loss=_finite(loss), accuracy=accuracy))
        self.memory.resume()


def _finite(value: float) -> float | None:
    """The value, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None


def _set_precision(cell: Cell) -> None:
    mixed = cell.precision.startswith("mixed_")
    keras.config.set_dtype_policy(cell.precision if mixed else "float32")
    # TensorFlow's own default is on, which would make "float32" another thing on every newer GPU
    tf.config.experimental.enable_tensor_float_32_execution(cell.precision == "tf32")


def _training_settings(trial: Trial) -> TrainingSettings:
    """The part of a cell that is about training; names agree by design."""
    shared = TrainingSettings.__dataclass_fields__.keys() & Cell.model_fields.keys()
    return TrainingSettings(seed=trial.seed, **{name: getattr(trial.cell, name) for name in shared})
