"""An autoencoder as a safetensors file: weights with no pickle at all, what rebuilds it in the file's metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ae_lightning import __version__
from ae_lightning.checkpoints.checked_safetensors import packed, unpacked
from ae_lightning.errors import CheckpointError, first_line
from ae_lightning.versions import STATE_KEY
from ae_lightning.whole_files import replacing

_CONTENTS = "ae_lightning"
"""Metadata: all of the checkpoint that is no tensor, as JSON."""

_LEFT_OUT = frozenset(
    {
        *("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "loops", "training_progress", STATE_KEY),
        # Of Lightning's WeightAveraging, which has put the average into the state_dict.
        *("current_model_state", "averaging_state"),
    }
)
"""What only training goes on with, and the run's own configuration, which may name servers and passwords."""


def write_weights(state: dict[str, Any], path: Path) -> None:
    """Write the weights of a checkpoint, with the settings that rebuild the autoencoder.

    Args:
        state: A checkpoint as `load_state` reads it.
        path: The file, which must not exist yet.

    Raises:
        CheckpointError: If the checkpoint holds what the file cannot.
        OSError: If the disk does not take it, or the file exists.
    """
    # A copy each: safetensors takes neither shared memory nor other memory orders.
    weights = {name: tensor.contiguous().clone() for name, tensor in state["state_dict"].items()}
    try:
        kept = {key: value for key, value in state.items() if key not in _LEFT_OUT}
        contents = json.dumps({**kept, STATE_KEY: {"version": __version__}})
    except TypeError as error:
        raise CheckpointError(f"the checkpoint holds what no settings are: {error}") from error
    content = packed(_CONTENTS, contents, weights)
    with replacing(path, overwrites=False) as temporary:
        temporary.write_bytes(content)


def read_weights(path: Path) -> dict[str, Any]:
    """Read what `write_weights` wrote, in the shape of a checkpoint.

    Raises:
        CheckpointError: If the file is damaged, or is another program's.
    """
    text, weights = unpacked(path, _CONTENTS, "checkpoint", "holds no autoencoder; it was not written by `export`")
    try:
        contents = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"checkpoint {path}: its settings are no JSON ({first_line(error)})") from error
    if not isinstance(contents, dict):
        raise CheckpointError(f"checkpoint {path}: its settings are no mapping")
    return {**contents, "state_dict": weights}
