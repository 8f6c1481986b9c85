"""What a checkpoint keeps of a training's progress, looked at before it is taken over: files may come from others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ae_lightning.errors import CheckpointError


def require_progress(kept: Any, num_phases: int, parameters: Mapping[str, Tensor]) -> None:
    """Require what a training can go on with.

    Args:
        kept: Phase, number of phases begun, what schedulers follow, and gradients that are being accumulated.
        num_phases: How many the model has.
        parameters: The model's, by name.

    Raises:
        CheckpointError: If something is not what a training of this model keeps.
    """
    if not isinstance(kept, Mapping):
        raise _refusal(f"it is {kept!r:.100}")
    for name, last in (("phase", num_phases - 1), ("num_begun", num_phases)):
        value = kept.get(name, 0)
        if type(value) is not int or not 0 <= value <= last:
            raise _refusal(f"{name} is {value!r:.100}, and the model has {num_phases}")
    for name, kind in (("monitored", Mapping), ("gradients", Mapping), ("outdated", list)):
        if name in kept and not isinstance(kept[name], kind):
            raise _refusal(f"{name} is {kept[name]!r:.100}")
    for name, value in kept.get("monitored", {}).items():
        is_number = value.numel() == 1 if isinstance(value, Tensor) else isinstance(value, int | float)
        if not is_number:
            raise _refusal(f"{name} is {value!r:.100}, which is no number")
    for name, value in kept.get("gradients", {}).items():
        # The first dimension is that of the ranks.
        if name not in parameters or not isinstance(value, Tensor) or value.shape[1:] != parameters[name].shape:
            raise _refusal(f"the gradient of {name!r} fits no parameter")


def _refusal(fault: str) -> CheckpointError:
    return CheckpointError(f"the checkpoint's training_progress is not that of this model ({fault})")
