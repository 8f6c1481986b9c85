"""A fitted sampler as a safetensors file beside the checkpoint whose codes it was fitted to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from ae_lightning.checkpoints.checked_safetensors import digest_of, packed, unpacked
from ae_lightning.errors import CheckpointError, ConfigError, first_line
from ae_lightning.hyperparameters import plain_value
from ae_lightning.parts import import_part
from ae_lightning.samplers.base import Sampler
from ae_lightning.whole_files import replacing

_SETTINGS, _WEIGHTS = "ae_lightning.sampler", "weights"
"""Metadata: class and arguments, as JSON; in it, the SHA-256 of the weights."""


def sampler_path(checkpoint: Path) -> Path:
    """Return where the sampler of a checkpoint is kept: `best.sampler.safetensors` beside `best.ckpt`."""
    return checkpoint.with_suffix(".sampler.safetensors")


def write_sampler(sampler: Sampler, checkpoint: Path, weights: Mapping[str, Tensor]) -> None:
    """Keep a fitted sampler beside a checkpoint, in place of one that was there.

    Args:
        sampler: It.
        checkpoint: To whose codes it was fitted.
        weights: Of that checkpoint.

    Raises:
        OSError: If the disk does not take it.
    """
    arrays = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in (sampler.state or {}).items()}
    settings = json.dumps({**plain_value("sampler", sampler), _WEIGHTS: digest_of("", weights)})
    content = packed(_SETTINGS, settings, arrays)
    with replacing(sampler_path(checkpoint)) as temporary:
        temporary.write_bytes(content)


def read_sampler(checkpoint: Path, weights: Mapping[str, Tensor]) -> Sampler | None:
    """Read the sampler that is kept beside a checkpoint.

    Args:
        checkpoint: It, or the weights exported from it.
        weights: What it holds.

    Returns:
        The sampler, ready to draw; None where none is kept. One that was fitted to other weights, as when a training
        has gone on since, is left where it is with a warning.

    Raises:
        CheckpointError: If the file is damaged or another program's, or its class cannot be used.
    """
    path = sampler_path(checkpoint)
    if not path.is_file():
        return None
    text, arrays = unpacked(path, _SETTINGS, "sampler", "holds no sampler")
    settings: dict[str, Any] = json.loads(text)
    if settings[_WEIGHTS] != digest_of("", weights):
        rank_zero_warn(f"sampler {path}: fitted to the codes of other weights than those of {checkpoint}, and not used")
        return None
    try:
        sampler = import_part(f"sampler {path}", settings["class_path"], Sampler)(  # type: ignore[type-abstract]
            **settings["init_args"]
        )
    except (ConfigError, TypeError) as error:
        raise CheckpointError(f"sampler {path}: cannot be made again ({first_line(error)})") from error
    sampler.state = {name: array.numpy() for name, array in arrays.items()}
    return sampler
