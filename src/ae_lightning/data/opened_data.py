"""What a source of images holds once it is opened, in memory or on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Literal

import torch

from ae_lightning.data.loader import BatchLoader, ResumableLoader
from ae_lightning.data.sampling import BatchSampler, Sampling
from ae_lightning.data.splits import ImageSplit

SplitName = Literal["train", "val", "test"]


class OpenedData(ABC):
    """The splits of a data set.

    Attributes:
        class_names: None where the images are unlabelled.
        novel_class: Number of the class left out of training, if one is.
        num_skipped: Files left out because they cannot be read.
        num_images: Of each split that there is, by name.
    """

    class_names: tuple[str, ...] | None
    novel_class: int | None
    num_skipped: int
    num_images: Mapping[SplitName, int]

    @property
    @abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""

    @abstractmethod
    def split(self, name: SplitName) -> ImageSplit:
        """Return a split in memory, or of what is larger a fixed sample."""

    def loader(
        self,
        name: SplitName,
        sampling: Sampling,
        kept_on: Callable[[ImageSplit], torch.device | None],
        *,
        with_labels: bool = False,
    ) -> ResumableLoader:
        """Return batches of a whole split.

        Args:
            name: Of the split.
            sampling: How it is dealt out.
            kept_on: Where the images of a split in memory are kept; None leaves them where they are.
            with_labels: Whether batches bring labels.

        Raises:
            ConfigError: If there are fewer images than ranks.
        """
        split = self.split(name)
        device = kept_on(split)
        return BatchLoader(split, BatchSampler(len(split), sampling, device), device, with_labels=with_labels)


class LoadedImages(OpenedData):
    """A data set in memory.

    Args:
        splits: By name.
        class_names: None where the images are unlabelled.
        novel_class: Number of the class left out of training, if one is.
        num_skipped: Files left out because they cannot be read.
    """

    def __init__(
        self,
        splits: Mapping[SplitName, ImageSplit],
        class_names: tuple[str, ...] | None,
        novel_class: int | None,
        num_skipped: int,
    ) -> None:
        self._splits = splits
        self.class_names = class_names
        self.novel_class = novel_class
        self.num_skipped = num_skipped
        self.num_images = {name: len(split) for name, split in splits.items()}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        channels, height, width = self._splits["train"].images.shape[1:]
        return channels, height, width

    def split(self, name: SplitName) -> ImageSplit:
        """Return a split."""
        return self._splits[name]
