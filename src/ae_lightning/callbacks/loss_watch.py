"""Ending a training whose loss is no number any more, before that reaches a checkpoint."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from ae_lightning.callbacks.checkpointing import newest_checkpoint
from ae_lightning.data.batch import Batch
from ae_lightning.errors import NotFiniteError, TrackingError
from ae_lightning.machine.distributed import gather_objects
from ae_lightning.tracking import run_loggers

ARTIFACT = "not_finite.json"
_MAX_NAMED = 10
_INTERVAL = 50
"""Steps between two looks where the Trainer never logs."""


class _Step(NamedTuple):
    """A training step that is still to be looked at; its tensors stay where they are."""

    number: int
    epoch: int
    loss: Tensor
    indices: Tensor


class LossWatch(Callback):
    """Ends a training whose loss, or whose weights, became NaN or infinite, and says with which images.

    To look at a loss is to wait for the device. So losses are kept there and looked at together: where the Trainer
    logs, which waits anyway, before a validation, and before a checkpoint, whose weights are looked at too. One
    process on a CPU waits for nothing and looks at each. Ranks look at the same steps, and end together.
    """

    def __init__(self) -> None:
        self._waiting: list[_Step] = []
        self._last: _Step | None = None
        self._interval = 1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Choose how often to look."""
        self._waiting, self._last = [], None
        self._interval = interval_of_looks(
            trainer.strategy.root_device.type,
            trainer.world_size,
            trainer.log_every_n_steps,  # type: ignore[attr-defined]
        )

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Keep the loss, and look at those that were kept if it is time."""
        loss = loss_of(outputs)
        if loss is None:
            return
        number = trainer.fit_loop.epoch_loop._batches_that_stepped
        self._waiting.append(_Step(number, trainer.current_epoch, loss.detach(), batch.indices))
        if len(self._waiting) >= self._interval:
            self._look_at_losses(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look before a validation."""
        self._look_at_losses(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the end of an epoch."""
        self._look_at_losses(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Let no checkpoint be written whose weights are no numbers.

        Raises:
            NotFiniteError: If some are not, or a loss before was not.
        """
        self._look_at_losses(trainer)
        buffers = {name for name, _ in pl_module.named_buffers(remove_duplicate=False)}
        is_broken = not all_finite(checkpoint["state_dict"], buffers)
        if _any_rank(trainer, is_broken):
            raise self._error(trainer, "weights are not finite", self._last)

    def _look_at_losses(self, trainer: pl.Trainer) -> None:
        """Look at all that was kept; every rank does it at the same time.

        Raises:
            NotFiniteError: If a loss is not finite, on any rank.
        """
        steps, self._waiting = self._waiting, []
        if not steps:
            return
        self._last = steps[-1]
        losses = torch.stack([step.loss for step in steps]).tolist()
        broken = next((step for step, loss in zip(steps, losses, strict=True) if not math.isfinite(loss)), None)
        if _any_rank(trainer, broken is not None):
            raise self._error(trainer, "train/loss is not finite", broken)

    def _error(self, trainer: pl.Trainer, what: str, step: _Step | None) -> NotFiniteError:
        """Say what is not finite, since which step, and with which images."""
        own = None if step is None else (step.number, step.epoch, step.indices.tolist())
        known = [found for found in gather_objects(own) if found is not None]
        checkpoint = newest_checkpoint(trainer)
        before = "there is no checkpoint from before" if checkpoint is None else f"the last one before is {checkpoint}"
        hint = f"{before}; a lower model.optimizer.lr may help"
        if not known:
            return NotFiniteError(f"{what}, before any step; {hint}")
        number, epoch, _ = min(known)
        images = sorted(index for step_number, _, indices in known if step_number == number for index in indices)
        self._keep(trainer, {"step": number, "epoch": epoch, "split": "train", "images": images})
        return NotFiniteError(
            f"{what} after step {number} (epoch {epoch + 1}) on train images {listed(images)}; {hint}"
        )

    def _keep(self, trainer: pl.Trainer, found: dict[str, object]) -> None:
        with suppress(TrackingError):
            for tracker in run_loggers(trainer):
                tracker.log_text(json.dumps(found), ARTIFACT)


def loss_of(outputs: Any) -> Tensor | None:
    """Return the loss among what a training step gave to the callbacks, if it is there."""
    loss: Tensor | None = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
    return loss


def interval_of_looks(device: str, world_size: int, log_every_n_steps: int) -> int:
    """Return after how many steps losses are looked at: each where that costs nothing, else where the Trainer logs.

    Args:
        device: Its type, such as `cuda`.
        world_size: How many processes train.
        log_every_n_steps: The Trainer's; 0 where it never logs.
    """
    waits_for_nothing = world_size == 1 and device == "cpu"
    return 1 if waits_for_nothing else log_every_n_steps or _INTERVAL


def listed(indices: list[int]) -> str:
    """Name a few positions, and how many more there are; all of them are in the run's artifact."""
    named = ", ".join(map(str, indices[:_MAX_NAMED]))
    more = len(indices) - _MAX_NAMED
    return f"{named} and {more} more (all in the run's {ARTIFACT})" if more > 0 else named


def all_finite(state: Mapping[str, Any], buffers: Collection[str] = ()) -> bool:
    """Whether all numbers of a state are finite; waits for each device once.

    Args:
        state: By name.
        buffers: What no step changes: an infinity in it may be meant, as in a mask.
    """
    found: dict[torch.device, list[Tensor]] = defaultdict(list)
    for name, value in state.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            found[value.device].append((~value.isnan() if name in buffers else value.isfinite()).all())
    return all(bool(torch.stack(flags).all()) for flags in found.values())


def _any_rank(trainer: pl.Trainer, decision: bool) -> bool:
    if trainer.world_size == 1:
        return decision
    return bool(trainer.strategy.reduce_boolean_decision(decision, all=False))
