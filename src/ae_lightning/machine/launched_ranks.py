"""Ranks as Lightning launches them: which are refused, and what a single one is not to leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed
from lightning.pytorch import Trainer
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher

from ae_lightning.errors import ConfigError
from ae_lightning.machine.distributed import has_peers
from ae_lightning.machine.environment import put_back, variables

_RENDEZVOUS = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")
"""Variables by which Lightning tells its ranks where they meet, and which of them each is."""


def require_ranks_that_stay(trainer: Trainer) -> None:
    """Refuse ranks that are all other processes than this one, and end with the training.

    Nothing would be left here to judge, to record or to report. In a notebook or at a prompt Lightning has no others.

    Raises:
        ConfigError: If the strategy spawns or forks them.
    """
    if not isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        return
    if not trainer.strategy.launcher.is_interactive_compatible:
        raise ConfigError("trainer.strategy: spawned ranks are not allowed; ddp starts the program once for each")
    raise ConfigError(
        "trainer.strategy: forked ranks are not allowed; ddp starts the program once for each, and a notebook trains "
        "with --trainer.devices 1"
    )


@contextmanager
def lone_rank_forgotten() -> Iterator[None]:
    """Let what one rank does by itself, as under `ddp` on one device, leave no process group and no variables of one.

    Lightning keeps them until the process ends. A program that this process starts next would inherit a port that is
    listened on already, and a rank that it has not. Several ranks keep theirs: a script's next training goes on with
    them.
    """
    had_group, before = has_peers(), variables(_RENDEZVOUS)
    try:
        yield
    finally:
        if not has_peers() or torch.distributed.get_world_size() == 1:
            if has_peers() and not had_group:
                torch.distributed.destroy_process_group()
            put_back(before)
