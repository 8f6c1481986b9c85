"""What a source of samples holds once it is opened, in memory or on disk."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.data.holding_out import TrainValDivision
from ae_lightning.data.loader import BatchLoader, ResumableLoader
from ae_lightning.data.sampling import BatchSampler, Sampling
from ae_lightning.data.scaling import BOUNDED, Scaling, require_scalable, tell_of_narrow_range
from ae_lightning.data.splits import DataSet, Split, SplitName, rows_of
from ae_lightning.spec import Factors

NUM_FINGERPRINTED = 256
"""Samples, spread over a split, that tell it from others."""


class Origins(NamedTuple):
    """Where samples come from.

    Attributes:
        keys: What each is called at its source.
        labels: int64, −1 where missing, shape (N,); None where unlabelled.
    """

    keys: Sequence[str]
    labels: NDArray[np.int64] | None


class OpenedData(ABC):
    """The splits of a data set.

    Attributes:
        class_names: None where the samples are unlabelled.
        factors: Names and sizes of the known factors; None where none is known.
        novel_class: Number of the class left out of training, if one is.
        num_skipped: Files left out because they cannot be read.
        num_samples: Of each split that there is, by name.
        notes: How the source was understood, and what was left out.
        settled: Settings that were left open, as the source chose them.
        feature_names: What each value of a vector is called; None where they have no names.
    """

    class_names: tuple[str, ...] | None
    factors: Factors | None = None
    novel_class: int | None
    num_skipped: int
    num_samples: Mapping[SplitName, int]
    notes: tuple[str, ...]
    settled: Mapping[str, str] = {}
    feature_names: tuple[str, ...] | None = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Of the samples."""

    @abstractmethod
    def extremes(self, name: SplitName) -> tuple[float, float]:
        """Return the smallest and the largest value of a split."""

    @abstractmethod
    def split(self, name: SplitName) -> Split:
        """Return a split in memory, or of what is larger a fixed sample."""

    def origins(self, name: SplitName, positions: NDArray[np.int64]) -> Origins:
        """Say where samples of a split come from."""
        split = self.split(name)
        keys = () if split.keys is None else list(split.keys.select(torch.from_numpy(positions)))
        return Origins(keys, None if split.labels is None else split.labels.numpy()[positions])

    def check_range(self, scaling: Scaling, dataset_name: str) -> None:
        """Refuse values that a rule does not scale, and warn of images that would be nearly black.

        Args:
            scaling: The rule, not `auto`.
            dataset_name: Of the data set.

        Raises:
            ConfigError: If floating-point values lie outside of what the rule takes.
        """
        if scaling in BOUNDED and self.dtype == torch.float32:
            for name in self.num_samples:
                require_scalable(scaling, *self.extremes(name), f"the {name} split of {dataset_name}")
        if scaling == "unit" and self.dtype == torch.uint16 and len(self.shape) == 3:
            tell_of_narrow_range(int(self.extremes("train")[1]), f"the train split of {dataset_name}")

    def fingerprint(self, name: SplitName) -> str:
        """Return what tells a split from another of the same data and from other data: of its size and some samples."""
        return fingerprint_of(self._some_samples(name), self.num_samples[name])

    def _some_samples(self, name: SplitName) -> Tensor:
        return some_of(self.split(name).x)

    def loader(
        self,
        name: SplitName,
        sampling: Sampling,
        kept_on: Callable[[Split], torch.device | None],
        *,
        with_labels: bool = False,
    ) -> ResumableLoader:
        """Return batches of a whole split.

        Args:
            name: Of the split.
            sampling: How it is dealt out.
            kept_on: Where the samples of a split in memory are kept; None leaves them where they are.
            with_labels: Whether batches bring labels.

        Raises:
            ConfigError: If there are fewer samples than ranks.
        """
        split = self.split(name)
        device = kept_on(split)
        return BatchLoader(split, BatchSampler(len(split), sampling, device), device, with_labels=with_labels)


class LoadedData(OpenedData):
    """A data set in memory.

    Args:
        data: As its source has it.
        division: Which of its samples are trained on, and which validated on.
    """

    def __init__(self, data: DataSet, division: TrainValDivision) -> None:
        self._splits = splits = _divided(data, division)
        self.class_names = data.class_names
        self.factors = data.factors
        self.novel_class = division.novel_class
        self.num_skipped = data.num_skipped
        self.notes, self.settled = data.notes, data.settled
        self.feature_names = data.feature_names
        self.num_samples = {name: len(split) for name, split in splits.items()}

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self._splits["train"].shape

    @property
    def dtype(self) -> torch.dtype:
        """Of the samples."""
        return self._splits["train"].x.dtype

    def extremes(self, name: SplitName) -> tuple[float, float]:
        """Return the smallest and the largest value of a split."""
        x = self._splits[name].x.numpy()
        return float(x.min()), float(x.max())

    def split(self, name: SplitName) -> Split:
        """Return a split."""
        return self._splits[name]


def _divided(data: DataSet, division: TrainValDivision) -> dict[SplitName, Split]:
    is_whole = len(division.train) == len(data.train)
    train = data.train if is_whole else data.train.select(division.train)
    val_from = data.train if data.val is None else data.val
    val: dict[SplitName, Split] = {"val": val_from.select(division.val)} if len(division.val) else {}
    return {"train": train, **val, "test": data.test}


def some_of(x: Tensor) -> Tensor:
    """Return some samples of a split, evenly spread, by which it is known again."""
    return rows_of(x, torch.linspace(0, len(x) - 1, min(len(x), NUM_FINGERPRINTED)).long())


def fingerprint_of(some: Tensor, num_samples: int) -> str:
    """Return what tells a split from others: of its size and some of its samples."""
    digest = hashlib.sha256(f"{num_samples} {some.dtype} {tuple(some.shape)}".encode())
    digest.update(some.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
