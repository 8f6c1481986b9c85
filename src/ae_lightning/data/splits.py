"""The images of a data set, one uint8 tensor a split."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL


@dataclass(frozen=True, eq=False)
class ImageSplit:
    """The images of one split, with their labels where there are any.

    Attributes:
        images: Pixel values 0 to 255, uint8, shape (N, C, H, W), contiguous.
        labels: Classes as positions in the data set's class names, −1 where missing, int64, shape (N,); None where
            unlabelled.

    Raises:
        DataError: If a shape or dtype is another, or there is no image.
    """

    images: Tensor
    labels: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse tensors that later code could misread."""
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            given = f"{self.images.dtype} of shape {tuple(self.images.shape)}"
            raise DataError(f"images must be uint8 of shape (N, C, H, W), not {given}")
        if self.images.numel() == 0:
            raise DataError(f"there are no images: shape {tuple(self.images.shape)} is empty")
        if not self.images.is_contiguous():
            raise DataError("images must lie contiguously in memory")
        if self.labels is not None:
            _check_labels(self.labels, len(self.images))

    def __len__(self) -> int:
        """Count the images."""
        return len(self.images)

    def labels_or_missing(self) -> Tensor:
        """Return the labels, int64, shape (N,): all of them missing where the split has none."""
        return torch.full((len(self),), MISSING_LABEL) if self.labels is None else self.labels

    def select(self, indices: Tensor) -> ImageSplit:
        """Copy some of the images, and their labels, into a split of their own.

        Args:
            indices: Positions in this split, int64, shape (M,).

        Returns:
            A split of M images in the order of the indices.
        """
        labels = None if self.labels is None else self.labels[indices]
        return ImageSplit(self.images[indices], labels)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """What a source of images returns.

    Attributes:
        train: Images to train on and to draw the validation split from.
        test: Images to judge on, the same ones at every reading.
        class_names: The name of each class; None where the images are unlabelled.
        num_skipped: How many files were left out because they cannot be read.

    Raises:
        DataError: If the splits differ in image shape, or labels and class names do not fit together.
    """

    train: ImageSplit
    test: ImageSplit
    class_names: tuple[str, ...] | None = None
    num_skipped: int = 0

    def __post_init__(self) -> None:
        """Refuse splits that do not belong together."""
        shapes = [tuple(split.images.shape[1:]) for split in (self.train, self.test)]
        if shapes[0] != shapes[1]:
            raise DataError(f"train images have shape {shapes[0]}, test images {shapes[1]} (C, H, W)")
        require_named_labels(self.train, self.class_names, "the train split")
        require_named_labels(self.test, self.class_names, "the test split")


def require_named_labels(split: ImageSplit, class_names: tuple[str, ...] | None, what: str) -> None:
    """Refuse labels and class names that do not fit together.

    Args:
        split: The images with their labels.
        class_names: The name of each class; None where the images are unlabelled.
        what: Begins the message.

    Raises:
        DataError: If there is one without the other, or a label without a name.
    """
    if (split.labels is None) != (class_names is None):
        raise DataError(f"{what} needs labels and class names, or neither of them")
    if split.labels is not None and int(split.labels.max()) >= len(class_names or ()):
        raise DataError(f"{what} has label {int(split.labels.max())}, which names no class")


def _check_labels(labels: Tensor, num_images: int) -> None:
    if labels.dtype != torch.int64 or labels.ndim != 1:
        given = f"{labels.dtype} of shape {tuple(labels.shape)}"
        raise DataError(f"labels must be int64 of shape (N,), not {given}")
    if len(labels) != num_images:
        raise DataError(f"there are {len(labels)} labels for {num_images} images")
    if int(labels.min()) < MISSING_LABEL:
        raise DataError(f"labels start at 0, and −1 is a missing one, but there is {int(labels.min())}")
