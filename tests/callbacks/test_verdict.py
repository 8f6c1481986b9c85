"""What a run comes to in words."""

from __future__ import annotations

import pytest

from ae_lightning.callbacks.verdict import verdict
from ae_lightning.networks import Conv, Linear
from ae_lightning.spec import DataSpec
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE


def built(variant, latent_dim, **options):
    return variant(spec=DataSpec((1, 8, 8)), network=Linear(), latent_dim=latent_dim, **options)


class OfMaps(VanillaAE):
    """Codes of 8 × 4 × 4 numbers for 8 × 8 values."""

    codes_are_maps = True


def test_it_says_where_the_model_is_ahead_and_where_behind():
    own = {"mse": 0.1, "pca_mse": 0.2, "psnr": 20.0, "pca_psnr": 10.0, "knn_accuracy": 0.8, "pca_knn_accuracy": 0.9}
    assert verdict(own, built(VanillaAE, 8)) == [
        "verdict: ahead of PCA to reconstruct (mse, psnr); behind PCA to classify (knn_accuracy)"
    ]


def test_without_pca_there_is_none():
    assert verdict({"mse": 0.1, "loss": 3.0}, built(VanillaAE, 8)) == []


def test_what_is_neither_better_nor_worse_decides_nothing():
    own = {"mse": 0.1, "pca_mse": 0.1, "active_units": 3.0, "pca_active_units": 8.0}
    assert verdict(own, built(VanillaAE, 8)) == []


@pytest.mark.parametrize(("own", "pca"), [(-5e-4, -7e-4), (-7e-4, -5e-4), (-1e-4, 0.0)])
def test_estimates_below_zero_decide_nothing(own, pca):
    """They differ by chance alone: the model, which is named first, was ahead whichever was lower."""
    assert verdict({"prior_mmd": own, "pca_prior_mmd": pca}, built(VanillaAE, 8)) == []
    assert verdict({"prior_mmd": own, "pca_prior_mmd": 0.1}, built(VanillaAE, 8)) == [
        "verdict: ahead of PCA to generate (prior_mmd)"
    ]


@pytest.mark.parametrize(
    ("model", "more", "said"),
    [
        (
            built(VAE, 8, beta=1),
            {"kl": 0.2, "active_units": 1.0},
            "β = 1 and only 1 of 8 units are in use; --model.beta 0.2",
        ),
        (built(VAE, 8, beta=0.5), {"kl": 9.0, "active_units": 8.0}, "β = 0.5 in the objective; --model.beta 0.12"),
        (built(VanillaAE, 32), {}, "32 numbers for 64 values leave PCA next to nothing to lose; --model.latent_dim 8"),
        (
            OfMaps(spec=DataSpec((1, 8, 8)), network=Conv(filters=(4,), kernel_size=3), latent_dim=8),
            {},
            "128 numbers for 64 values leave PCA next to nothing to lose; --model.latent_dim 1",
        ),
        (VanillaAE(spec=DataSpec((1, 2, 2)), network=Linear(), latent_dim=2), {}, "a longer training"),
        (built(VanillaAE, 8), {}, "a longer training (--trainer.max_epochs)"),
    ],
)
def test_where_pca_reconstructs_better_it_says_what_to_try(model, more, said):
    lines = verdict({"mse": 0.2, "pca_mse": 0.1, **more}, model)
    assert lines[0] == "verdict: behind PCA to reconstruct (mse)"
    assert lines[1].startswith("to try: ")
    assert said in lines[1]
