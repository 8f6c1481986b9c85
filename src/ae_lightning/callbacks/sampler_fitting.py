"""When a sampler is fitted: after the training, to the weights that are then judged."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

from ae_lightning.callbacks.encoding import draw_training_latents
from ae_lightning.callbacks.narration import narrated
from ae_lightning.checkpoints.loading import load_state
from ae_lightning.checkpoints.sampler_file import read_sampler, sampler_path, write_sampler
from ae_lightning.data.foreign import SeenData, data_of
from ae_lightning.hyperparameters import plain_value
from ae_lightning.machine.distributed import whole_parameters
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.samplers.base import Sampler

MAX_FITTED = 50_000
"""Training samples whose codes a sampler is fitted to, at most; of more, a fixed random sample."""


class SamplerFitting(Callback):
    """Gives the model its sampler, before it is judged.

    After a training it is fitted to the codes of the weights that are tested, and kept beside their checkpoint.
    `validate` and `test` of a checkpoint take the kept one where that is what is asked for; else they fit one, which is
    not kept. The model of rank 0 alone is given it: no other draws samples.

    Args:
        sampler: What is asked for.
    """

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self._has_trained = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a sampler that takes no such codes, before anything is trained.

        Raises:
            ConfigError: If it does not.
        """
        if isinstance(pl_module, Autoencoder):
            self.sampler.require_takes(pl_module.code_shape, are_indices=pl_module.code_bits() is not None)

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note that what is tested next is new."""
        self._has_trained = True

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fit, unless this is a validation amid a training."""
        if trainer.state.fn != TrainerFn.FITTING:
            self._give(trainer, pl_module)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fit to the weights that are tested."""
        self._give(trainer, pl_module)

    def _give(self, trainer: pl.Trainer, model: pl.LightningModule) -> None:
        data = data_of(trainer)
        if not isinstance(model, Autoencoder) or data is None:
            return
        checkpoint = Path(trainer.ckpt_path) if trainer.ckpt_path else None
        # All ranks put the parameters together, for rank 0 to encode with.
        kept = None if self._has_trained else checkpoint
        with whole_parameters(trainer.strategy.model):
            if trainer.is_global_zero:
                what = f"fitting the sampler {type(self.sampler).__name__}"
                with narrated(trainer, what) if self.sampler.needs_codes else nullcontext():
                    model.sampler = sampler_for(model, data, self.sampler, kept)
        if self._has_trained and trainer.is_global_zero and checkpoint is not None:
            self._keep(checkpoint)
        self._has_trained = False

    def _keep(self, checkpoint: Path) -> None:
        if self.sampler.needs_codes:
            write_sampler(self.sampler, checkpoint, load_state(checkpoint)["state_dict"])
        else:
            # Of an earlier part of the training, with another configuration.
            sampler_path(checkpoint).unlink(missing_ok=True)


def sampler_for(model: Autoencoder, data: SeenData, wanted: Sampler, checkpoint: Path | None) -> Sampler:
    """Return a sampler that is ready to draw: the one that is kept, if it is the one that is wanted, or a fitted one.

    Args:
        model: In eval mode.
        data: Has the training samples.
        wanted: Class and settings of the sampler; what is fitted, if it comes to that.
        checkpoint: Of the model's weights; None not to look for a kept one.
    """
    if not wanted.needs_codes:
        return wanted
    if checkpoint is not None:
        kept = read_sampler(checkpoint, load_state(checkpoint)["state_dict"])
        if kept is not None and plain_value("sampler", kept) == plain_value("sampler", wanted):
            return kept
    latents, labels = draw_training_latents(model, data, MAX_FITTED, model.seed)
    wanted.fit(latents, model.seed, labels)
    return wanted
