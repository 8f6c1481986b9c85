"""What every model is: an encoder, a decoder, and the questions that it answers.

A variant overrides `loss_terms`, which returns its terms by name, unweighted; the base weighs, sums, averages, logs
and optimises them. One that trains on something else than its objective says so by `phases` and `players`.

Shape suffixes: B batch, L latent_dim, F features. A sample `x` has shape (B, *spec.shape), a `latent` whatever `decode`
takes: of most variants `z_BL`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from ae_lightning.checks import require_at_least, require_instance
from ae_lightning.data.batch import Batch
from ae_lightning.data.corruption import corrupt
from ae_lightning.data.foreign import PROMISE, ForeignData, SeenData, data_of
from ae_lightning.data.splits import rows_of
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError
from ae_lightning.hyperparameters import plain_hyperparameters, plain_value
from ae_lightning.judging.numpy_model import Labels, Rows
from ae_lightning.losses.full_precision import full_precision
from ae_lightning.losses.reconstruction import OutputActivation, ReconstructionName, build_reconstruction
from ae_lightning.models.conditions import append_condition, condition_sample, with_condition
from ae_lightning.models.inputs import as_latents, as_samples
from ae_lightning.models.shapes import output_shape, require_samples_back
from ae_lightning.models.split_terms import Term
from ae_lightning.models.trained_module import SchedulerInterval, TrainedModule
from ae_lightning.networks import CodeMap, Conv, Network
from ae_lightning.networks.single_images import require_single_images_taken
from ae_lightning.priors.base import Prior
from ae_lightning.priors.normal import Normal
from ae_lightning.samplers.base import Sampler
from ae_lightning.samplers.prior import Prior as PriorSampler
from ae_lightning.spec import DataSpec

NUM_ENCODED = 256
"""Samples of the train split that are encoded at a time."""

DEFAULT_NOISE = 0.3
"""Standard deviation of the noise that variants without a corruption of their own are judged on."""


class Prediction(NamedTuple):
    """What `predict` gives for a batch.

    Attributes:
        indices: Positions of the samples in their split, shape (B,).
        codes: What measures look at, shape (B, F), float32.
        latents: What `decode` takes, of any shape; None where that is the codes.
        reconstructions: Shape (B, *spec.shape), float32.
    """

    indices: Tensor
    codes: Tensor
    latents: Tensor | None
    reconstructions: Tensor


class Autoencoder(TrainedModule):
    """An encoder, a decoder, and the training of both on a sum of loss terms.

    Args:
        spec: What a sample is; the data give it.
        network: The recipe for encoder and decoder.
        latent_dim: Length of a code; of a map, its channels.
        prior: What codes are drawn from to make samples, and by some variants asked to follow.
        reconstruction: Loss between sample and reconstruction, summed over the values of a sample.
        output_activation: `auto` follows the network, the loss and the range of the values.
        optimizer: Makes the optimizer from the parameters; its fused step is used where there is one.
        scheduler: Makes the learning-rate scheduler from the optimizer; `ReduceLROnPlateau` names its `monitor`.
        scheduler_interval: Whether the scheduler steps once an epoch or once a batch.
        seed: Fixes every random draw of training and validation; follows `seed_everything`.

    Raises:
        ConfigError: If a value is out of range, the network cannot be built for these samples, or labels are needed and
            there are none.

    Attributes:
        resolved: Arguments that were left to the variant, and what it took for them; a run records them.
    """

    outputs_per_latent: ClassVar[int] = 1
    """Encoder outputs a latent dimension: 2 where it gives a mean and a log-variance."""

    codes_are_maps: ClassVar[bool] = False
    """Whether the network is asked for a map (latent_dim, h, w) of each sample, in place of a vector."""

    needs_labels: ClassVar[bool] = False
    """Whether batches bring labels, −1 where missing; every other variant never sees one."""

    num_views: ClassVar[int] = 1
    """How many views of a sample a training step is given: `batch.x`, and `batch.views`, each augmented by itself."""

    conditional: ClassVar[bool] = False
    """Whether encoder and decoder are given the labels as well; `needs_labels` follows."""

    def __init_subclass__(cls) -> None:
        """Let a conditional variant say that it needs labels."""
        super().__init_subclass__()
        cls.needs_labels = cls.needs_labels or cls.conditional

    def __init__(
        self,
        *,
        spec: DataSpec,
        network: Network = Conv(),  # noqa: B008  (a recipe is never changed)
        latent_dim: int = 32,
        prior: Prior = Normal(),  # noqa: B008  (nor is this)
        reconstruction: ReconstructionName = "mse",
        output_activation: OutputActivation = "auto",
        optimizer: OptimizerCallable = torch.optim.Adam,
        scheduler: LRSchedulerCallable | None = None,
        scheduler_interval: SchedulerInterval = "epoch",
        seed: int = 0,
    ) -> None:
        super().__init__(optimizer=optimizer, scheduler=scheduler, scheduler_interval=scheduler_interval, seed=seed)
        require_at_least("model.latent_dim", latent_dim)
        require_instance("spec", spec, DataSpec, "DataSpec((1, 28, 28))")
        require_instance("model.network", network, Network, "MLP()")
        require_instance("model.prior", prior, Prior, "Normal()")
        if self.needs_labels and not spec.num_classes:
            raise ConfigError(f"model: {type(self).__name__} needs labels, and these data have none")
        # Not for the logger: the recorder logs them under the command line's keys.
        self.save_hyperparameters(logger=False)
        if "_class_path" not in self.hparams:
            self._set_hparams(plain_hyperparameters(type(self), self.hparams))
        # The command line gives it as it comes from the data.
        self.hparams["spec"] = plain_value("spec", spec)
        self.spec = spec
        self.latent_dim = latent_dim
        self.resolved: dict[str, Any] = {"latent_dim": latent_dim}
        self.prior = prior
        self.sampler = PriorSampler()
        self.reconstruction = build_reconstruction(
            reconstruction, output_activation, spec.value_range, is_linear=network.is_linear
        )
        self._build(network)
        self.to(memory_format=torch.channels_last)
        # Without labels a conditional model gives nothing, and Lightning's summary would ask it.
        self.example_input_array = None if self.conditional else torch.zeros(2, *spec.shape)

    @property
    def seen_spec(self) -> DataSpec:
        """What the encoder sees: a sample, and of a conditional variant a channel or value more for each class."""
        return with_condition(self.spec) if self.conditional else self.spec

    @property
    def weights_dtype(self) -> torch.dtype:
        """The type that the network computes in outside autocast; Lightning's `dtype` does not follow `bfloat16()`."""
        return next((parameter.dtype for parameter in self.encoder.parameters()), torch.float32)

    @property
    def has_vector_codes(self) -> bool:
        """Whether the latents are real numbers, and measures look at just these."""
        return self.code_bits() is None and not self.has("features")

    def _build(self, network: Network) -> None:
        num_outputs, num_inputs = self.outputs_per_latent * self.latent_dim, self.latent_dim
        seen = self.seen_spec
        if self.conditional:
            num_inputs += self.spec.num_classes
        as_map = self.codes_are_maps
        self.encoder = network.build_encoder(seen, CodeMap(num_outputs) if as_map else num_outputs)
        self.decoder = network.build_decoder(CodeMap(num_inputs) if as_map else num_inputs, self.spec)
        self.code_shape: tuple[int, ...] = (self.latent_dim,)
        """Of what the encoder makes of a sample: (L,), or of a map (L, h, w)."""
        found = output_shape(self.encoder, seen.shape, "encoder")
        if found[:1] != (num_outputs,) or len(found) != (3 if as_map else 1):
            wanted = f"a map of {num_outputs} channels" if as_map else f"{num_outputs} numbers"
            raise ConfigError(f"model.network: its encoder gives {found}, where {wanted} are needed")
        self.code_shape = (self.latent_dim, *found[1:])
        require_samples_back(self.decoder, (num_inputs, *found[1:]), self.spec)

    def loss_terms(self, batch: Batch, draws: Draws) -> Mapping[str, Term]:
        """Return the terms of the objective by name, unweighted; here, rec(x, g(f(x))) alone.

        Args:
            batch: Clean samples, as scaled; with labels if the variant says `needs_labels`.
            draws: The random numbers of this batch.

        Returns:
            Terms of shape (B,), one value a sample; of shape () for one of the whole batch; or a `MomentTerm`.
        """
        return {"reconstruction": self.reconstruction_term(batch, self.encode(batch.x, batch.labels))}

    def encoder_output(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Return what the encoder makes of samples, in full precision.

        Args:
            x: Shape (B, *spec.shape), a tensor or an array of any floating type.
            given: Classes, int64, shape (B,), −1 where missing; what a conditional variant appends.

        Raises:
            DataError: If it is none, or of another shape.
        """
        x = as_samples(x, self.spec, self.device, self.weights_dtype)
        if self.conditional:
            x = condition_sample(x, given, self.spec)
        output: Tensor = self.encoder(x)
        return full_precision(output)

    def decoder_output(self, latent: Tensor, given: Tensor | None = None) -> Tensor:
        """Return what the decoder makes of latents, before the output activation: shape (B, *spec.shape)."""
        latent = as_latents(latent, self.device, self.weights_dtype)
        if self.conditional:
            latent = append_condition(latent, given, self.spec.num_classes)
        output: Tensor = self.decoder(latent)
        return output

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Return the latents of samples, in full precision; of a distribution over codes, its mean.

        Args:
            x: Shape (B, *spec.shape).
            given: Classes, int64, shape (B,), −1 where missing; None unless the variant says `needs_labels`.

        Returns:
            What `decode` takes: a vector (B, L), a map (B, L, h, w), or indices.
        """
        return self.encoder_output(x, given)

    def features(self, latent: Tensor) -> Tensor:
        """Return what measures look at, shape (B, F), float32: the latents themselves, as vectors."""
        return latent.flatten(1).float()

    def code_bits(self) -> float | None:
        """Return the bits of a sample's latent where it is discrete; None where it is of real numbers."""
        return None

    def assign(self, latent: Tensor) -> Tensor:
        """Return the probabilities of a model's own clusters, shape (B, K), float32, where it has clusters.

        Raises:
            NotImplementedError: If it has none.
        """
        raise NotImplementedError(f"{type(self).__name__} has no clusters of its own")

    @classmethod
    def has(cls, capability: str) -> bool:
        """Whether the variant overrides one of the base's optional methods, such as `assign` or `corrupt`."""
        return getattr(cls, capability) is not getattr(Autoencoder, capability)

    def decode(self, latent: Tensor, given: Tensor | None = None) -> Tensor:
        """Return the samples of latents, shape (B, *spec.shape), float32; they depend on latents and classes alone."""
        return self.reconstruction.activate(self.decoder_output(latent, given))

    def reconstruct(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Return what is decoded from the samples' own mean codes, shape (B, *spec.shape), float32."""
        return self.decode_like(self.encode(x, given), x, given)

    def decode_like(self, latent: Tensor, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Return the reconstructions of samples from their latents, shape (B, *spec.shape), float32."""
        return self.reconstruction.activate(self.decoder_output(latent, given), x)

    def forward(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Reconstruct."""
        return self.reconstruct(x, given)

    def draw_posterior_codes(self, x: Tensor, draws: Draws, given: Tensor | None = None) -> Tensor:
        """Return a latent of each sample as training draws it; its own where it is no distribution.

        Args:
            x: Clean samples, as scaled.
            draws: The random numbers of this batch.
            given: As `encode` takes it.
        """
        return self.encode(x, given)

    def corrupt(self, x: Tensor, draws: Draws) -> Tensor:
        """Return corrupted samples, in the range of clean ones, if they have one: what denoising is measured on.

        Gaussian noise of standard deviation 0.3 in the units of the samples as scaled, unless a variant has its own.
        """
        return corrupt(x, "gaussian", draws.normal(*x.shape[1:]), DEFAULT_NOISE, self.spec.value_range)

    def draw_prior(self, draws: Draws, given: Tensor | None = None) -> Tensor:
        """Draw a latent for each sample of a batch from the prior: what `decode` takes.

        Args:
            draws: The random numbers of this batch.
            given: As `encode` takes it.
        """
        return self.prior.draw(draws, self.code_shape, given)

    def sample_codes(self, num_images: int, seed: int = 0, given: Tensor | None = None) -> Tensor:
        """Draw latents from the prior: (num_images, …), on the model's device, the same ones for a seed."""
        draws = Draws(seed, "sample", (), offset=0, num_images=num_images, global_size=num_images, device=self.device)
        return self.draw_prior(draws, given)

    @property
    def sampler(self) -> Sampler:
        """What `sample` draws latents with: the prior, unless another was fitted to the training codes."""
        return self._sampler

    @sampler.setter
    def sampler(self, sampler: Sampler) -> None:
        sampler.attach(self.prior_rows)
        self._sampler = sampler

    @torch.no_grad()
    def prior_rows(self, num: int, seed: int, given: Labels | None = None) -> Rows:
        """Draw latents from the prior as an array, as measures and samplers ask for them."""
        known = self.classes_in_turn(num) if given is None or not self.needs_labels else torch.from_numpy(given)
        return self.sample_codes(num, seed, None if known is None else known.to(self.device)).cpu().numpy()

    def classes_in_turn(self, num: int) -> Tensor | None:
        """Return one class after the other, int64, shape (num,), for a model that needs labels; None for others."""
        return torch.arange(num) % self.spec.num_classes if self.needs_labels else None

    @torch.no_grad()
    def sample(self, num_images: int, seed: int = 0, given: Tensor | None = None) -> Tensor:
        """Draw samples by decoding what the sampler draws: shape (num_images, *spec.shape), float32.

        Args:
            num_images: How many.
            seed: Fixes them.
            given: Classes, int64, shape (num_images,); None takes one class after the other, where there are any.
        """
        given = self.classes_in_turn(num_images) if given is None else given
        latents = self.sampler.draw(num_images, seed, None if given is None else given.cpu().numpy())
        known = None if given is None else given.to(self.device)
        return self.decode(torch.from_numpy(latents).to(self.device), known)

    def reconstruction_term(self, batch: Batch, latent: Tensor) -> Tensor:
        """Return rec(x, g(z)) of each clean sample of a batch, shape (B,)."""
        return self.reconstruction.loss(batch.x, self.decoder_output(latent, batch.labels))

    def predict_step(self, batch: Batch, batch_idx: int) -> Prediction:
        """Return the codes and reconstructions of a batch."""
        latent = self.encode(batch.x, batch.labels)
        codes = self.features(latent)
        kept = None if self.has_vector_codes and latent.ndim == 2 else latent
        return Prediction(batch.indices, codes, kept, self.decode_like(latent, batch.x, batch.labels))

    def train_split_codes(self) -> Tensor:
        """Return the codes of the train split in eval mode: shape (N, F), float32, on the processor.

        Of a stream, of the fixed sample that measures look at. The first rank encodes them for all.
        """
        data = self.require_train_split()
        codes: list[Tensor] = []
        if self.trainer.is_global_zero:
            split = data.split("train")
            given = split.labels_or_missing() if self.needs_labels else None
            modes = {module: module.training for module in self.modules()}
            self.eval()
            with torch.no_grad():
                for chosen in torch.split(torch.arange(len(split)), NUM_ENCODED):
                    x = data.scale(rows_of(split.x, chosen)).to(self.device)
                    known = None if given is None else given[chosen].to(self.device)
                    codes.append(self.features(self.encode(x, known)).cpu())
            for module, mode in modes.items():
                module.training = mode
        return torch.cat(self.trainer.strategy.broadcast(codes))

    def require_train_split(self) -> SeenData:
        """Return the Trainer's data, whose train split can be encoded.

        Raises:
            ConfigError: If it has bare loaders.
        """
        data = data_of(self.trainer)
        if data is None:
            raise ConfigError(
                f"data: {type(self).__name__} begins a phase with the codes of the train split; give a data module"
            )
        return data

    def setup(self, stage: str) -> None:
        """Take batches of data of others as ours, and say before a training what is promised for our own alone."""
        super().setup(stage)
        data = data_of(self.trainer)
        if stage == "fit" and self.num_views > 1 and not (data is not None and data.is_augmented):
            seen = f"{type(self).__name__} trains on {self.num_views} views of each image"
            raise ConfigError(f"data.augment: {seen}, which it makes; it must not be null")
        if not isinstance(data, ForeignData):
            return
        data.give_batches(self.example_input_array, with_labels=self.needs_labels, num_views=self.num_views)
        if stage == "fit":
            rank_zero_warn(PROMISE.format(name=data.dataset_name))

    def require_trains_on_one(self) -> None:
        """Refuse a batch of a single sample where batch norm needs more.

        Raises:
            ConfigError: If it does.
        """
        num_classes = self.spec.num_classes if self.conditional else 0
        require_single_images_taken(self.encoder, self.seen_spec.shape)
        require_single_images_taken(self.decoder, (self.latent_dim + num_classes, *self.code_shape[1:]))
