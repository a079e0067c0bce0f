"""What a worker loads with TensorFlow, and what it leaves to others."""

import json
import subprocess
import sys

import pytest

CODE = """
import json, sys
from bench.worker.imports import import_tensorflow
import_tensorflow()
drawing = sorted({"matplotlib", "pandas"} & {*sys.modules})
import keras, tensorflow, matplotlib, pandas
print(json.dumps([drawing, keras.backend.backend(), matplotlib.__name__, pandas.__name__]))
"""


@pytest.mark.slow
def test_a_worker_loads_nothing_that_draws(tmp_path):
    """TensorFlow and Keras come without Matplotlib and pandas; a workload that wants them imports them afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=200, cwd=tmp_path
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [[], "tensorflow", "matplotlib", "pandas"]
