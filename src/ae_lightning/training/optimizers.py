"""Optimizers: fused ones with what makes them right, and those that cannot be used.

A fused step walks a parameter, its gradient and its state as flat memory. Where one of them has another memory order
than the parameter (`channels_last` weights beside a restored or hand-made contiguous tensor), it silently updates the
wrong elements. `use_fused` therefore gives gradients and state their parameter's memory order before every step.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from lightning.pytorch.cli import OptimizerCallable
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer, SparseAdam

from ae_lightning.errors import ConfigError, refusal_explained

FUSED_DEVICES = ("cpu", "cuda", "mps", "xpu")


def configure_optimizer(
    key: str, build: OptimizerCallable, parameters: Iterable[nn.Parameter], *, has_closure: bool
) -> Optimizer:
    """Make an optimizer that uses its fused step where there is one.

    Args:
        key: The model's argument that gave `build`, for the error.
        build: Makes the optimizer from the parameters.
        parameters: What it steps.
        has_closure: Whether its steps are given what computes the loss anew.

    Raises:
        ConfigError: If it refuses its settings, or cannot step these weights.
    """
    with refusal_explained(key):
        optimizer = build(parameters)
    require_usable(key, optimizer, has_closure=has_closure)
    return use_fused(optimizer)


def rate_of(build: OptimizerCallable) -> float:
    """Return the learning rate that an optimizer begins with.

    Args:
        build: Makes the optimizer from parameters.

    Raises:
        AttributeError: If it has none.
    """
    rate = inspect.signature(build).parameters.get("lr")
    if rate is None or rate.default is rate.empty:
        raise AttributeError("the optimizer has no learning rate of its own")
    return float(rate.default)


def like_parameter(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return the tensor in the parameter's memory order: itself where it has it already."""
    if tensor.shape != parameter.shape or tensor.stride() == parameter.stride():
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, device=tensor.device).copy_(tensor)


def align_gradients(optimizer: Optimizer) -> None:
    """Give every gradient its parameter's memory order."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and parameter.grad.stride() != parameter.stride():
                parameter.grad = like_parameter(parameter.grad, parameter)


def align_step(
    optimizer: Optimizer, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Align the gradients before a step, or after the closure that computes them.

    Args:
        optimizer: Whose step it is.
        arguments: Those of its `step`, the optimizer first.
        keywords: Those of its `step`.

    Returns:
        New arguments where there is a closure, else None.
    """
    closure = keywords.get("closure", arguments[1] if len(arguments) > 1 else None)
    if closure is None:
        align_gradients(optimizer)
        return None

    def closure_then_align() -> Any:
        loss = closure()
        align_gradients(optimizer)
        return loss

    return (optimizer, closure_then_align), {}


def align_state(optimizer: Optimizer) -> None:
    """Give every tensor of the optimizer's state its parameter's memory order."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                state[name] = like_parameter(value, parameter)


def has_state_beside_parameters(optimizer: Optimizer) -> bool:
    """Whether all of the optimizer's state, which may be none yet, lies on the devices of its parameters."""
    return all(
        value.device == parameter.device
        for parameter, state in optimizer.state.items()
        for value in state.values()
        if isinstance(value, Tensor)
    )


def use_fused(optimizer: Optimizer) -> Optimizer:
    """Switch an optimizer to its fused step where it has one, all parameters allow it and the user did not choose.

    Adagrad makes its state as it is made itself, and counts steps on the processor unless it is fused from the start:
    where the parameters lie elsewhere, it keeps the step that it has.

    Args:
        optimizer: Any optimizer, before its first step.

    Returns:
        The same optimizer.
    """
    chosen = any(optimizer.defaults.get(name) is not None for name in ("fused", "foreach"))
    if not chosen and "fused" in optimizer.defaults and not optimizer.defaults.get("differentiable"):
        possible = all(
            parameter.device.type in FUSED_DEVICES and parameter.is_floating_point()
            for group in optimizer.param_groups
            for parameter in group["params"]
        ) and has_state_beside_parameters(optimizer)
        optimizer.defaults["fused"] = possible or None
        for group in optimizer.param_groups:
            group["fused"] = possible or None
    if "fused" in optimizer.defaults:
        # Whatever was chosen: a restored state brings the `fused` of the run that wrote it.
        optimizer.register_step_pre_hook(align_step)
        optimizer.register_load_state_dict_post_hook(align_state)
    return optimizer


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
