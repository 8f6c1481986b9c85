"""The base LightningModule: what every variant shares.

A variant overrides `loss_terms`, which returns its terms by name, unweighted; the base weighs, sums, averages, logs
and optimises them.

Shape suffixes: B batch, C channels, H height, W width, L latent_dim, N pixels of an image (C·H·W).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Required, TypedDict

import lightning.pytorch as pl
import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from ae_lightning.data.loader import Batch
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError, refusal_explained
from ae_lightning.hyperparameters import plain_hyperparameters
from ae_lightning.losses.reconstruction import OutputActivation, ReconstructionName, build_reconstruction
from ae_lightning.networks import Conv, Network, Shape
from ae_lightning.optimization import use_fused


class AutoencoderOptions(TypedDict, total=False):
    """The arguments of `Autoencoder`, for variants that add their own."""

    input_shape: Required[Shape]
    network: Network
    latent_dim: int
    reconstruction: ReconstructionName
    output_activation: OutputActivation
    optimizer: OptimizerCallable
    scheduler: LRSchedulerCallable | None
    scheduler_interval: Literal["epoch", "step"]
    seed: int


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
        input_shape: Channels, height and width of the images; the data give it.
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

    def __init__(
        self,
        *,
        input_shape: Shape,
        network: Network = Conv(),  # noqa: B008  (a recipe is never changed)
        latent_dim: int = 32,
        reconstruction: ReconstructionName = "mse",
        output_activation: OutputActivation = "auto",
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        scheduler_interval: Literal["epoch", "step"] = "epoch",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if latent_dim < 1:
            raise ConfigError(f"model.latent_dim: {latent_dim} is not allowed; it must be at least 1")
        # Not for the logger: the recorder logs them under the command line's keys.
        self.save_hyperparameters(logger=False)
        if "_class_path" not in self.hparams:
            self._set_hparams(plain_hyperparameters(type(self), self.hparams))
        self.input_shape = input_shape
        self.latent_dim = latent_dim
        self.reconstruction = build_reconstruction(reconstruction, output_activation, is_linear=network.is_linear)
        self.build_optimizer = optimizer
        self.build_scheduler = scheduler
        self.scheduler_interval = scheduler_interval
        self.seed = seed
        self.encoder = network.build_encoder(input_shape, self.outputs_per_latent * latent_dim)
        self.decoder = network.build_decoder(latent_dim, input_shape)
        self.to(memory_format=torch.channels_last)
        self.example_input_array = torch.zeros(2, *input_shape)

    def loss_terms(self, x_BCHW: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Return the terms of the objective by name, unweighted, shape (B,) each, or () for one of the whole batch.

        Args:
            x_BCHW: Clean images in [0, 1], float32.
            draws: The random numbers of this batch.
        """
        raise NotImplementedError

    def term_weights(self) -> Mapping[str, float]:
        """Return the weights of the terms by name; a term that is not named has weight 1."""
        return {}

    def encode(self, x_BCHW: Tensor) -> Tensor:
        """Return the codes of images, shape (B, L), float32; of a distribution over codes, its mean."""
        z_BL: Tensor = self.encoder(x_BCHW)
        return z_BL.float()

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

    def sample_codes(self, num_images: int, seed: int = 0) -> Tensor:
        """Draw codes from the prior, N(0, I): shape (num_images, L), on the model's device."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(num_images, self.latent_dim, generator=generator).to(self.device)

    @torch.no_grad()
    def sample(self, num_images: int, seed: int = 0) -> Tensor:
        """Draw images by decoding codes of the prior: shape (num_images, C, H, W), float32."""
        return self.decode(self.sample_codes(num_images, seed))

    def reconstruction_term(self, x_BCHW: Tensor, z_BL: Tensor) -> Tensor:
        """Return rec(x, g(z)) of each image, shape (B,)."""
        return self.reconstruction.loss(x_BCHW, self.decoder(z_BL))

    def objective(self, x_BCHW: Tensor, draws: Draws) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum of the terms, averaged over the batch, and each term's own average.

        Args:
            x_BCHW: Clean images in [0, 1], float32.
            draws: The random numbers of this batch.
        """
        means = {name: term.mean() for name, term in self.loss_terms(x_BCHW, draws).items()}
        weights = self.term_weights()
        total = torch.stack([weights.get(name, 1.0) * mean for name, mean in means.items()]).sum()
        return total, means

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the objective of a batch, and log it with its terms."""
        loss, means = self.objective(batch.images, self._draws("train", batch, self.current_epoch, batch_idx))
        terms = {f"train/{name}": mean.detach() for name, mean in means.items()}
        self.log_dict({"train/loss": loss.detach(), **terms}, batch_size=len(batch.images))
        return loss * self._share_of_global_batch(batch)

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
        with refusal_explained("model.optimizer"):
            optimizer = use_fused(self.build_optimizer(self.parameters()))
        if self.build_scheduler is None:
            return optimizer
        with refusal_explained("model.scheduler"):
            scheduler = self.build_scheduler(optimizer)
        settings: dict[str, Any] = {"scheduler": scheduler, "interval": self.scheduler_interval}
        if hasattr(scheduler, "monitor"):
            settings["monitor"] = scheduler.monitor
        return {"optimizer": optimizer, "lr_scheduler": settings}  # type: ignore[return-value]

    def _evaluate(self, stage: str, batch: Batch, batch_idx: int) -> None:
        loss, means = self.objective(batch.images, self._draws(stage, batch, batch_idx))
        # Lightning averages the ranks' counts as whole numbers, so that every rank counts the global batch instead.
        share = self._share_of_global_batch(batch)
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

    def _share_of_global_batch(self, batch: Batch) -> float:
        """Return what to weigh this rank's mean by, since ranks are averaged as if their batches were equal."""
        return len(batch.images) * self.trainer.world_size / batch.global_size
