"""What a linear autoencoder learns is PCA (Velardo; Baldi & Hornik 1989)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from ae_lightning.data.datamodule import DataModule
from ae_lightning.networks import MLP, Linear
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import batch_of, draws_for
from ae_lightning.variants.vanilla import VanillaAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

LATENT_DIM = 8
NUM_EPOCHS = 1000
BATCH_SIZE = 256


def squared_error(images, reconstructions):
    """The mean over all pixels of all images."""
    return float(np.square(np.asarray(images) - np.asarray(reconstructions)).mean())


def pca_error(train, test, num_components):
    pca = PCA(num_components).fit(train)
    return squared_error(test, pca.inverse_transform(pca.transform(test)))


@pytest.fixture(scope="module")
def images(digits):
    """The training images, shape (N, 1, 8, 8)."""
    return digits.scale(digits.split("train").x)


@pytest.fixture(scope="module")
def linear(images):
    """A linear autoencoder trained by Adam with cosine decay: a loop of its own, since a thousand epochs are short."""
    torch.manual_seed(0)
    model = VanillaAE(spec=DataSpec((1, 8, 8)), network=Linear(), latent_dim=LATENT_DIM)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2, fused=True)
    num_batches = math.ceil(len(images) / BATCH_SIZE)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, NUM_EPOCHS * num_batches)
    for _ in range(NUM_EPOCHS):
        for batch in images[torch.randperm(len(images))].split(BATCH_SIZE):
            optimizer.zero_grad()
            model.objective(batch_of(batch), draws_for(model, batch))[0].backward()
            optimizer.step()
            scheduler.step()
    return model.requires_grad_(False)


@pytest.mark.slow
def test_a_linear_autoencoder_spans_the_principal_subspace(linear, images):
    components = PCA(LATENT_DIM).fit(images.flatten(1).numpy()).components_
    basis = linear.decode(torch.eye(LATENT_DIM)) - linear.decode(torch.zeros(1, LATENT_DIM))
    angle = subspace_angles(basis.flatten(1).numpy().T, components.T).max()
    assert math.degrees(angle) < 2


@pytest.mark.slow
def test_a_linear_autoencoder_has_the_error_of_pca(linear, images):
    flat = images.flatten(1).numpy()
    error = squared_error(images, linear.reconstruct(images))
    assert error == pytest.approx(pca_error(flat, flat, LATENT_DIM), rel=0.01)


@pytest.fixture(scope="module")
def independent(tmp_path_factory):
    """Images whose 16 pixels are independent of each other, all alike."""
    path = tmp_path_factory.mktemp("independent") / "images.npz"
    random = np.random.default_rng(0)
    pixels = random.normal(0.5, 0.15, (10_000, 1, 4, 4)).clip(0, 1)
    images = np.rint(255 * pixels).astype(np.uint8)
    np.savez(path, x_train=images[:8000], x_test=images[8000:])
    return DataModule(name="npz", path=str(path), num_val=0)


@pytest.mark.slow
@pytest.mark.parametrize("latent_dim", [4, 8])
@pytest.mark.parametrize("network", [Linear(), MLP(hidden=[64])], ids=["linear", "mlp"])
def test_no_smaller_code_helps_where_pixels_are_independent(independent, train, network, latent_dim):
    """Each dimension of the code saves one pixel's variance, and nothing saves more (Velardo)."""
    model = train(
        VanillaAE,
        independent,
        20,
        learning_rate=3e-3,
        network=network,
        latent_dim=latent_dim,
        output_activation="identity",
    )
    fitted, judged = (independent.scale(independent.split(name).x) for name in ("train", "test"))
    error = squared_error(judged, model.reconstruct(judged))
    expected = pca_error(fitted.flatten(1).numpy(), judged.flatten(1).numpy(), latent_dim)
    assert error == pytest.approx(expected, rel=0.05)
    assert error == pytest.approx(float(judged.var()) * (16 - latent_dim) / 16, rel=0.05)
