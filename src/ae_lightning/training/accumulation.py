"""Gradients that are being accumulated, kept in a checkpoint from between two batches of one step."""

from __future__ import annotations

import lightning.pytorch as pl
from lightning.pytorch.strategies import FSDPStrategy
from lightning.pytorch.trainer.states import TrainerFn
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor, nn

from ae_lightning.errors import ConfigError
from ae_lightning.training.optimizers import like_parameter


def require_one_scale(trainer: pl.Trainer) -> None:
    """Refuse to accumulate the gradients of several optimizers where each one's step may change their common scale.

    Raises:
        ConfigError: If the Trainer's precision has such a scale and its settings accumulate.
    """
    if trainer.accumulate_grad_batches > 1 and getattr(trainer.precision_plugin, "scaler", None) is not None:
        raise ConfigError(
            "trainer.precision: '16-mixed' is not allowed where several optimizers accumulate gradients; "
            "Allowed: bf16-mixed, 32-true, 64-true"
        )


def gathered_gradients(trainer: pl.Trainer, module: nn.Module) -> dict[str, Tensor]:
    """Return the gradients of the batches since the last step; none right after a step.

    Args:
        trainer: Knows the step, and the ranks, all of which must ask.
        module: Whose gradients.

    Returns:
        By the parameter's name, shape (ranks, …): each rank has seen other samples.
    """
    if trainer.state.fn != TrainerFn.FITTING or trainer.accumulate_grad_batches == 1:
        return {}
    if not trainer.fit_loop._should_accumulate():
        return {}
    if isinstance(trainer.strategy, FSDPStrategy):
        rank_zero_warn(
            "trainer.accumulate_grad_batches: FSDP's accumulated gradients are in no checkpoint; going on from this "
            "one loses them"
        )
        return {}
    found = {
        name: parameter.grad.detach().contiguous()
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }
    if trainer.world_size == 1:
        return {name: gradient.clone()[None] for name, gradient in found.items()}
    return {name: trainer.strategy.all_gather(gradient) for name, gradient in found.items()}


def restore_gradients(trainer: pl.Trainer, module: nn.Module, gathered: dict[str, Tensor]) -> None:
    """Give each parameter the gradient that a checkpoint kept; their mean, if there were other ranks than now.

    Args:
        trainer: Knows the ranks.
        module: On its device.
        gathered: As `gathered_gradients` returned them.
    """
    for name, parameter in module.named_parameters():
        if name in gathered:
            of_ranks = gathered[name].to(parameter)
            own = of_ranks[trainer.global_rank] if len(of_ranks) == trainer.world_size else of_ranks.mean(dim=0)
            parameter.grad = like_parameter(own, parameter)
