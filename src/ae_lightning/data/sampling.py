"""Samplers: an order of the samples for each epoch, in batches and ranks' shares of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ae_lightning.checks import require_at_least
from ae_lightning.errors import ConfigError


class RankShare(NamedTuple):
    """What one rank takes of one global batch.

    Attributes:
        start: Place of its first sample in the order of the epoch.
        num_samples: How many samples it takes.
        offset: Place of its first sample within the global batch.
        global_size: How many samples the global batch has, over all ranks.
    """

    start: int
    num_samples: int
    offset: int
    global_size: int


class Sampling(NamedTuple):
    """How a split is dealt out; `EpochSampler` explains.

    Attributes:
        batch_size: Images per batch and rank.
        shuffle: Whether to draw an order, for each epoch anew unless `fixed`; the split's own otherwise.
        seed: Fixes the orders, together with the epoch.
        rank: This process, 0 to ``world_size`` − 1.
        world_size: How many processes share the samples.
        fixed: Whether the order of the first epoch is that of every epoch.
    """

    batch_size: int
    shuffle: bool
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    fixed: bool = False


class EpochSampler:
    """Deals the samples of a split out to batches and ranks.

    The global batch t is the next ``batch_size * world_size`` samples of an order that is a function of
    seed and epoch alone; each rank takes a contiguous run of it. So the ranks together see, step for step,
    what one process with ``batch_size * world_size`` sees. The last partial batch is kept, in runs as even
    as can be.

    Two remainders are joined to the batch before them, so that nothing is dropped or repeated. One with fewer
    samples than ranks: every rank needs a sample in every step, or a collective operation would wait forever
    (one process, which has no such need, takes that remainder as a batch of its own). And, when shuffling, as
    training does, one with fewer than two samples a rank: batch norm refuses to take the variance of one.

    Args:
        num_samples: How many samples the split has.
        sampling: Batch size, order and share.

    Raises:
        ConfigError: If the batch size is below 1 or there are fewer samples than ranks.
    """

    def __init__(self, num_samples: int, sampling: Sampling) -> None:
        require_at_least("data.batch_size", sampling.batch_size)
        if num_samples < sampling.world_size:
            raise ConfigError(f"a split of {num_samples} samples cannot be shared by {sampling.world_size} ranks")
        self.num_samples = num_samples
        self.sampling = sampling
        self.global_batch_size = sampling.batch_size * sampling.world_size
        self.epoch = 0

    @property
    def shuffle(self) -> bool:
        """Whether the order is another than the split's own."""
        return self.sampling.shuffle

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order the next iteration follows; Lightning calls this.

        Args:
            epoch: Counted from 0.
        """
        if not self.sampling.fixed:
            self.epoch = epoch

    def __len__(self) -> int:
        """Count the batches of an epoch, the same on every rank."""
        num_full, remainder = divmod(self.num_samples, self.global_batch_size)
        smallest = self.sampling.world_size * (2 if self.shuffle else 1)
        # with no batch before it, even a single sample has to stand alone
        return num_full + (remainder >= smallest or (num_full == 0 and remainder > 0))

    def shares(self, first: int = 0) -> Iterator[RankShare]:
        """Yield what this rank takes of each batch.

        Args:
            first: The batch to begin with.
        """
        num_batches = len(self)
        rank, world_size = self.sampling.rank, self.sampling.world_size
        for position in range(first, num_batches):
            start = position * self.global_batch_size
            stop = self.num_samples if position == num_batches - 1 else start + self.global_batch_size
            num_each, num_extra = divmod(stop - start, world_size)
            offset = rank * num_each + min(rank, num_extra)
            yield RankShare(start + offset, num_each + (rank < num_extra), offset, stop - start)

    def generator(self, *part: int) -> torch.Generator:
        """Return the generator of the epoch's order, or of a part of it.

        Args:
            part: Numbers that tell this part from others.
        """
        # a sum of seed and epoch would give neighbouring seeds the same orders, one epoch apart
        mixed = np.random.SeedSequence([self.sampling.seed, self.epoch, *part]).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(mixed[0]))


class BatchSampler(EpochSampler):
    """Deals the positions of a split out to batches and ranks.

    Args:
        num_samples: How many samples the split has.
        sampling: Batch size, order and share.
        device: Where the positions of a shuffled order lie; by default in the host's memory. They are sent there once
            an epoch.

    Raises:
        ConfigError: If the batch size is below 1 or there are fewer samples than ranks.
    """

    def __init__(self, num_samples: int, sampling: Sampling, device: torch.device | None = None) -> None:
        super().__init__(num_samples, sampling)
        self.device = device

    def __iter__(self) -> Iterator[tuple[Tensor, int, int]]:
        """Yield this rank's (indices, offset, global size), batch by batch.

        Yields:
            Positions in the split, int64, shape (B,); where they begin within the global batch; and how many
            samples that has.
        """
        order = self._order()
        for share in self.shares():
            yield order[share.start : share.start + share.num_samples], share.offset, share.global_size

    def _order(self) -> Tensor:
        if not self.shuffle:
            return torch.arange(self.num_samples)
        # drawn by the host, whatever the device: the order is the same everywhere
        return torch.randperm(self.num_samples, generator=self.generator()).to(self.device)
