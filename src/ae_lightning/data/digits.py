"""scikit-learn's digits: embedded in the library, so they need no file and no network."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ae_lightning.data.holding_out import hold_out_test
from ae_lightning.data.sample_keys import keys_of_array
from ae_lightning.data.splits import DataSet, Split

BRIGHTEST = 16
TEST_SHARE = 0.2
STORED_IN = ("datasets", "data", "digits.csv.gz")
"""Where scikit-learn keeps them."""


def read_digits(split_seed: int) -> DataSet:
    """Read the 1,797 digits of 8 × 8 pixels.

    Args:
        split_seed: Fixes which fifth of them is the test split.

    Returns:
        Images of shape (1, 8, 8), their values 0 to 16 stretched to 0 to 255, and ten classes.
    """
    rows = _stored_rows()
    pixels = np.rint(rows[:, :-1].reshape(-1, 1, 8, 8) * (255 / BRIGHTEST)).astype(np.uint8)
    labels = torch.from_numpy(rows[:, -1].astype(np.int64))
    images = Split(torch.from_numpy(pixels), labels, keys=keys_of_array("digits", len(labels)))
    train, test = hold_out_test(images, TEST_SHARE, split_seed)
    return DataSet(train, test, tuple(map(str, range(10))))


def _stored_rows() -> NDArray[np.float64]:
    """Return 64 values and the class of each digit, out of scikit-learn's own file, which takes no import of it."""
    found = find_spec("sklearn")
    for folder in found.submodule_search_locations or () if found is not None else ():
        path = Path(folder, *STORED_IN)
        if path.is_file():
            return np.loadtxt(path, delimiter=",")
    # A later version may keep them elsewhere.
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    return np.column_stack([digits.data, digits.target])
