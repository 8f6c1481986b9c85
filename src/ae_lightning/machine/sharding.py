"""Parameters that are divided among processes, and whole for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ae_lightning.machine.distributed import has_peers


@contextmanager
def whole_parameters(module: nn.Module | None) -> Iterator[None]:
    """Give a module that FSDP has wrapped all its parameters, for as long as its parts are called past the wrapper.

    FSDP puts parameters together for the wrapper's own forward alone; an encoder that is called by itself would find
    a shard of them. Every rank must enter and leave at the same time. Nothing changes for any other module.

    Args:
        module: As the strategy has wrapped it.
    """
    if not has_peers():
        yield
        return
    # Imported where it may be needed: it takes as long as a good part of the program's start.
    from torch.distributed.fsdp import FullyShardedDataParallel

    if not isinstance(module, FullyShardedDataParallel):
        yield
        return
    with FullyShardedDataParallel.summon_full_params(module, writeback=False):
        yield
