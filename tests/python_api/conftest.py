"""Samples in arrays, and settings that train next to nothing."""

from __future__ import annotations

import numpy as np
import pytest

import ae_lightning as ael

QUICK = {
    "trainer": {"max_epochs": 1, "enable_model_summary": False, "num_sanity_val_steps": 0},
    "evaluation": {"every_n_epochs": 0, "measures": ["mse"], "pictures": []},
}


@pytest.fixture(scope="package")
def faces():
    """60 grey pictures of 8 × 6 bytes."""
    return np.random.default_rng(0).integers(0, 256, (60, 8, 6), dtype=np.uint8)


@pytest.fixture(scope="package")
def names():
    """A word for each of them."""
    return np.array(["cat", "dog", "bird"])[np.arange(60) % 3]


@pytest.fixture
def quick_fit(workspace):
    """Train next to nothing in a directory of its own."""

    def run(model, x, *labels, **options):
        return ael.fit(model, x, *labels, **{**QUICK, **options})

    return run


@pytest.fixture(scope="package")
def small(tmp_path_factory, empty_store, work_in, faces, names):
    """The result of one training of a tiny VAE, and its working directory; tests only read it."""
    import shutil

    folder = tmp_path_factory.mktemp("python_api")
    shutil.copy(empty_store, folder)
    with work_in(folder) as workspace:
        result = ael.fit("vae", faces, names, latent_dim=2, network=ael.MLP(hidden=(8,)), **QUICK)
        yield result, workspace
