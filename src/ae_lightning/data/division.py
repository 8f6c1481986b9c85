"""Which of the images that a source gives to train on are trained on, and which are held out for validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ae_lightning.data.class_removal import find_class, positions_without_class
from ae_lightning.data.splits import hold_out
from ae_lightning.errors import ConfigError

MAX_DEFAULT_VAL = 5000


class Division(NamedTuple):
    """A division of images.

    Attributes:
        novel_class: Number of the class that is left out of both, if one is.
        train: Positions of the images to train on, int64, ascending.
        val: Positions of those held out, int64, ascending; empty where none are.
    """

    novel_class: int | None
    train: Tensor
    val: Tensor


@dataclass(frozen=True)
class Divider:
    """Divides images as a user wants them divided.

    Attributes:
        dataset_name: For messages.
        leave_out_class: A class, by name or number, whose images are in neither part, and with them those
            without a label, which may be of it; None for none.
        num_val: How many images to hold out; None for a tenth.
        max_default_val: How many a tenth may be.
        split_seed: Fixes which images are held out.
    """

    dataset_name: str
    leave_out_class: int | str | None
    num_val: int | None
    max_default_val: int
    split_seed: int

    def divide(self, num_images: int, labels: Tensor | None, class_names: tuple[str, ...] | None) -> Division:
        """Divide images.

        Args:
            num_images: How many there are.
            labels: Of each, int64, −1 where missing; None where unlabelled.
            class_names: None where unlabelled.

        Raises:
            ConfigError: If no image would be left to train on, or there is no such class as is to be left out.
        """
        novel_class, left = None, torch.arange(num_images)
        if self.leave_out_class is not None:
            novel_class = find_class(self.leave_out_class, class_names, self.dataset_name)
            assert labels is not None
            left = positions_without_class(labels, novel_class)
        kept, held_out = hold_out(len(left), self._num_val(len(left)), self.split_seed)
        return Division(novel_class, left[kept], left[held_out])

    def _num_val(self, num_train: int) -> int:
        if self.num_val is None:
            return min(self.max_default_val, max(1, num_train // 10)) if num_train > 1 else 0
        if self.num_val >= num_train:
            left = f"leaves none of the {num_train} training images of {self.dataset_name}"
            raise ConfigError(f"data.num_val {self.num_val} {left} to train on")
        return self.num_val
