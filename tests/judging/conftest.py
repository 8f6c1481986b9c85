"""Encoded splits for the measures of codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ae_lightning.judging.encoded import EncodedSplit

SplitMaker = Callable[[np.ndarray, "np.ndarray | None"], EncodedSplit]


@pytest.fixture
def as_split() -> SplitMaker:
    """Make a split of given codes and labels, with blank images."""

    def make(codes: np.ndarray, labels: np.ndarray | None) -> EncodedSplit:
        images = np.zeros((len(codes), 1, 4, 4), np.float32)
        return EncodedSplit(
            images, codes.astype(np.float32), images, None if labels is None else labels.astype(np.int64)
        )

    return make


@pytest.fixture
def blobs(as_split: SplitMaker) -> tuple[EncodedSplit, EncodedSplit]:
    """Three classes far apart in four dimensions: 300 training and 90 evaluated codes."""
    rng = np.random.default_rng(0)
    centres = rng.normal(scale=10, size=(3, 4))

    def draw(num: int) -> EncodedSplit:
        labels = np.arange(num) % 3
        return as_split(centres[labels] + rng.normal(size=(num, 4)), labels)

    return draw(300), draw(90)
