"""The base LightningModule: what every variant shares.

A variant overrides `loss_terms`, which returns its terms by name, unweighted; the base weighs, sums, averages, logs
and optimises them.

Shape suffixes: B batch, C channels, H height, W width, L latent_dim, N pixels of an image (C·H·W).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any, ClassVar, Literal, NamedTuple

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
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ae_lightning.checks import require_at_least, require_name
from ae_lightning.data.corruption import corrupt
from ae_lightning.data.loader import Batch
from ae_lightning.draws import Draws
from ae_lightning.errors import refusal_explained
from ae_lightning.hyperparameters import plain_hyperparameters, plain_value
from ae_lightning.losses.in_full import in_full
from ae_lightning.losses.reconstruction import OutputActivation, ReconstructionName, build_reconstruction
from ae_lightning.networks import Conv, Network
from ae_lightning.networks.single_images import require_single_images_taken
from ae_lightning.spec import DataSpec
from ae_lightning.training.optimizers import require_usable, use_fused
from ae_lightning.training.plateaus import monitor_of, monitored, step_plateau
from ae_lightning.training.schedules import num_training_batches, phase_of
from ae_lightning.training.trainer_progress import end_epochs_once, is_step_read

SchedulerInterval = Literal["epoch", "step"]

DEFAULT_NOISE = 0.3
"""Standard deviation of the noise that variants without a corruption of their own are judged on."""

_MONITORED = "monitored"
"""Where a checkpoint keeps what the scheduler follows."""


class Prediction(NamedTuple):
    """What `predict` gives for a batch.

    Attributes:
        indices: Positions of the images in their split, shape (B,).
        codes: Shape (B, latent_dim), float32.
        reconstructions: Shape (B, C, H, W), float32.
    """

    indices: Tensor
    codes: Tensor
    reconstructions: Tensor


class Autoencoder(pl.LightningModule):
    """An encoder, a decoder, and the training of both on a sum of loss terms.

    Args:
        spec: What a sample is; the data give it.
        network: The recipe for encoder and decoder.
        latent_dim: Length of a code.
        reconstruction: Loss between image and reconstruction, summed over the pixels of an image.
        output_activation: `auto` follows the network and the loss.
        optimizer: Makes the optimizer from the parameters; its fused step is used where there is one.
        scheduler: Makes the learning-rate scheduler from the optimizer; `ReduceLROnPlateau` names its `monitor`.
        scheduler_interval: Whether the scheduler steps once an epoch or once a batch.
        seed: Fixes every random draw of training and validation; follows `seed_everything`.

    Raises:
        ConfigError: If a value is out of range, or the network cannot be built for these images.
    """

    outputs_per_latent: ClassVar[int] = 1
    """Encoder outputs a latent dimension: 2 where it gives a mean and a log-variance."""

    leaves_parameters_out: ClassVar[bool] = False
    """Whether some step uses only some of the parameters, which data-parallel training must be told."""

    def __init__(
        self,
        *,
        spec: DataSpec,
        network: Network = Conv(),  # noqa: B008  (a recipe is never changed)
        latent_dim: int = 32,
        reconstruction: ReconstructionName = "mse",
        output_activation: OutputActivation = "auto",
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        scheduler_interval: SchedulerInterval = "epoch",
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_at_least("model.latent_dim", latent_dim)
        # Not for the logger: the recorder logs them under the command line's keys.
        self.save_hyperparameters(logger=False)
        if "_class_path" not in self.hparams:
            self._set_hparams(plain_hyperparameters(type(self), self.hparams))
        # The command line gives it as it comes from the data.
        self.hparams["spec"] = plain_value("spec", spec)
        self.spec = spec
        self.latent_dim = latent_dim
        self.reconstruction = build_reconstruction(
            reconstruction, output_activation, spec.value_range, is_linear=network.is_linear
        )
        self.build_optimizer = optimizer
        self.build_scheduler = scheduler
        self.scheduler_interval = require_name("model.scheduler_interval", scheduler_interval, SchedulerInterval)
        self.seed = seed
        self._monitored: dict[str, float] = {}
        self.training_epoch = 0.0
        self.phase = 0
        self.encoder = network.build_encoder(spec, self.outputs_per_latent * latent_dim)
        self.decoder = network.build_decoder(latent_dim, spec)
        self.to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(2, *spec.shape)

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

    def loss_terms(self, x_BCHW: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Return the terms of the objective by name, unweighted; here, rec(x, g(f(x))) alone.

        Args:
            x_BCHW: Clean images in [0, 1], float32.
            draws: The random numbers of this batch.

        Returns:
            Terms of shape (B,), one value an image, or of shape () for one of the whole batch.
        """
        return {"reconstruction": self.reconstruction_term(x_BCHW, self.encode(x_BCHW))}

    def term_weights(self) -> Mapping[str, float]:
        """Return the weights of the objective's terms by name; a term that is not named has weight 1."""
        return {}

    def training_terms(self, x_BCHW: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Return the terms that a training step minimises: the objective's, unless a variant trains in phases."""
        return self.loss_terms(x_BCHW, draws)

    def training_weights(self) -> Mapping[str, float]:
        """Return the weights of a training step: the objective's, unless a variant anneals them."""
        return self.term_weights()

    def encode(self, x_BCHW: Tensor) -> Tensor:
        """Return the codes of images, shape (B, L), in full precision; of a distribution over codes, its mean."""
        z_BL: Tensor = self.encoder(x_BCHW)
        return in_full(z_BL)

    def decode(self, z_BL: Tensor) -> Tensor:
        """Return the images of codes, shape (B, C, H, W), float32; they depend on the codes alone."""
        return self.reconstruction.activate(self.decoder(z_BL))

    def reconstruct(self, x_BCHW: Tensor) -> Tensor:
        """Return the images of the images' own mean codes, shape (B, C, H, W), float32."""
        return self.decode_like(self.encode(x_BCHW), x_BCHW)

    def decode_like(self, z_BL: Tensor, x_BCHW: Tensor) -> Tensor:
        """Return the reconstructions of images from their codes, shape (B, C, H, W), float32."""
        return self.reconstruction.activate(self.decoder(z_BL), x_BCHW)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Reconstruct."""
        return self.reconstruct(x_BCHW)

    def draw_posterior_codes(self, x_BCHW: Tensor, draws: Draws) -> Tensor:
        """Return a code of each image as training draws it, shape (B, L); the code itself where it is no distribution.

        Args:
            x_BCHW: Clean images in [0, 1], float32.
            draws: The random numbers of this batch.
        """
        return self.encode(x_BCHW)

    def corrupt(self, x_BCHW: Tensor, draws: Draws) -> Tensor:
        """Return corrupted images in [0, 1]: what denoising is measured on, and what a variant may train on.

        Gaussian noise of standard deviation 0.3, unless a variant has a corruption of its own.
        """
        return corrupt(x_BCHW, "gaussian", draws.normal(*x_BCHW.shape[1:]), DEFAULT_NOISE)

    def draw_prior(self, draws: Draws) -> Tensor:
        """Draw a code for each image of a batch from the prior, N(0, I): shape (B, L)."""
        return draws.normal(self.latent_dim)

    def sample_codes(self, num_images: int, seed: int = 0) -> Tensor:
        """Draw codes from the prior: shape (num_images, L), on the model's device, the same ones for a seed."""
        draws = Draws(seed, "sample", (), offset=0, num_images=num_images, global_size=num_images, device=self.device)
        return self.draw_prior(draws)

    @torch.no_grad()
    def sample(self, num_images: int, seed: int = 0) -> Tensor:
        """Draw images by decoding codes of the prior: shape (num_images, C, H, W), float32."""
        return self.decode(self.sample_codes(num_images, seed))

    def reconstruction_term(self, x_BCHW: Tensor, z_BL: Tensor) -> Tensor:
        """Return rec(x, g(z)) of each image, shape (B,)."""
        return self.reconstruction.loss(x_BCHW, self.decoder(z_BL))

    def objective(self, x_BCHW: Tensor, draws: Draws) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the final objective of a batch, and the average of each of its terms.

        Args:
            x_BCHW: Clean images in [0, 1], float32.
            draws: The random numbers of this batch.
        """
        return weighted_sum(self.loss_terms(x_BCHW, draws), self.term_weights())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """Return what a batch's step minimises, and log it with its terms."""
        draws = self.begin_training_step(batch, batch_idx)
        loss, means = weighted_sum(self.training_terms(batch.images, draws), self.training_weights())
        self.log_training_terms(loss, means, batch)
        return loss * self.share_of_global_batch(batch)

    def begin_training_step(self, batch: Batch, batch_idx: int) -> Draws:
        """Note how far training is, and return the random numbers of the batch.

        Raises:
            ConfigError: If it is a single image, and batch norm needs more.
        """
        # A single image comes first in an epoch, if at all: a last batch is never smaller.
        if batch_idx == 0 and len(batch.images) == 1:
            require_single_images_taken(self.encoder, self.spec.shape)
            require_single_images_taken(self.decoder, (self.latent_dim,))
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
        self.log_dict({"train/loss": loss.detach(), **terms}, batch_size=len(batch.images))

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
        """Keep what the scheduler follows: a run that goes on after a validation does not validate again."""
        # A model can be written that no Trainer trains.
        if self._trainer is not None:
            checkpoint[_MONITORED] = {**self._monitored, **monitored(self._schedulers(), self.trainer.callback_metrics)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take over what the scheduler follows."""
        self._monitored = dict(checkpoint.get(_MONITORED, {}))

    def share_of_global_batch(self, batch: Batch) -> float:
        """Return what to weigh this rank's mean by: ranks are averaged as if their batches were equal."""
        return len(batch.images) * self.trainer.world_size / batch.global_size

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the objective of the validation split, with draws that are the same every time."""
        self._evaluate("val", batch, batch_idx)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the objective of the test split, with draws that are the same every time."""
        self._evaluate("test", batch, batch_idx)

    def predict_step(self, batch: Batch, batch_idx: int) -> Prediction:
        """Return the codes and reconstructions of a batch."""
        z_BL = self.encode(batch.images)
        return Prediction(batch.indices, z_BL, self.decode_like(z_BL, batch.images))

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
        loss, means = self.objective(batch.images, self._draws(stage, batch, batch_idx))
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
            num_images=len(batch.images),
            global_size=batch.global_size,
            device=batch.images.device,
        )


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of the terms, each averaged over the batch, and the averages themselves."""
    means = {name: term.mean() for name, term in terms.items()}
    total = torch.stack([weights.get(name, 1.0) * mean for name, mean in means.items()]).sum()
    return total, means
