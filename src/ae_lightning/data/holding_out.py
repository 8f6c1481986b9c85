"""Which samples are held out of training: for validation, for the test split, and a class that it never sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ae_lightning.data.splits import Split
from ae_lightning.errors import ConfigError, DataError, unknown_name
from ae_lightning.labels import MISSING_LABEL

MAX_DEFAULT_VAL = 5000

TEST_SHARE = 0.1
"""What becomes the test split of files that come without one."""

KEY = "data.leave_out_class"


def told_of_test(held_out_of: str = "train") -> str:
    """Say that a test split is held out, and of what."""
    return f"test is a tenth of {held_out_of}, held out"


class TrainValDivision(NamedTuple):
    """A division of samples.

    Attributes:
        novel_class: Number of the class that is left out of both, if one is.
        train: Positions of the samples to train on, int64, ascending.
        val: Positions of those held out, or of what is kept of a validation split that the source has, int64,
            ascending; empty where there are none.
    """

    novel_class: int | None
    train: Tensor
    val: Tensor


@dataclass(frozen=True)
class TrainValDivider:
    """Divides samples as a user wants them divided.

    Attributes:
        dataset_name: For messages.
        leave_out_class: A class, by name or number, whose samples are in neither part, and with them those
            without a label, which may be of it; None for none.
        num_val: How many samples to hold out; None for a tenth.
        max_default_val: How many a tenth may be.
        split_seed: Fixes which samples are held out.
    """

    dataset_name: str
    leave_out_class: int | str | None
    num_val: int | None
    max_default_val: int
    split_seed: int

    def divide(
        self, labels: Tensor, class_names: tuple[str, ...] | None, val_labels: Tensor | None = None
    ) -> TrainValDivision:
        """Divide samples.

        Args:
            labels: Of each sample, int64, −1 where missing or unlabelled.
            class_names: None where unlabelled.
            val_labels: Likewise of each sample of a validation split that the source has; None where it has none.

        Raises:
            ConfigError: If no sample would be left to train on, there is no such class as is to be left out, or
                samples are to be held out beside a validation split that is there.
        """
        if val_labels is not None and self.num_val is not None:
            own = f"{self.dataset_name} has a validation split of its own, of {len(val_labels):,} samples"
            raise ConfigError(f"data.num_val {self.num_val}: {own}; leave data.num_val out")
        novel_class = None
        if self.leave_out_class is not None:
            novel_class = find_class(self.leave_out_class, class_names, self.dataset_name)
        left = _positions_kept(labels, novel_class, "training")
        if val_labels is not None:
            return TrainValDivision(novel_class, left, _positions_kept(val_labels, novel_class, "validation"))
        kept, held_out = hold_out(len(left), self._num_val(len(left)), self.split_seed)
        return TrainValDivision(novel_class, left[kept], left[held_out])

    def _num_val(self, num_train: int) -> int:
        if self.num_val is None:
            return min(self.max_default_val, max(1, num_train // 10)) if num_train > 1 else 0
        if self.num_val >= num_train:
            left = f"leaves none of the {num_train} training samples of {self.dataset_name}"
            raise ConfigError(f"data.num_val {self.num_val} {left} to train on")
        return self.num_val


def hold_out(num_samples: int, num_held_out: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw the positions of the samples to hold out, and list the others.

    Args:
        num_samples: How many samples there are.
        num_held_out: How many of them to hold out.
        seed: The draw is a function of this and the two counts.

    Returns:
        Positions kept and positions held out: int64, each in ascending order, disjoint.
    """
    order = torch.randperm(num_samples, generator=torch.Generator().manual_seed(seed))
    return order[num_held_out:].sort().values, order[:num_held_out].sort().values


def hold_out_test(samples: Split, share: float, seed: int) -> tuple[Split, Split]:
    """Divide samples that come in one piece into a train and a test split.

    Args:
        samples: All samples.
        share: The share of them that become the test split, rounded down, at least one sample.
        seed: Fixes which samples these are.

    Returns:
        The train and the test split.

    Raises:
        DataError: If there are fewer than two samples.
    """
    train, test = hold_out(len(samples), num_held_out_for_test(len(samples), share), seed)
    return samples.select(train), samples.select(test)


def num_held_out_for_test(num_samples: int, share: float) -> int:
    """Return how many of so many samples become the test split: a share, rounded down, at least one.

    Raises:
        DataError: If there are fewer than two samples.
    """
    if num_samples < 2:
        raise DataError("one sample alone cannot be divided into a train and a test split")
    return max(1, int(num_samples * share))


def find_class(wanted: int | str, class_names: tuple[str, ...] | None, dataset_name: str, key: str = KEY) -> int:
    """Return the number of a class.

    Args:
        wanted: Its name, or its position among the names.
        class_names: The data set's; None where it is unlabelled.
        dataset_name: For the message.
        key: What names the class, likewise.

    Raises:
        ConfigError: If there is no such class, or there are no classes at all.
    """
    if class_names is None:
        raise ConfigError(f"{key}: {wanted!r} is no class, since the samples of {dataset_name} have no labels")
    # A folder's classes may be called 3 and 7: what names a class is a name.
    if str(wanted) in class_names:
        return class_names.index(str(wanted))
    if isinstance(wanted, int):
        for name in class_names:
            if name.isdecimal() and int(name) == wanted:
                raise ConfigError(f"{key}: {wanted} is a position, and {name!r} a name; write the name in quotes")
        if not 0 <= wanted < len(class_names):
            raise ConfigError(f"{key}: {wanted} is not allowed; classes are 0 to {len(class_names) - 1}")
        return wanted
    raise ConfigError(unknown_name(key, wanted, class_names))


def _positions_kept(labels: Tensor, left_out: int | None, what: str) -> Tensor:
    """Return where the labels are of other classes, int64: a sample without a label may be of this one."""
    if left_out is None:
        return torch.arange(len(labels))
    kept = ((labels != left_out) & (labels != MISSING_LABEL)).nonzero().squeeze(1)
    if len(kept) == 0:
        whose = f"are of class {left_out}, or have no label"
        raise ConfigError(f"{KEY}: all {what} samples {whose}, so that none would be left")
    return kept
