"""What an augmentation is: a random change of images that a model is trained on.

Shape suffixes: B images, C channels, H and W pixels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from torch import Tensor

from ae_lightning.draws import Draws
from ae_lightning.parts import Recipe

Range = tuple[float, float]
"""Smallest and largest value of an image."""

Drawn = TypeVar("Drawn")
"""What is drawn for the images of a batch."""


class Augmentation(Recipe, ABC, Generic[Drawn]):
    """A random change of images: each has parameters of its own, and a whole batch is changed at once.

    The constructor's arguments are kept under their own names, so that a checkpoint can tell how to build it.

    Attributes:
        is_slow: Whether it takes one image after the other, in Python.
    """

    is_slow: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """What errors call it."""
        return f"data.augment.{type(self).__name__}"

    @abstractmethod
    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> Drawn:
        """Draw the parameters of each image.

        Args:
            draws: The random numbers of the batch.
            shape: Of an image: (C, H, W).
        """

    @abstractmethod
    def change(self, x_BCHW: Tensor, drawn: Drawn, value_range: Range | None) -> Tensor:
        """Change images as was drawn for them.

        Args:
            x_BCHW: As scaled, float32; not to be changed in place.
            drawn: What ``draw`` returned.
            value_range: Of the images; None where they have no bounds.

        Returns:
            float32, of the same number of images, within the same range.
        """

    def require_takes(self, shape: tuple[int, int, int], value_range: Range | None) -> None:
        """Refuse images that it cannot change; here, none.

        Args:
            shape: Of an image: (C, H, W).
            value_range: Of the images.

        Raises:
            ConfigError: If these are such images.
        """

    def __call__(self, x_BCHW: Tensor, draws: Draws, value_range: Range | None) -> Tensor:
        """Draw, and change."""
        _, channels, height, width = x_BCHW.shape
        return self.change(x_BCHW, self.draw(draws, (channels, height, width)), value_range)
