"""The samples of a data set, one tensor a split, each as deep as it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from ae_lightning.data.sample_keys import SampleKeys, keys_of_array
from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL
from ae_lightning.spec import Factors, kind_of

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)

DTYPES = (torch.uint8, torch.uint16, torch.float32)
"""What samples are kept as until they are on the device that trains on them."""


def rows_of(x: Tensor, indices: Tensor) -> Tensor:
    """Copy some samples.

    Args:
        x: Of a dtype in `DTYPES`, shape (N, …).
        indices: Positions, int64, shape (M,), on the same device.

    Returns:
        Shape (M, …), in the order of the indices.
    """
    # On the CPU, torch 2.8 indexes no uint16; the same bits as int16 it does.
    return x.view(torch.int16)[indices].view(torch.uint16) if x.dtype == torch.uint16 else x[indices]


@dataclass(frozen=True, eq=False)
class Split:
    """The samples of one split, with their labels and factors where there are any.

    Attributes:
        x: uint8, uint16 or float32, contiguous: images (N, C, H, W), sequences (N, T, D) or vectors (N, D).
        labels: Classes as positions in the data set's class names, −1 where missing, int64, shape (N,); None where
            unlabelled.
        factors: Positions among the values of each known factor, int64, shape (N, F); None where none is known.
        keys: What each is called at its source; None for its position in what the source gives.

    Raises:
        DataError: If a shape or dtype is another, or there is no sample.
    """

    x: Tensor
    labels: Tensor | None = None
    factors: Tensor | None = None
    keys: SampleKeys | None = None

    def __post_init__(self) -> None:
        """Refuse tensors that later code could misread."""
        if self.x.dtype not in DTYPES or not 2 <= self.x.ndim <= 4:
            given = f"{self.x.dtype} of shape {tuple(self.x.shape)}"
            raise DataError(f"samples must be uint8, uint16 or float32 of shape (N, …) with 2 to 4 axes, not {given}")
        if self.x.numel() == 0:
            raise DataError(f"there are no samples: shape {tuple(self.x.shape)} is empty")
        if not self.x.is_contiguous():
            raise DataError("samples must lie contiguously in memory")
        if self.labels is not None:
            _check_labels(self.labels, len(self.x))
        if self.factors is not None:
            _check_factors(self.factors, len(self.x))
        if self.keys is not None and len(self.keys) != len(self.x):
            raise DataError(f"there are {len(self.keys)} keys for {len(self.x)} samples")

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.x)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.x.shape[1:])

    def labels_or_missing(self) -> Tensor:
        """Return the labels, int64, shape (N,): all of them missing where the split has none."""
        return torch.full((len(self),), MISSING_LABEL) if self.labels is None else self.labels

    def select(self, indices: Tensor) -> Split:
        """Copy some of the samples, with their labels, factors and keys, into a split of their own.

        Args:
            indices: Positions in this split, int64, shape (M,).

        Returns:
            A split of M samples in the order of the indices.
        """
        labels = None if self.labels is None else self.labels[indices]
        factors = None if self.factors is None else self.factors[indices]
        keys = None if self.keys is None else self.keys.select(indices)
        return Split(rows_of(self.x, indices), labels, factors, keys)


@dataclass(frozen=True, eq=False)
class DataSet:
    """What a source of samples returns.

    Attributes:
        train: Samples to train on and to draw the validation split from.
        test: Samples to judge on, the same ones at every reading.
        class_names: The name of each class; None where the samples are unlabelled.
        factors: Names and sizes of the factors that both splits know; None where none is known.
        num_skipped: How many files were left out because they cannot be read.
        val: Samples to validate on, where the source has a split of its own for that; else some of `train` are held
            out.
        notes: How the source was understood, and what was left out, beyond what the other attributes tell: a few words
            each, which a run says as it begins.
        settled: Settings below `data` that were left open, as the source chose them; a checkpoint keeps them.
        feature_names: What each value of a vector is called; None where they have no names.

    Raises:
        DataError: If the splits differ in shape or type, or labels and class names, or factors, do not fit together.
    """

    train: Split
    test: Split
    class_names: tuple[str, ...] | None = None
    factors: Factors | None = None
    num_skipped: int = 0
    val: Split | None = None
    notes: tuple[str, ...] = ()
    settled: Mapping[str, str] = field(default_factory=dict)
    feature_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse splits that do not belong together."""
        own_val = {} if self.val is None else {"the validation split": self.val}
        for what, split in {"the train split": self.train, **own_val, "the test split": self.test}.items():
            if split.shape != self.train.shape:
                theirs = f"{kind_of(self.train.shape)}s of shape {self.train.shape}"
                raise DataError(f"the train split has {theirs}, {what} of {split.shape}")
            if split.x.dtype != self.train.x.dtype:
                raise DataError(f"the train split is {self.train.x.dtype}, {what} {split.x.dtype}")
            require_named_labels(split, self.class_names, what)
            _require_factors(split, self.factors, what)
        if self.feature_names is not None and (len(self.feature_names),) != self.train.shape:
            raise DataError(f"there are {len(self.feature_names)} names for samples of shape {self.train.shape}")

    def with_keys(self) -> DataSet:
        """Call samples that their source calls nothing after their positions in its splits, as `train[17]`."""
        val = None if self.val is None else _with_keys(self.val, "val")
        return replace(self, train=_with_keys(self.train, "train"), val=val, test=_with_keys(self.test, "test"))


def _with_keys(split: Split, name: str) -> Split:
    return split if split.keys is not None else replace(split, keys=keys_of_array(name, len(split)))


def require_named_labels(split: Split, class_names: tuple[str, ...] | None, what: str) -> None:
    """Refuse labels and class names that do not fit together.

    Args:
        split: The samples with their labels.
        class_names: The name of each class; None where the samples are unlabelled.
        what: Begins the message.

    Raises:
        DataError: If there is one without the other, or a label without a name.
    """
    if (split.labels is None) != (class_names is None):
        raise DataError(f"{what} needs labels and class names, or neither of them")
    if split.labels is not None and int(split.labels.max()) >= len(class_names or ()):
        raise DataError(f"{what} has label {int(split.labels.max())}, which names no class")


def _require_factors(split: Split, factors: Factors | None, what: str) -> None:
    if (split.factors is None) != (factors is None):
        raise DataError(f"{what} needs factors and their names and sizes, or neither of them")
    if split.factors is None or factors is None:
        return
    if not split.factors.shape[1] == len(factors.names) == len(factors.sizes):
        given = f"{len(factors.names)} names and {len(factors.sizes)} sizes"
        raise DataError(f"{what} has {split.factors.shape[1]} factors, but there are {given}")
    for name, size, largest in zip(factors.names, factors.sizes, split.factors.amax(dim=0).tolist(), strict=True):
        if largest >= size:
            raise DataError(f"{what} has value {largest} of the factor {name!r}, which has {size}")


def _check_labels(labels: Tensor, num_samples: int) -> None:
    if labels.dtype != torch.int64 or labels.ndim != 1:
        given = f"{labels.dtype} of shape {tuple(labels.shape)}"
        raise DataError(f"labels must be int64 of shape (N,), not {given}")
    if len(labels) != num_samples:
        raise DataError(f"there are {len(labels)} labels for {num_samples} samples")
    if int(labels.min()) < MISSING_LABEL:
        raise DataError(f"labels start at 0, and −1 is a missing one, but there is {int(labels.min())}")


def _check_factors(factors: Tensor, num_samples: int) -> None:
    if factors.dtype != torch.int64 or factors.ndim != 2 or factors.numel() == 0:
        given = f"{factors.dtype} of shape {tuple(factors.shape)}"
        raise DataError(f"factors must be int64 of shape (N, F), not {given}")
    if len(factors) != num_samples:
        raise DataError(f"there are factors of {len(factors)} for {num_samples} samples")
    if int(factors.min()) < 0:
        raise DataError(f"values of factors start at 0, but there is {int(factors.min())}")
