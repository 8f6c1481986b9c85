"""Two ranks encode what one process does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("encoding_in_ranks.py")


@pytest.mark.parametrize("num_images", [0, 33], ids=["whole split", "sample"])
def test_two_ranks_give_what_one_gives(tmp_path, program_environment, num_images):
    done = subprocess.run(
        [sys.executable, PROGRAM, tmp_path, str(num_images)],
        env=program_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    one, *two = (dict(np.load(tmp_path / f"{name}.npz")) for name in ("1-0", "2-0", "2-1"))
    # An odd number: one rank has an image more than the other.
    assert len(one["codes"]) == (num_images or 359)
    for rank in two:
        assert np.array_equal(rank["images"], one["images"])
        assert rank["codes"] == pytest.approx(one["codes"], abs=1e-5)
        assert rank["reconstructions"] == pytest.approx(one["reconstructions"], abs=1e-5)
