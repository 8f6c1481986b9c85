"""A source of data of one's own: it is divided, scaled, resumed and judged as this package's are.

    python -m ae_lightning fit --model VanillaAE --model.network MLP --data.name spirals.Spirals

with this file's folder on PYTHONPATH.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet, Split

NUM_TRAIN, NUM_TEST = 600, 200
NUM_ARMS = 3


class Spirals(Source):
    """Points of a plane on three arms of a spiral, which are the classes."""

    name = "spirals"

    def read(self, place: Place) -> DataSet:
        """Draw the points; `data.split_seed` fixes them."""
        generator = torch.Generator().manual_seed(place.split_seed)
        train, test = (draw(num, generator) for num in (NUM_TRAIN, NUM_TEST))
        return DataSet(train, test, tuple(f"arm {number}" for number in range(NUM_ARMS)))


def draw(num: int, generator: torch.Generator) -> Split:
    """Draw points, uniform along the arms, and the numbers of their arms."""
    arms = torch.randint(NUM_ARMS, (num,), generator=generator)
    turns: Tensor = torch.rand(num, generator=generator).sqrt()
    angles = 2 * math.pi * (turns + arms / NUM_ARMS)
    points = torch.stack([turns * angles.cos(), turns * angles.sin()], dim=1)
    return Split(points + 0.02 * torch.randn(num, 2, generator=generator), arms)
