"""A model and data so small that an epoch is three batches."""

from __future__ import annotations

from ae_lightning.data.datamodule import DataModule
from ae_lightning.networks import Linear
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer, write_images

SHAPE = (1, 8, 8)
NUM_TRAIN = 22
SMALL = {"spec": DataSpec(SHAPE), "network": Linear(), "latent_dim": 3}


def small_data(folder):
    """22 training images in batches of 8, 8 and 6; 5 to validate on, 2 to test on."""
    path = str(write_images(folder, SHAPE, NUM_TRAIN + 5))
    return DataModule(name="npz", path=path, batch_size=8, num_val=5, scaling="unit")


def whole_split(data, name):
    return data.scale(data.split(name).x)


def fit(model, data, epochs=1, **options):
    trainer = build_trainer(epochs, **options)
    trainer.fit(model, data)
    return trainer
