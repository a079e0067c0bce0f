"""What a worker loads with TensorFlow, and what it leaves to others."""

import json
import subprocess
import sys

import pytest

CODE = """
import gc, json, sys
from bench.worker.imports import import_tensorflow
import_tensorflow()
loaded = sorted({"matplotlib", "pandas", "scipy"} & {*sys.modules})
import keras, tensorflow, matplotlib, pandas, scipy.stats
later = [one.__name__ for one in (matplotlib, pandas, scipy)]
print(json.dumps([loaded, gc.isenabled(), keras.backend.backend(), *later]))
"""


@pytest.mark.slow
def test_a_worker_loads_nothing_that_training_does_without(tmp_path):
    """TensorFlow comes without Matplotlib, pandas and SciPy, to be imported afterwards; garbage is collected again."""
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=200, cwd=tmp_path
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [[], True, "tensorflow", "matplotlib", "pandas", "scipy"]
