"""From a split in memory to batches, each one index operation, on any number of ranks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from ae_lightning.data.batch import Batch
from ae_lightning.data.sampling import BatchSampler, EpochSampler
from ae_lightning.data.splits import Split, rows_of
from ae_lightning.errors import CheckpointError


class ResumableLoader(ABC):
    """A data loader as Lightning's Trainer takes it, whose state says how far into which epoch it is.

    A run can so go on in the middle of an epoch.

    Args:
        sampler: Deals out the samples. Lightning sets the epoch on this attribute.
    """

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler
        # Lightning asks every loader that has a sampler for this too
        self.batch_sampler = None
        self._num_handed_out = 0
        self._resume_from: dict[str, int] | None = None

    @abstractmethod
    def _batches(self, first: int) -> Iterator[Batch]:
        """Yield the batches of the sampler's epoch from one on."""

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return len(self.sampler)

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches of the sampler's epoch, from where a restored state left off.

        Which epoch it is is looked up with the first batch: Lightning makes the iterator before it sets the
        epoch.

        Yields:
            Batches of samples as they are stored. Without shuffling they are views of the split, not copies.

        Raises:
            CheckpointError: If a state restored within this epoch counted batches of another size or order.
        """
        self._num_handed_out = self._take_resume_position()
        for batch in self._batches(self._num_handed_out):
            self._num_handed_out += 1
            yield batch

    @property
    def _seed(self) -> int:
        return self.sampler.sampling.seed

    def require_goes_on(self) -> None:
        """Refuse to go on within the epoch of a restored state with other batches; a whole epoch may have others.

        Where as many batches were handed out as the epoch has now, nobody would ask for the next.

        Raises:
            CheckpointError: If the state counted batches of another size or order.
        """
        state = self._resume_from
        if state is None:
            return
        if state["global_batch_size"] != self.sampler.global_batch_size:
            was, now = state["global_batch_size"], self.sampler.global_batch_size
            message = f"within an epoch of global batches of {was} samples, which cannot go on with {now}"
            raise CheckpointError(f"the checkpoint was taken {message}; set data.batch_size to fit")
        if state.get("seed", self._seed) != self._seed:
            message = f"within an epoch in the order of seed {state['seed']}, which cannot go on with {self._seed}"
            raise CheckpointError(f"the checkpoint was taken {message}; set seed_everything to fit")

    def _take_resume_position(self) -> int:
        state = self._resume_from
        # a checkpoint from the end of an epoch is resumed in the next one, which starts at its beginning
        if state is None or state["epoch"] != self.sampler.epoch:
            self._resume_from = None
            return 0
        self.require_goes_on()
        self._resume_from = None
        return state["num_batches"]

    def state_dict(self) -> dict[str, Any]:
        """Say how far the loader is; the same on every rank.

        Returns:
            The epoch, how many of its batches were handed out, the size of a global batch, and the order's seed.
        """
        return {
            "epoch": self.sampler.epoch,
            "num_batches": self._num_handed_out,
            "global_batch_size": self.sampler.global_batch_size,
            "seed": self._seed,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state: the next iteration over its epoch starts after the batches handed out.

        Args:
            state_dict: What :meth:`state_dict` returned.
        """
        self._resume_from = dict(state_dict)
        self.sampler.set_epoch(state_dict["epoch"])


class BatchLoader(ResumableLoader):
    """Batches of a split that lies in memory.

    It has no worker processes: one index operation a batch costs less than handing a batch over.

    Args:
        split: The samples and labels.
        sampler: Deals out the positions.
        device: Where the samples are kept and the batches come from; None leaves them where they are.
        with_labels: Whether batches bring labels; all missing where the split has none.
    """

    sampler: BatchSampler

    def __init__(
        self,
        split: Split,
        sampler: BatchSampler,
        device: torch.device | None = None,
        *,
        with_labels: bool = False,
    ) -> None:
        super().__init__(sampler)
        self._x = split.x if device is None else split.x.to(device)
        self._labels = split.labels_or_missing().to(self._x.device) if with_labels else None

    def _batches(self, first: int) -> Iterator[Batch]:
        for indices, offset, global_size in islice(self.sampler, first, None):
            yield self._batch(indices, offset, global_size)

    def _batch(self, indices: Tensor, offset: int, global_size: int) -> Batch:
        if self.sampler.shuffle:
            indices = indices.to(self._x.device)
            labels = None if self._labels is None else self._labels[indices]
            return Batch(rows_of(self._x, indices), labels, indices, offset, global_size)
        # without shuffling the positions are the host's, and need not be sent anywhere
        start, size = int(indices[0]), len(indices)
        places = torch.arange(start, start + size, device=self._x.device)
        labels = None if self._labels is None else self._labels.narrow(0, start, size)
        return Batch(self._x.narrow(0, start, size), labels, places, offset, global_size)
