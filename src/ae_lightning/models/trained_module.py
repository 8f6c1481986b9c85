"""The LightningModule below every model: it weighs, sums, averages, logs and optimises what a model calls its terms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from itertools import chain
from typing import Any, ClassVar, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities.types import (
    LRSchedulerConfigType,
    LRSchedulerTypeUnion,
    OptimizerConfig,
    OptimizerLRScheduler,
    OptimizerLRSchedulerConfig,
)
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ae_lightning import __version__
from ae_lightning.checks import require_name
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.errors import refusal_explained
from ae_lightning.training.optimizers import require_usable, use_fused
from ae_lightning.training.plateaus import monitor_of, monitored, step_plateau
from ae_lightning.training.schedules import num_training_batches, phase_of
from ae_lightning.training.trainer_progress import end_epochs_once, is_step_read
from ae_lightning.training.unfinished_schedules import unfinished_schedules
from ae_lightning.versions import STATE_KEY

SchedulerInterval = Literal["epoch", "step"]

_MONITORED = "monitored"
"""Where a checkpoint keeps what the scheduler follows."""


class TrainedModule(pl.LightningModule):
    """What trains on a sum of loss terms, and is validated and tested on it.

    Args:
        optimizer: Makes the optimizer from the parameters; its fused step is used where there is one.
        scheduler: Makes the learning-rate scheduler from the optimizer; `ReduceLROnPlateau` names its `monitor`.
        scheduler_interval: Whether the scheduler steps once an epoch or once a batch.
        seed: Fixes every random draw of training and validation.

    Raises:
        ConfigError: If the interval is unknown.
    """

    leaves_parameters_out: ClassVar[bool] = False
    """Whether some step uses only some of the parameters, which data-parallel training must be told."""

    def __init__(
        self,
        *,
        optimizer: OptimizerCallable,
        scheduler: LRSchedulerCallable | None,
        scheduler_interval: SchedulerInterval,
        seed: int,
    ) -> None:
        super().__init__()
        self.build_optimizer = optimizer
        self.build_scheduler = scheduler
        self.scheduler_interval = require_name("model.scheduler_interval", scheduler_interval, SchedulerInterval)
        self.seed = seed
        self._monitored: dict[str, float] = {}
        self.training_epoch = 0.0
        self.phase = 0

    @abstractmethod
    def loss_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return the terms of the objective by name, unweighted.

        Args:
            batch: Clean samples, as scaled; with labels if the model says that it needs them.
            draws: The random numbers of this batch.

        Returns:
            Terms of shape (B,), one value a sample, or of shape () for one of the whole batch.
        """

    @abstractmethod
    def require_trains_on_one(self) -> None:
        """Refuse a batch of a single sample where batch norm needs more.

        Raises:
            ConfigError: If it does.
        """

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute: at once where Lightning notes which hook it calls, some forty times a training step."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def num_phases(self) -> int:
        """Phases of the training: equal shares of its batches."""
        return 1

    @property
    def in_last_phase(self) -> bool:
        """Whether the last phase has begun: no checkpoint from before it can be the best."""
        return self.phase == self.num_phases - 1

    def term_weights(self) -> Mapping[str, float]:
        """Return the weights of the objective's terms by name; a term that is not named has weight 1."""
        return {}

    def training_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return the terms that a training step minimises: the objective's, unless a variant trains in phases."""
        return self.loss_terms(batch, draws)

    def training_weights(self) -> Mapping[str, float]:
        """Return the weights of a training step: the objective's, unless a variant anneals them."""
        return self.term_weights()

    def objective(self, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the final objective of a batch, and the average of each of its terms.

        Args:
            batch: As `loss_terms` takes it.
            draws: The random numbers of this batch.
        """
        return weighted_sum(self.loss_terms(batch, draws), self.term_weights())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """Return what a batch's step minimises, and log it with its terms."""
        draws = self.begin_training_step(batch, batch_idx)
        loss, means = weighted_sum(self.training_terms(batch, draws), self.training_weights())
        self.log_training_terms(loss, means, batch)
        return loss * self.share_of_global_batch(batch)

    def begin_training_step(self, batch: Batch, batch_idx: int) -> Draws:
        """Note how far training is, and return the random numbers of the batch.

        Raises:
            ConfigError: If it is a single image, and batch norm needs more.
        """
        # A single image comes first in an epoch, if at all: a last batch is never smaller.
        if batch_idx == 0 and len(batch.x) == 1:
            self.require_trains_on_one()
        num_batches = int(self.trainer.num_training_batches)
        self.training_epoch = self.current_epoch + batch_idx / num_batches
        number = self.current_epoch * num_batches + batch_idx
        if self.num_phases > 1:
            self.phase = phase_of(number, num_training_batches(self.trainer), self.num_phases)
        return self._draws("train", batch, self.current_epoch, batch_idx)

    def log_training_terms(self, loss: Tensor, means: Mapping[str, Tensor], batch: Batch) -> None:
        """Log a training step's loss and terms as `train/loss`, `train/NAME`, where anybody reads them.

        Lightning takes long to note a value: to do so in every step costs a small model some per cent of its speed.
        """
        follows_each_step = self.build_scheduler is not None and self.scheduler_interval == "step"
        if not (follows_each_step or is_step_read(self.trainer)):
            return
        terms = {f"train/{name}": mean.detach() for name, mean in means.items()}
        self.log_dict({"train/loss": loss.detach(), **terms}, batch_size=len(batch.x))

    def manual_step(self, index: int, loss: Tensor) -> None:
        """Take a step of one of several optimizers, for variants that optimise manually.

        Args:
            index: Which optimizer, in the order of `configure_optimizers`.
            loss: What it minimises.
        """
        optimizers: list[LightningOptimizer] = self.optimizers()  # type: ignore[assignment]
        optimizers[index].zero_grad()
        self.manual_backward(loss)
        optimizers[index].step()

    def on_fit_start(self) -> None:
        """Let a training that is gone on with end no epoch twice."""
        end_epochs_once(self.trainer)

    def on_train_start(self) -> None:
        """Say which schedules the training ends before."""
        for line in unfinished_schedules(self.trainer, vars(self), self.trainer.lr_scheduler_configs):
            rank_zero_warn(line)

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Step the schedulers that Lightning would step too late, or under manual optimisation not at all."""
        if self.scheduler_interval == "step" and not self.trainer.fit_loop._should_accumulate():
            self._step_schedulers()

    def on_train_epoch_end(self) -> None:
        """Step the schedulers that Lightning would step too late, or under manual optimisation not at all."""
        if self.scheduler_interval == "epoch":
            self._step_schedulers()

    def lr_scheduler_step(self, scheduler: LRSchedulerTypeUnion, metric: Any | None) -> None:
        """Step a scheduler, unless it follows a measure: it has been stepped before the checkpoint was written."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def _step_schedulers(self) -> None:
        for scheduler in self._schedulers():
            if isinstance(scheduler, ReduceLROnPlateau):
                measured: dict[str, Tensor | float] = {**self._monitored, **self.trainer.callback_metrics}
                step_plateau(scheduler, measured, self.trainer.strategy.broadcast)
            elif not self.automatic_optimization:
                scheduler.step()

    def _schedulers(self) -> list[LRSchedulerTypeUnion]:
        return [config.scheduler for config in self.trainer.lr_scheduler_configs]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the version, and what the scheduler follows: who goes on after a validation does not validate again."""
        checkpoint.setdefault(STATE_KEY, {})["version"] = __version__
        # A model can be written that no Trainer trains.
        if self._trainer is not None:
            checkpoint[_MONITORED] = {**self._monitored, **monitored(self._schedulers(), self.trainer.callback_metrics)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over what the scheduler follows."""
        self._monitored = dict(checkpoint.get(_MONITORED, {}))

    def share_of_global_batch(self, batch: Batch) -> float:
        """Return what to weigh this rank's mean by: ranks are averaged as if their batches were equal."""
        return len(batch.x) * self.trainer.world_size / batch.global_size

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the objective of the validation split, with draws that are the same every time."""
        self._evaluate("val", batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the objective of the test split, with draws that are the same every time."""
        self._evaluate("test", batch, batch_idx)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimizer over all parameters, and its scheduler."""
        return self.optimizer_of("optimizer", self.build_optimizer, self)

    def optimizer_of(
        self, key: str, build: OptimizerCallable, *networks: nn.Module
    ) -> OptimizerConfig | OptimizerLRSchedulerConfig:
        """Build an optimizer that uses its fused step, and its scheduler if there is one.

        Args:
            key: The model's argument that gave `build`, for the error.
            build: Makes the optimizer from the parameters.
            networks: Whose parameters it optimises.

        Raises:
            ConfigError: If optimizer or scheduler refuse their settings, or the optimizer cannot step these weights.
        """
        with refusal_explained(f"model.{key}"):
            optimizer = build(chain.from_iterable(network.parameters() for network in networks))
        require_usable(f"model.{key}", optimizer, has_closure=self.automatic_optimization)
        use_fused(optimizer)
        if self.build_scheduler is None:
            return {"optimizer": optimizer}
        with refusal_explained("model.scheduler"):
            scheduler = self.build_scheduler(optimizer)
        settings: LRSchedulerConfigType = {"scheduler": scheduler, "interval": self.scheduler_interval}
        if isinstance(scheduler, ReduceLROnPlateau):
            monitor_of(scheduler)
            if self.automatic_optimization:
                settings["reduce_on_plateau"] = False
        return {"optimizer": optimizer, "lr_scheduler": settings}

    def _evaluate(self, stage: str, batch: Batch, batch_idx: int) -> None:
        loss, means = self.objective(batch, self._draws(stage, batch, batch_idx))
        # Lightning averages the ranks' counts as whole numbers, so that every rank counts the global batch instead.
        share = self.share_of_global_batch(batch)
        values = {f"{stage}/{name}": share * value for name, value in {"loss": loss, **means}.items()}
        self.log_dict(values, on_step=False, on_epoch=True, sync_dist=True, batch_size=batch.global_size)

    def _draws(self, stream: str, batch: Batch, *key: int) -> Draws:
        return Draws(
            self.seed,
            stream,
            key,
            offset=batch.offset,
            num_images=len(batch.x),
            global_size=batch.global_size,
            device=batch.x.device,
        )


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of the terms, each averaged over the batch, and the averages themselves."""
    means = {name: term.mean() for name, term in terms.items()}
    total = torch.stack([weights.get(name, 1.0) * mean for name, mean in means.items()]).sum()
    return total, means
