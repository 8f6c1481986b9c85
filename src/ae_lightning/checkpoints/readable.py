"""What a checkpoint is to hold, as values that can be read again with nothing unpickled: known before it is written."""

from __future__ import annotations

import io
import pickle
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ae_lightning.errors import CheckpointError
from ae_lightning.hyperparameters import plain_scalars
from ae_lightning.versions import STATE_KEY

SETTINGS = {"hyper_parameters": "model", "datamodule_hyper_parameters": "data", STATE_KEY: STATE_KEY}
"""Parts of a checkpoint that hold settings, and the keys that these have in a configuration."""

WEIGHTS = "state_dict"
CALLBACKS, SCHEDULES = "callbacks", "lr_schedulers"

_PLAIN = (type(None), bool, int, float, str)
_CONTAINERS = (dict, OrderedDict, Counter, list, tuple, set)


def readable(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Return a checkpoint with the scalars of NumPy as plain numbers.

    Args:
        checkpoint: What the Trainer is about to write; stays as it is.

    Raises:
        CheckpointError: If it holds what reading it would refuse; it names the key.
    """
    found = {name: value if name == WEIGHTS else plain_scalars(value) for name, value in checkpoint.items()}
    if SCHEDULES in found:
        found[SCHEDULES] = [_without_annealing(schedule) for schedule in found[SCHEDULES]]
    if CALLBACKS in found:
        found[CALLBACKS] = {
            name: {key: _without_annealing(part) for key, part in state.items()} if isinstance(state, dict) else state
            for name, state in found[CALLBACKS].items()
        }
    for name, value in found.items():
        is_setting = name in SETTINGS
        strange = _strange(value, SETTINGS.get(name, name), is_setting=is_setting)
        if strange is not None:
            key, kind = strange
            allowed = "settings are plain values" if is_setting else "checkpoints hold plain values and tensors"
            raise CheckpointError(f"{key}: a value of type {kind} cannot be kept in a checkpoint; {allowed}")
    return found


def _without_annealing(state: Any) -> Any:
    """Leave out a function that SWALR of torch 2.8 counts to its state: newer ones do not, and making it sets it."""
    if not isinstance(state, dict):
        return state
    return {key: value for key, value in state.items() if key != "anneal_func" or not callable(value)}


def _strange(value: Any, key: str, *, is_setting: bool) -> tuple[str, str] | None:
    """Return key and type of the first value within a value that could not be read again; None for no such value."""
    kind = type(value)
    if kind in _PLAIN or (kind in (Tensor, torch.nn.Parameter) and not is_setting):
        return None
    if kind not in ((dict, list, tuple) if is_setting else _CONTAINERS):
        return None if not is_setting and _is_read_again(value) else (key, f"{kind.__module__}.{kind.__qualname__}")
    parts = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, inner in parts:
        strange = _strange(name, key, is_setting=is_setting) or _strange(inner, f"{key}.{name}", is_setting=is_setting)
        if strange is not None:
            return strange
    return None


def _is_read_again(value: Any) -> bool:
    """Whether a value can be written and read again: tried, as torch alone knows what it allows."""
    memory = io.BytesIO()
    try:
        torch.save(value, memory)
        memory.seek(0)
        torch.load(memory, weights_only=True)
    except (pickle.PickleError, AttributeError, TypeError, RuntimeError):
        return False
    return True
