"""The TensorFlow build as the live worker tells it."""

import tensorflow as tf
from tensorflow.python.framework import kernels  # the only place that lists what a build can run, switched on or not

_ONEDNN_OPERATION = "_MklNativeConv2D"


def read_build() -> dict[str, str]:
    """Git version, compiler, whether oneDNN is built in, and what the build's own table says of CUDA and cuDNN.

    oneDNN's version is not among them: the library is linked in without its `dnnl_version`.
    """
    onednn = bool(kernels.get_registered_kernels_for_op(_ONEDNN_OPERATION).kernel)
    return {
        "git_version": str(tf.version.GIT_VERSION),
        "compiler": str(tf.version.COMPILER_VERSION),
        "onednn_built_in": str(onednn),
        **{str(name): _words(value) for name, value in sorted(tf.sysconfig.get_build_info().items())},
    }


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
