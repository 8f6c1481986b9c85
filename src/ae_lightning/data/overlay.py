"""Pairs of images laid over each other: two classes in one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ae_lightning.data.splits import Split, rows_of
from ae_lightning.labels import MISSING_LABEL


@dataclass(frozen=True, eq=False)
class OverlaidSplit:
    """Images that each show two images of different classes.

    Attributes:
        images: Pixelwise maxima, of the images' own type, shape (N, C, H, W).
        labels: The classes of each, int64, shape (N, 2).
    """

    images: Tensor
    labels: Tensor


def overlay(split: Split, seed: int) -> OverlaidSplit | None:
    """Lay over each image one of another class, drawn uniformly: the pixelwise maximum of both.

    Args:
        split: Labelled images.
        seed: Fixes the partners.

    Returns:
        As many overlaid images as the split has images whose class is known; None where it is unlabelled or shows a
        single class.
    """
    if split.labels is None:
        return None
    known = split.labels != MISSING_LABEL
    if len(torch.unique(split.labels[known])) < 2:
        return None
    labelled = split if known.all() else split.select(known.nonzero().flatten())
    assert labelled.labels is not None
    return _overlaid(labelled.x, labelled.labels, seed)


def _overlaid(images: Tensor, labels: Tensor, seed: int) -> OverlaidSplit:
    # In the order of the classes, the images of other classes are all but one run of positions.
    order = labels.argsort(stable=True)
    counts = torch.bincount(labels)
    starts = counts.cumsum(0) - counts
    start, own = starts[labels], counts[labels]
    uniform = torch.rand(len(labels), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    drawn = (uniform * (len(labels) - own)).long()
    partners = order[torch.where(drawn < start, drawn, drawn + own)]
    # By NumPy: torch has no maximum of uint16.
    maxima = torch.from_numpy(np.maximum(images.numpy(), rows_of(images, partners).numpy()))
    return OverlaidSplit(maxima, torch.stack([labels, labels[partners]], dim=1))
