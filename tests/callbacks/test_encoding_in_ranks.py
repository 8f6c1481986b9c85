"""Two ranks encode what one process does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).with_name("encoding_in_ranks.py")


SAMPLE_SIZE = 33


@pytest.fixture(scope="module")
def encoded(tmp_path_factory, program_environment):
    """What one process and two ranks gave, of the whole split (0) and of a sample."""
    folder = tmp_path_factory.mktemp("encoded")
    done = subprocess.run(
        [sys.executable, PROGRAM, folder, "0", str(SAMPLE_SIZE)],
        env=program_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return lambda size: [dict(np.load(folder / f"{size}-{name}.npz")) for name in ("1-0", "2-0", "2-1")]


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, SAMPLE_SIZE], ids=["whole split", "sample"])
def test_two_ranks_give_what_one_gives(encoded, size):
    one, *two = encoded(size)
    # An odd number: one rank has an image more than the other.
    assert len(one["codes"]) == (size or 359)
    for rank in two:
        assert np.array_equal(rank["images"], one["images"])
        assert rank["codes"] == pytest.approx(one["codes"], abs=1e-5)
        assert rank["reconstructions"] == pytest.approx(one["reconstructions"], abs=1e-5)
