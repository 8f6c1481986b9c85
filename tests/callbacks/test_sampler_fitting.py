"""When a sampler is fitted, to what, and where it is kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ae_lightning.callbacks.sampler_fitting import SamplerFitting
from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.checkpoints.sampler_file import sampler_path
from ae_lightning.errors import ConfigError
from ae_lightning.networks import Conv
from ae_lightning.priors.base import Prior
from ae_lightning.samplers.gaussian_mixture import GaussianMixture
from ae_lightning.samplers.kernel_density import KernelDensity
from ae_lightning.samplers.prior import Prior as PriorSampler
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE
from small_trainings import NUM_TRAIN, SHAPE, SMALL, small_data, whole_split

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


class Maps(VanillaAE):
    """Codes that keep places."""

    codes_are_maps = True


class Bits(VanillaAE):
    """Says that its codes are discrete."""

    def code_bits(self):
        return 3.0


class ConditionalVAE(VAE):
    """Is given the classes."""

    conditional = True


class Shifted(Prior):
    """A class has its own place."""

    def draw(self, draws, code_shape, given=None):
        return draws.normal(*code_shape) + 100 * given[:, None]


def trained(model, data, folder, sampler):
    """Train for an epoch, write a checkpoint, and test it."""
    trainer = build_trainer(callbacks=[SamplerFitting(sampler)])
    trainer.fit(model, data)
    assert not isinstance(model.sampler, type(sampler)) or isinstance(sampler, PriorSampler)
    trainer.save_checkpoint(folder / "best.ckpt")
    trainer.test(model, data, ckpt_path=folder / "best.ckpt", weights_only=True, verbose=False)
    return trainer


def test_it_is_fitted_to_the_training_codes_once_training_is_over(tmp_path):
    data, model = small_data(tmp_path), VanillaAE(**SMALL)
    trained(model, data, tmp_path, KernelDensity())
    with torch.no_grad():
        expected = model.encode(whole_split(data, "train")).numpy()
    assert len(expected) == NUM_TRAIN
    np.testing.assert_allclose(model.sampler.state["codes"], expected, atol=1e-6)
    kept = load_autoencoder(tmp_path / "best.ckpt").eval()
    torch.testing.assert_close(kept.sample(5, seed=2), model.sample(5, seed=2))


def test_of_a_vae_it_is_fitted_to_draws_of_the_posterior(tmp_path):
    data, model = small_data(tmp_path), VAE(**SMALL)
    trained(model, data, tmp_path, KernelDensity())
    with torch.no_grad():
        mean_BL, log_variance_BL = model.posterior(whole_split(data, "train"))
    noise = (torch.from_numpy(model.sampler.state["codes"]) - mean_BL) * (-0.5 * log_variance_BL).exp()
    assert float(noise.std()) == pytest.approx(1, abs=0.3)


def test_a_test_of_a_checkpoint_takes_the_kept_one_and_keeps_no_other(tmp_path):
    data, model = small_data(tmp_path), VanillaAE(**SMALL)
    trained(model, data, tmp_path, KernelDensity(0.5))
    kept = sampler_path(tmp_path / "best.ckpt").read_bytes()
    for sampler, is_fitted in ((KernelDensity(0.5), False), (KernelDensity(0.25), True)):
        again = VanillaAE(**SMALL)
        trainer = build_trainer(callbacks=[SamplerFitting(sampler)])
        trainer.test(again, data, ckpt_path=tmp_path / "best.ckpt", weights_only=True, verbose=False)
        assert (again.sampler is sampler) == is_fitted
        assert again.sampler.bandwidth == sampler.bandwidth
        assert sampler_path(tmp_path / "best.ckpt").read_bytes() == kept


def test_a_validation_of_its_own_fits_one_too(tmp_path):
    data, model = small_data(tmp_path), VanillaAE(**SMALL)
    trainer = build_trainer(callbacks=[SamplerFitting(GaussianMixture())], validate=True)
    trainer.validate(model, data, verbose=False)
    assert isinstance(model.sampler, GaussianMixture)


def test_the_prior_keeps_nothing_and_takes_away_what_an_earlier_training_kept(tmp_path):
    data = small_data(tmp_path)
    for sampler, is_kept in ((GaussianMixture(), True), (PriorSampler(), False)):
        trained(VanillaAE(**SMALL), data, tmp_path, sampler)
        assert sampler_path(tmp_path / "best.ckpt").exists() == is_kept


def test_maps_are_drawn_as_maps(tmp_path):
    model = Maps(spec=DataSpec(SHAPE), network=Conv(filters=[4]), latent_dim=2)
    trained(model, small_data(tmp_path), tmp_path, GaussianMixture(num_components=2))
    assert model.sampler.draw(3, seed=0).shape == (3, *model.code_shape)
    assert model.sample(3).shape == (3, *SHAPE)


def test_indices_are_refused_before_training(tmp_path):
    with pytest.raises(ConfigError, match=r"^sampler: GaussianMixture takes codes of real numbers"):
        build_trainer(callbacks=[SamplerFitting(GaussianMixture())]).fit(Bits(**SMALL), small_data(tmp_path))


def test_a_prior_is_given_the_classes_that_are_decoded():
    model = ConditionalVAE(**{**SMALL, "spec": DataSpec(SHAPE, num_classes=3)})
    model.prior = Shifted()
    places = model.sampler.draw(6, seed=0, given=np.array([2, 0, 1, 1, 0, 2])).mean(axis=1)
    assert np.array_equal((places / 100).round(), [2, 0, 1, 1, 0, 2])
    given = torch.tensor([2, 0])
    codes = model.sample_codes(2, seed=3, given=given)
    with torch.no_grad():
        assert torch.equal(model.sample(2, seed=3, given=given), model.decode(codes, given))
