"""What a live worker really runs, as it tells it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from bench.protocol.message import Count, Message
from mnist_cnn.settings import Engine, Input, RecipeName, Variant

CPUS = r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*"
"""As Linux lists them, `0-3,7`; numbers are short, or a damaged file would fill the memory."""
CpusOfHost = Annotated[str, Field(pattern=rf"^\S* ({CPUS})?$", max_length=10_300)]


class EffectiveSettings(Message):
    """What the live worker really runs, read back from TensorFlow and Keras."""

    model_config = ConfigDict(extra="ignore")  # stored too: a newer file with additions stays readable

    strategy: str
    """Class of the strategy."""
    replicas: int
    """Replicas in sync."""
    global_batch: int | None = None
    """Images of a step of all replicas."""
    devices: list[str]
    """TensorFlow's names of the devices that compute."""
    variable_dtype: str
    """Type of the weights; where they differ, each."""
    compute_dtype: str
    """Type that layers compute in, but for the softmax, which is float32; where they differ, each."""
    xla: bool
    """Whether what runs is compiled by XLA."""
    xla_program: str | None = None
    """The compiled program and its size, which proves it; null where there is none."""
    xla_scope: Literal["none", "step", "window"]
    """What is compiled."""
    tf32: bool
    """Whether a float32 product loses the bits that TF32 has no room for."""
    loss_scaling: bool
    """Whether the loss is scaled."""
    cross_device_ops: str | None
    """What sums gradients over replicas; null where nothing does."""
    optimizer: str
    """Class of the optimizer."""
    engine: Engine | None = None
    """What repeats a step, by the program that ran."""
    input: Input | None = None
    """What batches come from, by what the pipeline is made of; null where a coordinator's workers build it."""
    variant: Variant | None = None
    """Of the network, by its layers."""
    recipe: RecipeName | None = None
    """By whether the optimizer's learning rate is a constant or a schedule."""
    learning_rate: float | None = None
    """The optimizer's, of a schedule the highest; null where it is not finite."""
    intra_op_threads: int
    """Threads that an operation may use."""
    inter_op_threads: int
    """Operations that may run at once."""
    shards: Count = 1
    """Parts that a batch is computed in at once, a core each."""
    cpus: list[CpusOfHost] = []
    """Each worker's host and the CPUs that it may run on there, such as `node1 0-3`."""
    cores: list[CpusOfHost] = []
    """Likewise all CPUs of the cores that those are threads of: workers with one in common compute on the same core."""
    onednn: bool
    """Whether TensorFlow takes kernels of oneDNN."""
    allocator: str | None = None
    """What hands out memory of a GPU."""
    gpu_models: list[str] = []
    """Of the GPUs that compute."""
    addresses: list[str] = []
    """Where workers meet, rank by rank."""
    interface: str | None = None
    """The network's; null where none was asked for."""
    network_settings: dict[str, str] = {}
    """Variables that tune the network between workers."""
    parameters: int
    """Weights, untrained ones included."""
    buffered_batches: int
    """Batches that the input may hold ready, which follows from the cell."""
    in_flight_steps: Annotated[int, Field(ge=0)] = 0
    """Steps that may be under way at any clock reading, so that a window has so many more or fewer."""
    workers: Count | None = None
    """Those of the cluster; null where no coordinator told."""
    servers: Count | None = None
    """Parameter servers of the cluster; null where no coordinator told."""
    notes: list[str] = []
    """What a reader must know of these settings."""

    @property
    def run_in_steps(self) -> int:
        """Steps after a pause that no window counts, more than a buffer holds: they get all under way that may be."""
        return self.buffered_batches + self.in_flight_steps + 1
