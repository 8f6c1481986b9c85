"""What ranks compute together, and parameters that are divided among them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch.distributed
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

T = TypeVar("T")


def has_peers() -> bool:
    """Whether this process is one of several that compute together."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def gather_objects(own: T) -> list[T]:
    """Return what each rank gives, in their order; every rank must ask at the same time."""
    if not has_peers():
        return [own]
    gathered: list[T] = [own] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(gathered, own)
    return gathered


def sum_over_ranks(values: Tensor) -> Tensor:
    """Return the sum of a tensor over all ranks, with a gradient; the tensor itself where there is one rank.

    The gradient is summed over the ranks too. Data-parallel training divides it by their number, which leaves what one
    process computes on the global batch.
    """
    if not has_peers():
        return values
    reduced: Tensor = all_reduce(values)  # type: ignore[no-untyped-call]
    return reduced


def mean_over_batch(values_BN: Tensor) -> Tensor:
    """Return the mean over the images of the global batch, shape (N,), with a gradient; shares may be unequal."""
    count = values_BN.new_full((1,), len(values_BN))
    sums_and_count = sum_over_ranks(torch.cat([values_BN.sum(dim=0), count]))
    return sums_and_count[:-1] / sums_and_count[-1]


@torch.no_grad()
def copy_from_first_rank(module: nn.Module) -> None:
    """Give a module on every rank the first one's parameters and buffers; every rank must ask at the same time."""
    if not has_peers():
        return
    for tensor in (*module.parameters(), *module.buffers()):
        # What is sent has to lie in one row, which weights in `channels_last` do not.
        sent = tensor.detach().contiguous()
        torch.distributed.broadcast(sent, src=0)
        tensor.copy_(sent)


@contextmanager
def whole_parameters(module: nn.Module | None, *, keeps_changes: bool = False) -> Iterator[None]:
    """Give a module that FSDP has wrapped all its parameters, for as long as its parts are called past the wrapper.

    FSDP puts parameters together for the wrapper's own forward alone; an encoder that is called by itself would find
    a shard of them. Every rank must enter and leave at the same time. Nothing changes for any other module.

    Args:
        module: As the strategy has wrapped it.
        keeps_changes: Whether what is written to the parameters meanwhile, the same on every rank, stays.
    """
    if not has_peers():
        yield
        return
    # Imported where it may be needed: it takes as long as a good part of the program's start.
    from torch.distributed.fsdp import FullyShardedDataParallel

    if not isinstance(module, FullyShardedDataParallel):
        yield
        return
    with FullyShardedDataParallel.summon_full_params(module, writeback=keeps_changes):
        yield
