"""The nouns that both sides of the process boundary share: a cell, a trial, and their ids."""

import json
import re
from functools import lru_cache
from hashlib import sha256
from math import inf
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from bench.errors import did_you_mean
from mnist_cnn.settings import Engine, Input, LearningRateRule, Optimizer, RecipeName, Variant

Strategy = Literal["default", "one_device", "mirrored", "central_storage", "multi_worker_mirrored", "parameter_server"]
ASYNCHRONOUS = frozenset({"parameter_server"})
"""Strategies whose replicas do not wait for each other: each updates the weights by itself, with a batch of its own."""
Role = Literal["worker", "coordinator", "server"]
"""What a process of a trial does. Workers compute; a coordinator hands out steps; servers keep the weights."""
FEWEST_INTER_OP_THREADS = 4
"""In each process of an asynchronous strategy: with fewer, servers of TensorFlow 2.21 wait for each other for ever."""
Device = Literal["cpu", "gpu"]
FIRST_GPU = re.compile(r"gpu:(0|[1-9][0-9]{0,3})")
"""`gpu:2`: the visible GPU that CUDA would number 2, and where there are more replicas those after it."""
Allocator = Literal["growth", "cuda_malloc_async"]
"""Of GPU memory: TensorFlow's own pool, which grows, or CUDA's."""
AllReduce = Literal["default", "nccl", "nccl_op", "hierarchical_copy", "reduce_to_one", "ring"]
"""How `mirrored` sums gradients. `nccl` and `ring` are TensorFlow's collectives, `nccl_op` its older operation."""
Precision = Literal["float32", "tf32", "mixed_float16", "mixed_bfloat16"]
Batch = Annotated[int, Field(ge=1, le=1_000_000)]
Rate = Annotated[float, Field(gt=0)]
OneDnn = Literal["default", "on", "off"]
"""Whether CPU kernels come from oneDNN; `default` leaves it to the shell and TensorFlow, but `fused` turns it on."""
Status = Literal["ok", "oom", "nan", "timeout", "error", "invalid", "unsupported", "skipped", "interrupted"]
TARGET_ACCURACY = 0.99
"""The share of test images that time to accuracy waits for, where a suite names none."""
StoppedBy = Literal["epochs", "target", "last_look", "budget", "rounds"]
"""`rounds`: a number of windows that was fixed before the first of them."""


def _checked_rate(value: object) -> object:
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf
    rules = get_args(LearningRateRule)
    if value is not None and not number and value not in rules:
        near = did_you_mean(value, rules) if isinstance(value, str) else ""
        raise ValueError(f"give a positive number or one of {', '.join(rules)}{near}")
    return value


def _checked_device(value: str) -> str:
    """The device by its shortest name."""
    if value not in get_args(Device) and not FIRST_GPU.fullmatch(value):
        raise ValueError("give cpu, gpu, or gpu:N for the Nth visible GPU, counted from 0")
    return "gpu" if value == "gpu:0" else value


_DEVICE_SCHEMA = {"type": "string", "pattern": rf"^(cpu|gpu|{FIRST_GPU.pattern})$"}


class Cell(BaseModel):
    """One combination of settings. Its defaults are the reference point that every suite varies.

    Types are strict: `epochs = true` or `xla = 1` in a suite is a slip, not a setting. The docstring of a field is what
    `bench init` and `bench schema` say of the axis.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    strategy: Strategy = "default"
    """The tf.distribute strategy that the replicas train under."""
    device: Annotated[str, AfterValidator(_checked_device), WithJsonSchema(_DEVICE_SCHEMA)] = "cpu"
    """What it trains on; gpu:N is the Nth visible GPU, counted from 0."""
    replicas: Annotated[int, Field(ge=1, le=1024)] = 1
    """Copies of the model; one strategy trains them together."""
    precision: Precision = "float32"
    """What the layers compute in; tf32 and mixed_float16 are meant for NVIDIA GPUs."""
    global_batch: Batch = 200
    """Images of one step on all replicas together."""
    engine: Engine = "step"
    """Keras fit; a tf.function for each step; or fused, one graph that runs a whole window of steps."""
    xla: bool = False
    """Whether XLA compiles the step."""
    input: Input = "real"
    """Batches from tf.data as in training; synthetic, one batch over and over; or resident, all data on the device."""
    variant: Variant = "article"
    """The article's network, or one with batch norm, dropout or both."""
    recipe: RecipeName = "article"
    """The article's learning rate, or tuned: warmed up, and then a cosine."""
    optimizer: Optimizer = "rmsprop"
    """The Keras optimizer."""
    learning_rate: Annotated[Rate | LearningRateRule | None, BeforeValidator(_checked_rate)] = None
    """A value, or a rule that scales the recipe's own with the global batch; left out, the recipe's own."""
    epochs: Annotated[int, Field(ge=0, le=10_000)] = 1
    """Whole passes over the training set; with 0 there is no accuracy, and windows until the speed is certain."""
    cpu_threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    """CPU threads of TensorFlow in each worker; left out, as many as there are CPUs."""
    onednn: OneDnn = "default"
    """Whether CPU kernels come from oneDNN; default leaves it to TensorFlow, but fused turns it on."""
    allocator: Allocator = "growth"
    """Of GPU memory: TensorFlow's own pool, which grows, or CUDA's."""
    all_reduce: AllReduce = "default"
    """How replicas sum their gradients: mirrored takes any, multi_worker_mirrored ring and nccl."""
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processes that the replicas are shared out to, under multi_worker_mirrored and parameter_server."""
    servers: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processes that keep the weights, under parameter_server."""

    @model_validator(mode="after")
    def _batch_divides(self) -> "Cell":
        if self.global_batch % self.replicas_per_update:
            raise ValueError(
                f"global_batch {self.global_batch} is not divisible by {self.replicas} replicas; "
                "choose a multiple, or give per_replica_batch"
            )
        if self.replicas % self.workers:
            raise ValueError(
                f"{self.replicas} replicas cannot be shared out evenly to {self.workers} workers; give a multiple"
            )
        return self

    @property
    def replicas_per_worker(self) -> int:
        """Copies of the model in one process."""
        return self.replicas // self.workers

    @property
    def asynchronous(self) -> bool:
        """Whether replicas update the weights without waiting for each other; a step is one such update then."""
        return self.strategy in ASYNCHRONOUS

    @property
    def replicas_per_update(self) -> int:
        """Copies of the model whose gradients make up one update of the weights."""
        return replicas_per_update(self.strategy, self.replicas)

    @property
    def roles(self) -> tuple[Role, ...]:
        """What each process of a trial does, by rank."""
        workers: list[Role] = ["worker"] * self.workers
        servers: list[Role] = ["server"] * self.servers
        return ("coordinator", *workers, *servers) if self.asynchronous else tuple(workers)

    @property
    def kind(self) -> Device:
        """What it trains on, whichever of them."""
        return "cpu" if self.device == "cpu" else "gpu"

    @property
    def first_gpu(self) -> int:
        """The place of its first GPU among the visible ones."""
        numbered = FIRST_GPU.fullmatch(self.device)
        return int(numbered[1]) if numbered else 0

    @property
    def pulls_messages(self) -> bool:
        """Whether its replicas' all-reduces go through gRPC, where the receiver asks for each message."""
        return self.workers > 1 and (self.kind == "cpu" or self.all_reduce == "ring")

    @property
    def per_replica_batch(self) -> int:
        """Images of one step on one replica."""
        return self.global_batch // self.replicas_per_update

    @property
    def batch_words(self) -> str:
        """The global batch for people, with a replica's share of it where there are several."""
        if self.asynchronous:
            return f"{self.global_batch:,} an update"
        each = f" ({self.per_replica_batch:,} on each of {self.replicas} replicas)" if self.replicas > 1 else ""
        return f"{self.global_batch:,}{each}"

    def at_batch(self, global_batch: int) -> "Cell":
        """The same cell with another global batch."""
        return self.model_copy(update={"global_batch": global_batch})

    @property
    def settings(self) -> dict[str, str | int | float | bool]:
        """The settings that differ from their defaults, in the order of the fields."""
        return self.model_dump(exclude_defaults=True)

    @property
    def cell_id(self) -> str:
        """Eight hex digits from `settings`, so that a new axis changes no old id."""
        return _cell_id(self)

    @property
    def label(self) -> str:
        """A short name for people: what differs from the default cell."""
        words = [_word(name, value) for name, value in self.settings.items()]
        return " ".join(words) or "default"


def replicas_per_update(strategy: str, replicas: int) -> int:
    """Of so many replicas, those whose gradients make up one update of the weights: all, or one where none waits."""
    return 1 if strategy in ASYNCHRONOUS else replicas


@lru_cache(maxsize=10_000)  # a report asks for it many times for every trial
def _cell_id(cell: Cell) -> str:
    return sha256(json.dumps(cell.settings, sort_keys=True).encode()).hexdigest()[:8]


def _word(name: str, value: str | float) -> str:
    """One setting as a word of a label: its value where that says enough."""
    if name in {"strategy", "precision", "variant"} or name == "device":
        return str(value)
    if name == "replicas":
        return f"×{value}"
    return "xla" if name == "xla" else f"{name}={value}"


_SEED = "What initial weights, the order of the data and dropout are drawn from."


class Trial(BaseModel):
    """One execution of a cell with a seed and a repeat, or the reason why it cannot be executed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)

    cell: Cell
    """Its settings."""
    seed: Annotated[int, Field(ge=0, lt=2**31, description=_SEED)] = 0
    repeat: Annotated[int, Field(ge=0)] = 0
    """Its number among executions with the same cell and seed, each in fresh processes."""
    unsupported: str | None = None
    """Why it cannot be executed; null where it can."""

    @property
    def trial_id(self) -> str:
        """`cell_id`-seed-repeat."""
        return f"{self.cell.cell_id}-{self.seed}-{self.repeat}"
