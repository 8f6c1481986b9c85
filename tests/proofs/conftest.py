"""What the proofs share: real images, and trainings of an epoch or a few hundred."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import pytest
import torch

from ae_lightning.data.datamodule import DataModule
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.testing.training import build_trainer

Train = Callable[..., Autoencoder]


@pytest.fixture(scope="session")
def digits() -> DataModule:
    """scikit-learn's digits, none of them held out for validation."""
    return DataModule(name="digits", num_val=0)


@pytest.fixture(scope="session")
def mnist() -> DataModule:
    """MNIST, where the machine has it."""
    root = os.environ.get("AE_LIGHTNING_DATA")
    if not root:
        pytest.skip("AE_LIGHTNING_DATA is not set: no MNIST on this machine")
    return DataModule(name="mnist", root=root)


@pytest.fixture(scope="session")
def train() -> Train:
    """Build a variant for the images and train it, the same way every time."""

    def trained(variant, data, epochs, *, num_batches=None, learning_rate=1e-3, **options):
        torch.manual_seed(0)
        adam = {"optimizer": partial(torch.optim.Adam, lr=learning_rate)}
        model = variant(spec=data.spec, **adam, **options)
        build_trainer(epochs, limit_train_batches=num_batches or 1.0).fit(model, data)
        return model.eval().requires_grad_(False)

    return trained
