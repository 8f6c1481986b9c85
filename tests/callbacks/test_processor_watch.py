"""A training whose threads wait for a processor says so: here all of them have to share one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TRAINING = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
import ae_lightning as ael
from ae_lightning.callbacks import processor_watch
processor_watch.SECONDS = 0.001  # looks after every step, however fast a machine takes them
x = np.random.default_rng(0).random((1500, 1, 28, 28), np.float32)
ael.fit("vanilla", x, trainer={"max_epochs": 2}, evaluation={"measures": ["mse"], "pictures": []}, tracking=False)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="the system does not tell how long threads wait")
@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_training_whose_threads_wait_says_so_once(tmp_path, program_environment, num_threads):
    done = subprocess.run(
        [sys.executable, "-c", TRAINING],
        check=False,
        cwd=tmp_path,
        env={**program_environment, "OMP_NUM_THREADS": str(num_threads)},
        capture_output=True,
        text=True,
        timeout=1000,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("this training's 2 threads wait for one") == num_threads - 1
