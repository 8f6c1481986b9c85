"""The samples of a loader of others, each once and by position, whatever its sampler draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def in_order(loader: Iterable[Any]) -> Iterable[Any]:
    """Return a loader of the samples that another may give, by position; itself where they have no positions."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
        return loader
    batches: Any = loader.batch_sampler
    if batches is None:
        # What lies at a position is a batch.
        size, positions = None, _positions(loader.sampler)
    elif hasattr(batches, "sampler"):
        size, positions = loader.batch_size or batches.batch_size, _positions(batches.sampler)
    else:
        size, positions = 1, _positions(chain.from_iterable(batches))
    return DataLoader(
        loader.dataset,
        size,
        sampler=positions,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        generator=torch.Generator().manual_seed(0),
    )


def _positions(sampler: Any) -> Sequence[Any]:
    """Return what a sampler may draw, ascending."""
    if isinstance(sampler, BatchSampler):
        places, size = _positions(sampler.sampler), sampler.batch_size
        return [places[start : start + size] for start in range(0, len(places), size)]
    if isinstance(sampler, SequentialSampler | RandomSampler | DistributedSampler):
        drawn_from: Any = sampler.dataset if isinstance(sampler, DistributedSampler) else sampler.data_source
        return range(len(drawn_from))
    if isinstance(sampler, SubsetRandomSampler):
        return sorted(set(sampler.indices))
    if isinstance(sampler, WeightedRandomSampler):
        weighed: list[int] = sampler.weights.nonzero().flatten().tolist()
        return weighed
    return _drawn(sampler)


def _drawn(sampler: Iterable[Any]) -> Sequence[Any]:
    """Return what one epoch of any sampler draws: the same in every process, and not of the numbers of a training."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        drawn = list(sampler)
    try:
        return sorted(set(drawn))
    except TypeError:
        return drawn
