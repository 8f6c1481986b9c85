"""Small images and a quiet Trainer, for tests that train."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim import Optimizer

from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.data.datamodule import ImageDataModule
from ae_lightning.draws import Draws
from ae_lightning.networks import Shape

Precision = Literal["32-true", "bf16-mixed"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread: on small images more only wait for each other, seconds where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def generate_images(shape: Shape, num_images: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Draw bright round spots on black, each of its own place, size and colour.

    Args:
        shape: Channels, height and width.
        num_images: How many.
        seed: Fixes them.

    Returns:
        Shape (num_images, C, H, W).
    """
    channels, height, width = shape
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width]
    place = random.uniform(0.2, 0.8, (2, num_images, 1, 1, 1)) * np.array([height, width]).reshape(2, 1, 1, 1, 1)
    radius = random.uniform(0.15, 0.35, (num_images, 1, 1, 1)) * min(height, width)
    colour = random.uniform(0.4, 1.0, (num_images, channels, 1, 1))
    squares = (rows - place[0]) ** 2 + (columns - place[1]) ** 2
    images: npt.NDArray[np.float64] = 255 * colour * np.exp(-squares / (2 * radius**2))
    return np.rint(images).astype(np.uint8)


def generate_batch(shape: Shape, num_images: int, seed: int = 0) -> Tensor:
    """Draw the same spots as the model sees them: float32 in [0, 1], shape (num_images, C, H, W)."""
    return torch.from_numpy(generate_images(shape, num_images, seed)).float().div(255)


def write_images(folder: Path, shape: Shape, num_train: int, num_test: int = 2) -> Path:
    """Write generated images to an archive that `ImageDataModule(name="npz")` reads; return its path."""
    path = folder / "images.npz"
    images = generate_images(shape, num_train + num_test)
    np.savez(path, x_train=images[:num_train], x_test=images[num_train:])
    return path


def draws_for(model: Autoencoder, x_BCHW: Tensor, stream: str = "test") -> Draws:
    """Return the random numbers of one process's batch."""
    num_images = len(x_BCHW)
    return Draws(
        model.seed, stream, (0,), offset=0, num_images=num_images, global_size=num_images, device=x_BCHW.device
    )


def build_trainer(
    epochs: int = 1,
    *,
    callbacks: Sequence[pl.Callback] = (),
    precision: Precision = "32-true",
    validate: bool = False,
    **options: Any,
) -> pl.Trainer:
    """Build a Trainer on the CPU that prints nothing and writes nothing.

    Args:
        epochs: How many to train for.
        callbacks: To be called.
        precision: Of training.
        validate: Whether `fit` validates after each epoch.
        options: Further arguments of Trainer.
    """
    # It would say what is already known, at every training of every test.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    return pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=list(callbacks),
        precision=precision,
        limit_val_batches=None if validate else 0,
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"devices": 1, "enable_checkpointing": False, **options},
    )


def validation_terms(model: Autoencoder, data: ImageDataModule, precision: Precision = "32-true") -> dict[str, float]:
    """Validate, and return what was logged, by name."""
    (logged,) = build_trainer(validate=True, precision=precision).validate(model, data, verbose=False)
    return dict(logged)


class GradientRecorder(pl.Callback):
    """Keeps the gradient of every parameter at every optimizer step, whoever calls the optimizers.

    Attributes:
        steps: For each step the gradients of the optimizer's own parameters, by name.
    """

    def __init__(self) -> None:
        self.steps: list[dict[str, Tensor]] = []

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Copy the gradients."""
        names = {parameter: name for name, parameter in pl_module.named_parameters()}
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.steps.append(
            {names[parameter]: parameter.grad.clone() for parameter in parameters if parameter.grad is not None}
        )


@dataclass(frozen=True)
class Training:
    """What one training left behind.

    Attributes:
        gradients: Of every step, each a vector.
        weights: Every parameter afterwards, in one vector.
        validation: What validation logged afterwards, by name.
    """

    gradients: list[Tensor]
    weights: Tensor
    validation: dict[str, float]


@dataclass(frozen=True)
class TrainingJob:
    """A training from a fixed start, which can be sent to another process.

    Attributes:
        variant: The class.
        options: Its constructor's arguments.
        data: The data module's arguments; `batch_size` is of the *global* batch.
        epochs: How many.
    """

    variant: type[Autoencoder]
    options: Mapping[str, Any]
    data: Mapping[str, Any]
    epochs: int

    def run(self, num_ranks: int = 1, **trainer_options: Any) -> Training:
        """Train, then validate.

        Args:
            num_ranks: How many processes share a batch.
            trainer_options: Further arguments of Trainer.
        """
        torch.manual_seed(0)
        model = self.variant(**self.options)
        data = ImageDataModule(**{**self.data, "batch_size": self.data["batch_size"] // num_ranks})
        recorder = GradientRecorder()
        build_trainer(self.epochs, callbacks=[recorder], **trainer_options).fit(model, data)
        validator = build_trainer(validate=True, **trainer_options)
        (logged,) = validator.validate(model, data, verbose=False)
        return Training([flatten(step.values()) for step in recorder.steps], weights_of(model), dict(logged))


def flatten(tensors: Any) -> Tensor:
    """Return the tensors' numbers in one vector, a copy."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).clone()


def weights_of(model: Autoencoder) -> Tensor:
    """Return every parameter of a model in one vector, a copy."""
    return flatten(model.parameters())
