"""What the settings of a parsed configuration mean, before anything is built from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jsonargparse import Namespace

from ae_lightning.command_line.store_option import tracker_in
from ae_lightning.errors import ConfigError

COMPILES_BY_DEFAULT = False
"""Whether networks are compiled where a configuration does not say."""


def is_distributed(settings: Mapping[str, Any]) -> bool:
    """Whether the Trainer's settings ask for more than one process."""
    devices = settings["devices"]
    if settings["num_nodes"] > 1 or isinstance(devices, list):
        return settings["num_nodes"] > 1 or len(devices) > 1
    if devices in ("auto", -1, "-1"):
        return torch.cuda.device_count() > 1 and settings["accelerator"] in ("auto", "gpu", "cuda")
    named = str(devices).split(",")
    if len(named) > 1:  # "0,1" names two devices, "3," the one numbered 3
        return sum(bool(name.strip()) for name in named) > 1
    return named[0].isdigit() and int(named[0]) > 1


def tracker_of(settings: Namespace) -> Namespace:
    """Return what a configuration says of the logger that tracks in MLflow, which can be changed.

    Raises:
        ConfigError: If it has none.
    """
    tracker: Namespace | None = tracker_in(settings.trainer.logger)
    if tracker is None:
        raise ConfigError("--resume: trainer.logger is no MLflowTracker, so there is no run to go on with")
    arguments: Namespace = tracker.init_args
    return arguments


MAX_SEED = 2**32 - 1
"""NumPy takes none above."""


def require_seed(seed: bool | int) -> int:
    """Return the seed, which must be a number: every random draw is a function of it.

    Raises:
        ConfigError: If it is not.
    """
    if isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
        raise ConfigError(f"seed_everything: {seed} is not allowed; it must be a number from 0 to {MAX_SEED}")
    return seed
