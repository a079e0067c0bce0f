"""Variables of the shell that decide what a worker does, so that nobody leaves them to chance."""

import re

NETWORK_SETTINGS = re.compile(r"NCCL_\w+|GRPC_(?!DEFAULT_SSL_ROOTS)\w+")
"""Variables that tune the network between workers; TensorFlow's gRPC does without certificates."""

ALLOCATOR_SWITCH = "TF_GPU_ALLOCATOR"
PROXIES = {"grpc_proxy", "http_proxy", "https_proxy"}
"""Through these gRPC would reach the other workers (doc/environment_variables.md of grpc), which no proxy knows."""
IGNORED_VARIABLES = {
    "KERAS_BACKEND",
    "NVIDIA_TF32_OVERRIDE",
    "TF_CONFIG",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    ALLOCATOR_SWITCH,
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    *PROXIES,
}
"""What a worker leaves out of its shell's environment, since the trial alone decides it."""
