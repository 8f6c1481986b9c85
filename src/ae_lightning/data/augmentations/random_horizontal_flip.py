"""`RandomHorizontalFlip`: left and right exchanged."""

from __future__ import annotations

import torch
from torch import Tensor

from ae_lightning.checks import require_share
from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.draws import Draws


class RandomHorizontalFlip(Augmentation[Tensor]):
    """Exchange left and right.

    Args:
        p: Probability of it.

    Raises:
        ConfigError: If it does not lie from 0 to 1.
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = require_share(f"{self.key}.p", p)

    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> Tensor:
        """Draw whether each image is flipped: shape (B,), bool."""
        return draws.uniform() < self.p

    def change(self, x_BCHW: Tensor, drawn: Tensor, value_range: Range | None) -> Tensor:
        """Flip those that were drawn."""
        return torch.where(drawn[:, None, None, None], x_BCHW.flip(3), x_BCHW)
