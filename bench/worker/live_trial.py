"""One trial alive in this process: built, then trained window by window as the parent commands."""

import math
import time
from pathlib import Path

import keras
import tensorflow as tf

from bench.protocol.answers import DiagnosisBegun, DiagnosisEnded, Evaluated, Finished, Ready, WindowDone
from bench.protocol.commands import (
    BeginDiagnosis,
    EndDiagnosis,
    Evaluate,
    Finish,
    MeasureCollectives,
    MeasureComputing,
    RunProbe,
    RunWindow,
)
from bench.trial import Cell, Trial
from bench.worker.afresh import Resumable
from bench.worker.attendance import Attendance
from bench.worker.build import read_build
from bench.worker.channel import Channel
from bench.worker.collectives import Collectives
from bench.worker.computing import Computing
from bench.worker.devices import configure_devices, shards_of, synchronise, without_device
from bench.worker.effective import buffered_batches, read_effective_settings
from bench.worker.last_word import last_word
from bench.worker.memory import PeakMemory, peak_host_memory_bytes
from bench.worker.own_host import OwnHost
from bench.worker.probes import Probes
from bench.worker.proofs import Kernels, dump_hlo, largest_hlo
from bench.worker.strategies import barrier_of, build_strategy
from bench.worker.watchdog import watchdog_cpu_s
from mnist_cnn.dataset import load_dataset
from mnist_cnn.engines import Progress
from mnist_cnn.model import training_bytes_per_image, training_flops_per_image
from mnist_cnn.settings import TrainingSettings


class LiveTrial:
    """Answers windows and evaluations from inside the engine's `next_window`."""

    def __init__(self, trial: Trial, data: Path | None, channel: Channel, import_s: float, host: OwnHost):
        # the first thing done after the imports: what TensorFlow and Keras alone take
        self.import_host_bytes = peak_host_memory_bytes()
        began = time.monotonic()
        self.cell, self.channel, self.import_s, self.host = trial.cell, channel, import_s, host
        self.dataset = load_dataset(data)
        self.hlo_folder = dump_hlo() if trial.cell.xla else None
        settings = _training_settings(trial)
        shards = shards_of(trial.cell, settings)
        led = without_device(trial.cell) if trial.cell.asynchronous else trial.cell
        self.device_names = configure_devices(led, shards)
        self.memory = PeakMemory(self.device_names)
        _set_precision(trial.cell)
        strategy = build_strategy(trial.cell, self.device_names)
        self.training = Resumable(settings, self.dataset, strategy, shards)
        self.training.piled_up = buffered_batches(trial.cell)
        updates = self.training.updates
        self.meet = updates.mark if updates else barrier_of(strategy)
        self.attendance: Attendance | None = None
        if updates is not None and hasattr(updates, "while_waiting"):  # a side's older tree counts no worker's steps
            self.attendance = Attendance(updates)
            updates.while_waiting = self.attendance.wait
        self.build_s = time.monotonic() - began
        self.window_began = 0.0
        self.ready = False
        self.probes: Probes | None = None
        self.collectives, self.computing = Collectives(strategy, self.meet), Computing(self.training, self.meet)

    def train(self) -> None:
        """Train until the parent says finish."""
        self.training.train(self._next_window)

    def _next_window(self, progress: Progress | None) -> int:
        """End one window, begin the next: the only place where windows meet the clock."""
        if progress is None:
            self.kernels = Kernels()
            self.window_began = time.monotonic()
            return 1
        if len(self.cell.roles) == 1:  # of several, TensorFlow would want to ask the others' devices, and cannot
            synchronise()
        self._report(progress, time.monotonic())
        if self.attendance:
            self.attendance.look()
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
        hlo = largest_hlo(self.hlo_folder) if self.hlo_folder else None
        kernels = self.kernels.count()
        self.memory.resume()  # what compiling and choosing kernels took once is no part of training
        self.watchdog_began_s = watchdog_cpu_s()
        self.channel.say(
            Ready(
                effective=read_effective_settings(self.training, self.cell, kernels, hlo),
                build=read_build(),
                import_s=self.import_s,
                build_s=self.build_s,
                first_step_s=window_s,
                first_step_start_s=self.window_began,
                train_images=len(self.dataset.train.labels),
                data_sha256=self.dataset.sha256,
                training_flops_per_image=training_flops_per_image(self.training.model),
                training_bytes_per_image=training_bytes_per_image(
                    self.training.model, self.training.optimizer, self.cell.per_replica_batch
                ),
                loss=loss,
                accuracy=progress.accuracy,
            )
        )

    def _next_steps(self) -> int:
        """Answer commands until one is a window; 0 when the trial is finished."""
        while True:
            command = self.channel.next_command()
            if isinstance(command, RunWindow):
                self._begin(command)
                return command.steps
            if isinstance(command, Evaluate):
                self._evaluate()
            if isinstance(command, MeasureCollectives | MeasureComputing):
                self._measure(command)
            if isinstance(command, BeginDiagnosis):
                so_far = self._last_word()
                self.probes = Probes(self.training, self.cell, self.dataset.train, self.meet)
                self.channel.say(DiagnosisBegun(probes=self.probes.names, so_far=so_far))
            if isinstance(command, RunProbe) and self.probes is not None:
                self.channel.say(self.probes.run(command.probe, command.steps))
            if isinstance(command, EndDiagnosis) and self.probes is not None:
                self.probes.restore()
                self.channel.say(DiagnosisEnded())
            if isinstance(command, Finish):
                self.training.settle()  # a worker that hangs would else be half the cluster in every window, unseen
                self.channel.say(self._last_word())
                return 0

    def _begin(self, window: RunWindow) -> None:
        if window.afresh:
            self.training.begin_afresh()
        self.meet()
        if self.attendance:
            self.attendance.begin()
        self.window_began = time.monotonic()

    def _measure(self, command: MeasureCollectives | MeasureComputing) -> None:
        self.memory.pause()  # what this takes is no part of training
        if isinstance(command, MeasureCollectives):
            self.channel.say(self.collectives.run(command))
        else:
            self.channel.say(self.computing.run(command))
        self.memory.resume()

    def _last_word(self) -> Finished:
        return last_word(self.memory, self.import_host_bytes, self.watchdog_began_s, self.host)

    def _evaluate(self) -> None:
        self.memory.pause()
        self.training.settle()  # what it waits for here is of no window, but of the epoch
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
