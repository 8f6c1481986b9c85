"""Transforms of others, which draw from global generators: one image after the other, under seeds of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError, DataError, first_line

TOLERANCE = 1e-4
"""How far values may leave their range by rounding, as a share of it."""


class ImageByImage(Augmentation[Tensor]):
    """What changes a single image (C, H, W), such as torchvision's transforms.

    Args:
        path: What it is called.
        transform: The change.
    """

    is_slow: ClassVar[bool] = True

    def __init__(self, path: str, transform: Callable[[Tensor], Any]) -> None:
        self.path = path
        self.transform = transform

    @property
    def key(self) -> str:
        """What errors call it."""
        return f"data.augment.{self.path}"

    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> Tensor:
        """Draw a seed for each image: shape (B,), int64."""
        return draws.seeds()

    def change(self, x_BCHW: Tensor, drawn: Tensor, value_range: Range | None) -> Tensor:
        """Change one image after the other, the generators of torch, NumPy and Python seeded for each.

        Raises:
            ConfigError: If the transform fails, or gives anything but an image.
            DataError: If its values leave the range.
        """
        images = []
        with generators_kept(x_BCHW.device):
            for image, seed in zip(x_BCHW.contiguous(), drawn.tolist(), strict=True):
                seed_generators(seed, x_BCHW.device)
                images.append(self._changed(image.clone()))
        changed = torch.stack(images).to(x_BCHW)
        if value_range is None:
            return changed
        low, high = value_range
        least, largest = map(float, changed.aminmax())
        slack = TOLERANCE * (high - low)
        if not low - slack <= least <= largest <= high + slack:
            raise DataError(
                f"{self.key}: its values reach from {least:g} to {largest:g}, and those of the samples from {low:g} to "
                f"{high:g}"
            )
        return changed.clamp_(low, high)

    def _changed(self, image: Tensor) -> Tensor:
        shape = tuple(image.shape)
        try:
            changed = self.transform(image)
        except Exception as error:  # whatever a transform of others stumbles over
            fault = f"{type(error).__name__}: {first_line(error)}"
            raise ConfigError(f"{self.key}: it fails on a tensor of shape {shape}: {fault}") from error
        if not isinstance(changed, Tensor) or changed.ndim != 3:
            given = (
                f"a tensor of shape {tuple(changed.shape)}" if isinstance(changed, Tensor) else type(changed).__name__
            )
            raise ConfigError(f"{self.key}: of a tensor of shape {shape} it makes {given}, and no image")
        return changed


@contextmanager
def generators_kept(device: torch.device) -> Iterator[None]:
    """Leave the global generators of torch, NumPy and Python as they were."""
    states = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed the global generators of torch, NumPy and Python."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
