"""The build of TensorFlow as a process of its own tells it."""

import json
import os
import subprocess
import sys

import pytest

PROBE = """
import json
import tensorflow as tf
from tensorflow.python.util import _pywrap_util_port
from bench.worker.build import read_build

print(json.dumps([read_build(), _pywrap_util_port.IsMklEnabled(), tf.test.is_built_with_cuda(), tf.version.VERSION]))
"""


def told(switch: str):
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": switch}
    done = subprocess.run([sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_build_is_that_of_the_wheel_whatever_is_switched_on():
    """What is built in stays built in when it is switched off; CUDA and version agree with TensorFlow's own words."""
    on, off = told("1"), told("0")
    build, onednn_runs, cuda, version = on
    assert build == off[0]
    assert build["onednn_built_in"] == str(onednn_runs)
    assert not off[1]
    assert build["is_cuda_build"] == str(cuda)
    assert version.split("-")[0] in build["git_version"]
    assert all(isinstance(fact, str) for fact in build.values())
