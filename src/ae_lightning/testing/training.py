"""Small images and a quiet Trainer, for tests that train."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.optim import Optimizer

from ae_lightning.data.batch import Batch
from ae_lightning.data.datamodule import DataModule
from ae_lightning.draws import Draws
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks import Shape
from ae_lightning.spec import DataSpec

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


NUM_CLASSES = 4
"""Classes of generated samples: the quarter of the image that a spot lies in."""


def generate_samples(spec: DataSpec, num: int, seed: int = 0) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Draw samples and their classes.

    Args:
        spec: What they are: of images, bright round spots on black, each of its own place, size and colour; of vectors
            and sequences, points near a plane, of very different size along each axis.
        num: How many.
        seed: Fixes them.

    Returns:
        Shape (num, *spec.shape), uint8 of images, else float32; and classes from 0 to 3, shape (num,).
    """
    random = np.random.default_rng(seed)
    places = random.uniform(0.2, 0.8, (2, num))
    classes = 2 * (places[0] > 0.5).astype(np.int64) + (places[1] > 0.5)
    if spec.kind == "image":
        return _spots(spec.shape, places, random), classes
    # The plane and the sizes are the same whatever is drawn.
    fixed = np.random.default_rng(0)
    plane, sizes = fixed.normal(size=(2, spec.num_values)), 10 ** fixed.uniform(-1, 2, spec.num_values)
    points = (2 * places.T - 1) @ plane + 0.05 * random.normal(size=(num, spec.num_values))
    return (points * sizes + sizes).astype(np.float32).reshape(num, *spec.shape), classes


def _spots(
    shape: tuple[int, ...], places: npt.NDArray[np.float64], random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    channels, height, width = shape
    num = places.shape[1]
    rows, columns = np.mgrid[0:height, 0:width]
    centre = places.reshape(2, num, 1, 1, 1) * np.array([height, width]).reshape(2, 1, 1, 1, 1)
    radius = random.uniform(0.15, 0.35, (num, 1, 1, 1)) * min(height, width)
    colour = random.uniform(0.4, 1.0, (num, channels, 1, 1))
    squares = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2
    images: npt.NDArray[np.float64] = 255 * colour * np.exp(-squares / (2 * radius**2))
    return np.rint(images).astype(np.uint8)


def generate_images(shape: Shape, num_images: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Draw images of bright round spots on black: shape (num_images, C, H, W)."""
    return generate_samples(DataSpec(shape), num_images, seed)[0]


def generate_batch(shape: tuple[int, ...] | DataSpec, num: int, seed: int = 0) -> Tensor:
    """Draw samples as a model sees them: float32, shape (num, …); images in [0, 1], all else about 1 in size.

    Args:
        shape: What they are, or the shape of images.
        num: How many.
        seed: Fixes them.
    """
    spec = shape if isinstance(shape, DataSpec) else DataSpec(shape)
    samples = generate_samples(spec, num, seed)[0]
    if spec.kind == "image":
        return torch.from_numpy(samples).float().div(255)
    known = generate_samples(spec, 1000, 1)[0]
    return torch.from_numpy((samples - known.mean(axis=0)) / known.std(axis=0))


def generate_classes(num: int, seed: int = 0) -> Tensor:
    """Return the classes of the same samples: int64, shape (num,)."""
    return torch.from_numpy(generate_samples(DataSpec((1, 1, 1)), num, seed)[1])


def write_images(folder: Path, shape: tuple[int, ...] | DataSpec, num_train: int, num_test: int = 2) -> Path:
    """Write generated samples and their classes to an archive that `data.name` npz reads; return its path."""
    path = folder / "samples.npz"
    spec = shape if isinstance(shape, DataSpec) else DataSpec(shape)
    samples, classes = generate_samples(spec, num_train + num_test)
    np.savez(
        path,
        x_train=samples[:num_train],
        x_test=samples[num_train:],
        y_train=classes[:num_train],
        y_test=classes[num_train:],
    )
    return path


def batch_of(x: Tensor, labels: Tensor | None = None, num_views: int = 1) -> Batch:
    """Return one process's batch of samples, shape (B, …), as a loss takes it; further views are `x` again."""
    return Batch(x, labels, torch.arange(len(x)), offset=0, global_size=len(x), views=(x,) * (num_views - 1))


def draws_for(model: Autoencoder, x: Tensor, stream: str = "test") -> Draws:
    """Return the random numbers of one process's batch."""
    num_images = len(x)
    return Draws(model.seed, stream, (0,), offset=0, num_images=num_images, global_size=num_images, device=x.device)


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


def validation_terms(model: Autoencoder, data: DataModule, precision: Precision = "32-true") -> dict[str, float]:
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


class EpochCheckpoints(pl.Callback):
    """Writes a checkpoint at the end of every epoch.

    Args:
        folder: Where to.

    Attributes:
        paths: Of those that were written, in their order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[Path] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write one."""
        self.paths.append(self.folder / f"epoch-{trainer.current_epoch}.ckpt")
        trainer.save_checkpoint(self.paths[-1])


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
        trainer: Further arguments of Trainer.
    """

    variant: type[Autoencoder]
    options: Mapping[str, Any]
    data: Mapping[str, Any]
    epochs: int
    trainer: Mapping[str, Any] = field(default_factory=dict)

    def run(self, num_ranks: int = 1, **trainer_options: Any) -> Training:
        """Train, then validate.

        Args:
            num_ranks: How many processes share a batch.
            trainer_options: Further arguments of Trainer, of validation too.
        """
        torch.manual_seed(0)
        model = self.variant(**self.options)
        data = DataModule(**{**self.data, "batch_size": self.data["batch_size"] // num_ranks})
        recorder = GradientRecorder()
        build_trainer(self.epochs, callbacks=[recorder], **self.trainer, **trainer_options).fit(model, data)
        validator = build_trainer(validate=True, **trainer_options)
        (logged,) = validator.validate(model, data, verbose=False)
        return Training([flatten(step.values()) for step in recorder.steps], weights_of(model), dict(logged))


def flatten(tensors: Any) -> Tensor:
    """Return the tensors' numbers in one vector, a copy."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors]).clone()


def weights_of(model: Autoencoder) -> Tensor:
    """Return every parameter of a model in one vector, a copy."""
    return flatten(model.parameters())


def includes(found: Any, expected: Any) -> bool:
    """Whether all that is expected was found, in nested mappings too; defaults may have been filled in."""
    if isinstance(expected, Mapping):
        return all(name in found and includes(found[name], value) for name, value in expected.items())
    return bool(found == expected)
