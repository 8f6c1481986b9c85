"""Which of PyTorch's optimizers can step the weights that they are given."""

from __future__ import annotations

from torch.optim import LBFGS, Optimizer, SparseAdam

from ae_lightning.errors import ConfigError


def require_usable(key: str, optimizer: Optimizer, *, has_closure: bool) -> None:
    """Refuse an optimizer whose steps would fail.

    Args:
        key: The model's argument that gave it, for the error.
        optimizer: Any optimizer.
        has_closure: Whether its steps are given what computes the loss anew.

    Raises:
        ConfigError: If it wants sparse gradients, a closure that there is not, or weights that lie in one row, which
            those of convolutions in `channels_last` do not.
    """
    if isinstance(optimizer, SparseAdam):
        raise ConfigError(f"{key}: 'SparseAdam' is not allowed; it takes sparse gradients alone, and these are dense")
    if isinstance(optimizer, LBFGS) and not (has_closure and _is_contiguous(optimizer)):
        reason = "it takes one loss for all weights, and none that lie in channels_last"
        raise ConfigError(f"{key}: 'LBFGS' is not allowed; {reason}")


def _is_contiguous(optimizer: Optimizer) -> bool:
    return all(parameter.is_contiguous() for group in optimizer.param_groups for parameter in group["params"])
