"""What a loader hands to a step."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """One rank's samples of one step.

    Attributes:
        x: Shape (B, *spec.shape); of the data set's own type as the loader gives them, float32 once scaled on the
            device.
        labels: Classes, −1 where missing, int64, shape (B,); None unless the model says `needs_labels`.
        indices: Positions of the samples in their split, int64, shape (B,).
        offset: Position of this rank's first sample within the global batch.
        global_size: How many samples the global batch has, over all ranks.
        views: Of a model that says `num_views`, the views of the samples beside `x`, of its shape: in training each
            augmented by itself, elsewhere `x` again.
    """

    x: Tensor
    labels: Tensor | None
    indices: Tensor
    offset: int
    global_size: int
    views: tuple[Tensor, ...] = ()
