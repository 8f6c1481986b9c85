"""scikit-learn's digits: embedded in the library, so they need no file and no network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ae_lightning.data.holding_out import hold_out_test
from ae_lightning.data.splits import DataSet, Split

BRIGHTEST = 16
TEST_SHARE = 0.2


def read_digits(split_seed: int) -> DataSet:
    """Read the 1,797 digits of 8 × 8 pixels.

    Args:
        split_seed: Fixes which fifth of them is the test split.

    Returns:
        Images of shape (1, 8, 8), their values 0 to 16 stretched to 0 to 255, and ten classes.
    """
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    pixels = np.rint(digits.images * (255 / BRIGHTEST)).astype(np.uint8)
    images = Split(torch.from_numpy(pixels[:, None]), torch.from_numpy(digits.target.astype(np.int64)))
    train, test = hold_out_test(images, TEST_SHARE, split_seed)
    return DataSet(train, test, tuple(str(name) for name in digits.target_names))
