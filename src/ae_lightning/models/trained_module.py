"""The LightningModule below every model: it weighs, sums, averages, logs and optimises what a model calls its terms."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import LRSchedulerTypeUnion, OptimizerLRScheduler
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ae_lightning import __version__
from ae_lightning.checks import require_factory, require_name, require_seed
from ae_lightning.data.batch import Batch
from ae_lightning.data.loader import ResumableLoader
from ae_lightning.draws import Draws
from ae_lightning.hyperparameters import plain_value
from ae_lightning.machine.distributed import copy_from_first_rank, whole_parameters
from ae_lightning.models.evaluated_module import EvaluatedModule
from ae_lightning.models.phases import Phase, Player, step_players, weighted_sum
from ae_lightning.models.split_terms import Term
from ae_lightning.training.accumulation import gathered_gradients, require_one_scale, restore_gradients
from ae_lightning.training.kept_progress import require_progress
from ae_lightning.training.optimizers import rate_of
from ae_lightning.training.plateaus import monitored, step_schedulers
from ae_lightning.training.restored_optimizers import Built, build_both, restore_under
from ae_lightning.training.schedules import num_training_batches, phase_of
from ae_lightning.training.trainer_progress import (
    begin_rest_of_epoch,
    end_epochs_once,
    goes_on_within_epoch,
    is_step_read,
    stop_early_only_if,
)
from ae_lightning.training.unfinished_schedules import require_possible_schedules, unfinished_schedules
from ae_lightning.versions import STATE_KEY

SchedulerInterval = Literal["epoch", "step"]

_PROGRESS = "training_progress"
"""Where a checkpoint keeps what going on needs beside weights, optimizers and Lightning's own counts."""


class TrainedModule(EvaluatedModule):
    """What trains on a sum of loss terms.

    Args:
        optimizer: Makes the optimizer from the parameters; its fused step is used where there is one.
        scheduler: Makes the learning-rate scheduler from the optimizer; `ReduceLROnPlateau` names its `monitor`.
        scheduler_interval: Whether the scheduler steps once an epoch or once a batch.
        seed: Fixes every random draw of training and validation.

    Raises:
        ConfigError: If the interval is unknown.
    """

    leaves_parameters_out: ClassVar[bool] = False
    """Whether some step uses only some of the parameters, which data-parallel training must be told; players do."""

    def __init_subclass__(cls) -> None:
        """Let a model of several players say that none of them uses all parameters."""
        super().__init_subclass__()
        cls.leaves_parameters_out = cls.leaves_parameters_out or cls.players is not TrainedModule.players

    def __init__(
        self,
        *,
        optimizer: OptimizerCallable,
        scheduler: LRSchedulerCallable | None,
        scheduler_interval: SchedulerInterval,
        seed: int,
    ) -> None:
        super().__init__(seed=require_seed("model.seed", seed))
        require_factory("model.optimizer", optimizer, "torch.optim.Adam")
        if scheduler is not None:
            require_factory("model.scheduler", scheduler, "torch.optim.lr_scheduler.CosineAnnealingLR", "T_max=10")
        self.build_optimizer = optimizer
        self.build_scheduler = scheduler
        self.scheduler_interval = require_name("model.scheduler_interval", scheduler_interval, SchedulerInterval)
        self.training_epoch = 0.0
        self.phase = 0
        """Which of the phases training is in, from 0."""
        self._phases: tuple[Phase, ...] = ()
        self._players: tuple[Player, ...] = ()
        self._built: tuple[dict[str, Any], ...] = ()
        self._num_begun = 0
        self._monitored: dict[str, float] = {}
        self._outdated: dict[str, Tensor | float] = {}
        self._accumulated: dict[str, Tensor] = {}

    @abstractmethod
    def require_trains_on_one(self) -> None:
        """Refuse a batch of a single sample where batch norm needs more.

        Raises:
            ConfigError: If it does.
        """

    @property
    def lr(self) -> float:
        """The learning rate that the optimizer begins with; Lightning's `LearningRateFinder` reads and sets it.

        Raises:
            AttributeError: If the optimizer has none.
        """
        return rate_of(self.build_optimizer)

    @lr.setter
    def lr(self, value: float) -> None:
        self.build_optimizer = partial(self.build_optimizer, lr=value)  # type: ignore[call-arg]  # every optimizer that has one
        if "optimizer" in self.hparams:
            self.hparams["optimizer"] = plain_value("optimizer", self.build_optimizer)

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute: at once where Lightning notes which hook it calls, some forty times a training step."""
        if name == "_current_fx_name":
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @abstractmethod
    def train_split_codes(self) -> Tensor:
        """Return the codes of the train split: shape (N, F), float32, on the processor, the same on every rank."""

    @abstractmethod
    def require_train_split(self) -> Any:
        """Return the data whose train split is encoded.

        Raises:
            ConfigError: If the Trainer's are not such.
        """

    def phases(self) -> Sequence[Phase]:
        """Return the phases of the training in their order; here one, which minimises the objective."""
        return (Phase("training"),)

    def players(self) -> Sequence[Player]:
        """Return who steps in each batch, in their order; here one, with all parameters.

        Several are optimised one after the other, each seeing what the ones before it have stepped to.
        """
        return (Player("model", (self,)),)

    @property
    def in_last_phase(self) -> bool:
        """Whether the last phase has begun: before it no run is stopped early, pruned, slowed down or judged."""
        return self.phase == len(self._phases or self.phases()) - 1

    def is_judged_by(self, name: str) -> bool:
        """Whether the last value of a measure, which not every epoch takes, is of the last phase: no other decides."""
        return self.in_last_phase and not (name in self._outdated and self._measured.get(name) is self._outdated[name])

    @property
    def _measured(self) -> dict[str, Tensor | float]:
        return {**self._monitored, **self.trainer.callback_metrics}

    def training_weights(self) -> Mapping[str, float]:
        """Return the weights of a training step's terms: the objective's, unless a variant anneals or adds some."""
        return self.term_weights()

    def training_loss(self, batch: Batch, draws: Draws) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what the first player minimises in this phase, and the average of each of its terms."""
        player = (self._players or self.players())[0]
        return weighted_sum(self._terms_of(player, batch, draws), self._weights())

    def _phase(self) -> Phase:
        return (self._phases or self.phases())[self.phase]

    def _terms_of(self, player: Player, batch: Batch, draws: Draws) -> Mapping[str, Term]:
        return (player.terms or self._phase().terms or self.loss_terms)(batch, draws)

    def _weights(self) -> Mapping[str, float]:
        weights = self._phase().weights
        return self.training_weights() if weights is None else weights

    def configure_callbacks(self) -> list[pl.Callback]:
        """Let the Trainer take the optimisation for automatic until it has looked at its settings.

        It refuses clipping and accumulation where it leaves the optimisation to the module, which does both itself.
        """
        self.automatic_optimization = True
        return []

    def setup(self, stage: str) -> None:
        """Take note of phases and players before a training.

        Raises:
            ConfigError: If a phase begins with codes that the Trainer's data do not give, or gradients cannot be
                accumulated in this precision.
        """
        if stage != "fit":
            return
        self._phases, self._players = tuple(self.phases()), tuple(self.players())
        self.phase = self._num_begun = 0
        self._monitored, self._outdated, self._accumulated = {}, {}, {}
        self.automatic_optimization = len(self._players) == 1
        if any(phase.begin is not None for phase in self._phases):
            self.require_train_split()
        if not self.automatic_optimization:
            require_one_scale(self.trainer)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """Return what a batch's step minimises, and log it with its terms; several players step here."""
        draws = self._draws("train", batch, self.current_epoch, batch_idx)
        if not self.automatic_optimization:
            return self._step_players(batch, draws)
        loss, means = self.training_loss(batch, draws)
        self.log_training_terms(loss, means, batch)
        share = self.share_of_global_batch(batch)
        return loss if share == 1 else loss * share

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Note how far training is, and begin the phases that are due.

        Raises:
            ConfigError: If the batch is a single sample, and batch norm needs more.
        """
        # A single image comes first in an epoch, if at all: a last batch is never smaller.
        if batch_idx == 0 and len(batch.x) == 1:
            self.require_trains_on_one()
        num_batches = self.trainer.num_training_batches
        # Of a loader that does not say how many it has, nothing that is refused without counts by parts of an epoch.
        self.training_epoch = self.current_epoch + batch_idx / num_batches
        if len(self._phases) > 1:
            num_in_all, shares = num_training_batches(self.trainer), [phase.share for phase in self._phases]
            self.phase = phase_of(int(self.current_epoch * num_batches + batch_idx), num_in_all, shares)
        if self.phase >= self._num_begun:
            self._outdated = self._measured
            self._num_begun = self.phase + 1
            begin = self._phases[self.phase].begin
            if begin is not None:
                with torch.no_grad(), whole_parameters(self.trainer.strategy.model, keeps_changes=True):
                    begin(self.train_split_codes())
                    # Sums over several threads may differ in their last bit from rank to rank.
                    copy_from_first_rank(self)

    def _step_players(self, batch: Batch, draws: Draws) -> Tensor | None:
        """Let each player step, and return the loss of the first that has one; None where all rest."""
        optimizers: list[LightningOptimizer] = self.optimizers()  # type: ignore[assignment]
        share, num = self.share_of_global_batch(batch), self.trainer.accumulate_grad_batches
        computing = [partial(self._terms_of, player, batch, draws) for player in self._players]
        loss, means = step_players(
            list(zip(optimizers, computing, strict=True)),
            self._weights(),
            lambda loss: self.manual_backward(loss * share / num),
            accumulates=self.trainer.fit_loop._should_accumulate(),
        )
        if loss is not None:
            self.log_training_terms(loss, means, batch)
        return None if loss is None else loss.detach()

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip a player's gradients where the Trainer leaves that to the module; unscaled, as it would."""
        if not self.automatic_optimization:
            how = (self.trainer.gradient_clip_val, self.trainer.gradient_clip_algorithm)
            self.configure_gradient_clipping(optimizer, *how)

    def log_training_terms(self, loss: Tensor, means: Mapping[str, Tensor], batch: Batch) -> None:
        """Log a training step's loss and terms as `train/loss`, `train/NAME`, where anybody reads them.

        Lightning takes long to note a value: to do so in every step costs a small model some per cent of its speed.
        """
        follows_each_step = self.build_scheduler is not None and self.scheduler_interval == "step"
        if follows_each_step or is_step_read(self.trainer):
            terms = {f"train/{name}": mean.detach() for name, mean in {"loss": loss, **means}.items()}
            self.log_dict(terms, batch_size=len(batch.x))

    def on_fit_start(self) -> None:
        """Let a training that is gone on with end no epoch twice, and none be stopped early before its last phase."""
        end_epochs_once(self.trainer)
        stop_early_only_if(self.trainer, self.is_judged_by)

    def on_train_start(self) -> None:
        """Go on with the gradients that were being accumulated; say which schedules the training ends before.

        Raises:
            UserError: If a schedule ends before the training, or the rest of an epoch would be of other batches.
        """
        loader = self.trainer.train_dataloader
        if isinstance(loader, ResumableLoader) and goes_on_within_epoch(self.trainer):
            loader.require_goes_on()
        begin_rest_of_epoch(self.trainer, self)
        self.zero_grad()
        restore_gradients(self.trainer, self, self._accumulated)
        self._accumulated = {}
        require_possible_schedules(self.trainer, vars(self))
        for line in unfinished_schedules(self.trainer, vars(self)):
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
        # Other phases minimise something else: that what is followed stays as it is says nothing there.
        step_schedulers(
            self.trainer, self._measured, only_plateaus=self.automatic_optimization, counts=self.is_judged_by
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the version, the phases begun, what the scheduler follows, and gradients being accumulated.

        A run that goes on after a validation does not validate again.
        """
        checkpoint.setdefault(STATE_KEY, {})["version"] = __version__
        # A model can be written that no Trainer trains.
        if self._trainer is not None:
            checkpoint[_PROGRESS] = {
                "phase": self.phase,
                "num_begun": self._num_begun,
                "monitored": {**self._monitored, **monitored(self.trainer)},
                "outdated": [name for name in self._outdated if not self.is_judged_by(name)],
                "gradients": gathered_gradients(self.trainer, self),
                "built": list(self._built),
            }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over what was kept; of optimizers and schedulers, under the settings that have changed since.

        Raises:
            UserError: If it is not what a training of this model keeps, or a setting cannot take effect on it.
        """
        kept = checkpoint.get(_PROGRESS, {})
        require_progress(kept, len(self._phases or self.phases()), dict(self.named_parameters()))
        if self._trainer is not None and self.trainer.state.fn == TrainerFn.FITTING:
            self.restore_optimizers(checkpoint, in_place=self.trainer.strategy.lightning_restore_optimizer)
        self.phase, self._num_begun = kept.get("phase", 0), kept.get("num_begun", 0)
        self._monitored, self._accumulated = dict(kept.get("monitored", {})), dict(kept.get("gradients", {}))
        self._outdated = {name: self._monitored[name] for name in kept.get("outdated", []) if name in self._monitored}

    def restore_optimizers(self, checkpoint: dict[str, Any], *, in_place: bool = True) -> None:
        """Let settings that have changed since a checkpoint was written take effect on what it restores.

        Args:
            checkpoint: Its optimizers and schedulers; changed.
            in_place: Whether they are restored from there.

        Raises:
            UserError: If they cannot take effect, or its optimizers do not fit.
        """
        if type(self).configure_optimizers is TrainedModule.configure_optimizers and "optimizer_states" in checkpoint:
            kept = checkpoint.get(_PROGRESS, {}).get("built", [])
            restore_under(checkpoint, self._build_all(), kept, in_place=in_place)

    def share_of_global_batch(self, batch: Batch) -> float:
        """Return what to weigh this rank's mean by: ranks are averaged as if their batches were equal."""
        return len(batch.x) * self.trainer.world_size / batch.global_size

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build each player's optimizer, and its scheduler."""
        built = self._build_all()
        self._built = tuple(one.description for one in built)
        configured = [one.for_lightning(steps_plateau=len(built) > 1) for one in built]
        return configured if len(configured) > 1 else configured[0]

    def _build_all(self) -> list[Built]:
        players = self._players or tuple(self.players())
        has_closure = len(players) == 1
        how = (self.build_scheduler, self.scheduler_interval)
        return [
            build_both(one.key, one.optimizer or self.build_optimizer, one.parameters(), *how, has_closure=has_closure)
            for one in players
        ]
