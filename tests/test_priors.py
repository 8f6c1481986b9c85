from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import chi2, chisquare, kstest
from torch import distributions

from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError
from ae_lightning.losses.divergence import gaussian_kl
from ae_lightning.parts import find_parts
from ae_lightning.priors.base import Prior
from ae_lightning.priors.mixture import Mixture
from ae_lightning.priors.normal import Normal
from ae_lightning.priors.swiss_roll import SwissRoll
from ae_lightning.spec import DataSpec
from ae_lightning.variants.double_sample_vae import DoubleSampleVAE
from ae_lightning.variants.sample_vae import SampleVAE
from ae_lightning.variants.vae import VAE

NUM_CODES = 20_000
PRIORS = [Normal(), Mixture(), SwissRoll()]
IN_PLANE = PRIORS[1:]


def each(priors):
    return pytest.mark.parametrize("prior", priors, ids=lambda prior: type(prior).__name__)


def draws_of(num_images=NUM_CODES, *, offset=0, global_size=None, seed=0):
    return Draws(
        seed,
        "prior",
        (0,),
        offset=offset,
        num_images=num_images,
        global_size=global_size or num_images,
        device=torch.device("cpu"),
    )


def codes_of(prior, latent_dim):
    return prior.draw(draws_of(), (latent_dim,)).double().numpy()


def p_value(values):
    """Of the values being draws from N(0, 1)."""
    return kstest(values, "norm").pvalue


def angles_of(plane):
    return np.arctan2(plane[:, 1], plane[:, 0]) % (2 * math.pi)


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
@each(PRIORS)
def test_there_is_a_code_for_each_image(prior, latent_dim):
    codes = prior.draw(draws_of(7), (latent_dim,))
    assert codes.shape == (7, latent_dim)
    assert codes.dtype == torch.float32


@each(PRIORS)
def test_ranks_draw_what_one_process_would(prior):
    whole = prior.draw(draws_of(10), (3,))
    parts = [prior.draw(draws_of(size, offset=start, global_size=10), (3,)) for start, size in ((0, 6), (6, 4))]
    assert torch.equal(torch.cat(parts), whole)


@each(PRIORS)
def test_seeds_draw_different_codes(prior):
    one, other = (prior.draw(draws_of(10, seed=seed), (3,)) for seed in (0, 1))
    assert not torch.equal(one, other)


@each(PRIORS)
def test_dimensions_beyond_the_plane_are_standard_normal(prior):
    codes = codes_of(prior, 5)
    assert all(p_value(codes[:, dimension]) > 0.001 for dimension in range(2, 5))
    assert np.abs(np.corrcoef(codes.T)[2:, :2]).max() < 0.03


def test_the_normal_prior_is_standard_normal_throughout():
    codes = codes_of(Normal(), 2)
    assert all(p_value(codes[:, dimension]) > 0.001 for dimension in range(2))


def test_the_mixture_has_ten_equal_round_components():
    """Counts of the nearest centres, and the distances to them: each squared one, over the variance, is χ²(2)."""
    codes = codes_of(Mixture(), 2)
    angles = 2 * math.pi * np.arange(10) / 10
    centres = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distances = np.linalg.norm(codes[:, None] - centres, axis=2)
    counts = np.bincount(distances.argmin(axis=1), minlength=10)
    assert chisquare(counts).pvalue > 0.001
    # Neighbours are 1.85 apart, less than four deviations: the mean over all components has no such overlap.
    squares = np.square(np.linalg.norm(codes, axis=1)).mean()
    assert squares == pytest.approx(3**2 + 2 * 0.5**2, rel=0.02)
    near = distances.min(axis=1)
    assert np.mean(near < 0.5) == pytest.approx(chi2.cdf(1, df=2), abs=0.01)


def test_the_swiss_roll_lies_along_a_spiral():
    """Its radius tells its angle: r = 0.2 φ, φ from 1.5 π to 4.5 π, but for noise of deviation 0.1."""
    plane = codes_of(SwissRoll(), 2)
    radius = np.linalg.norm(plane, axis=1)
    turns = np.round((radius / 0.2 - angles_of(plane)) / (2 * math.pi))
    off = radius - 0.2 * (angles_of(plane) + 2 * math.pi * turns)
    assert off.std() == pytest.approx(0.1, rel=0.1)
    assert np.quantile(radius, 0.001) > 0.2 * 1.5 * math.pi - 0.4
    assert np.quantile(radius, 0.999) < 0.2 * 4.5 * math.pi + 0.4


def test_the_swiss_roll_is_uniform_along_its_length():
    """An Archimedean spiral's length grows, but for a percent, with the square of its angle."""
    plane = codes_of(SwissRoll(), 2)
    radius = np.linalg.norm(plane, axis=1)
    squared = np.square(radius / (0.2 * math.pi))
    counts, _ = np.histogram(squared, bins=np.linspace(4, 19, 6))
    assert counts / counts.mean() == pytest.approx(np.ones(5), abs=0.06)


@each(IN_PLANE)
def test_a_code_of_one_dimension_is_the_first_of_the_plane(prior):
    """The same law, though not the same numbers: a quantile for a quantile."""
    shares = np.linspace(0.02, 0.98, 25)
    line, plane = codes_of(prior, 1)[:, 0], codes_of(prior, 2)[:, 0]
    np.testing.assert_allclose(np.quantile(line, shares), np.quantile(plane, shares), atol=0.15)


@each(PRIORS)
def test_a_map_is_drawn_as_the_vector_of_its_values(prior):
    vectors, maps = (prior.draw(draws_of(5), shape) for shape in ((12,), (3, 2, 2)))
    assert torch.equal(maps, vectors.view(5, 3, 2, 2))
    assert torch.equal(prior.log_prob(maps), prior.log_prob(vectors))


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_the_normal_density_is_torchs(latent_dim):
    z_BL = torch.randn(50, latent_dim, dtype=torch.float64)
    expected = distributions.Normal(0.0, 1.0).log_prob(z_BL).sum(1)
    torch.testing.assert_close(Normal().log_prob(z_BL), expected)


@pytest.mark.parametrize("latent_dim", [1, 2, 4])
def test_the_mixtures_density_is_torchs(latent_dim):
    z_BL = 2 * torch.randn(50, latent_dim, dtype=torch.float64)
    angles = 2 * math.pi * torch.arange(7, dtype=torch.float64) / 7
    centres = torch.stack([2 * angles.cos(), 2 * angles.sin()], 1)[:, :latent_dim]
    components = distributions.Independent(distributions.Normal(centres, 0.25), 1)
    mixture = distributions.MixtureSameFamily(distributions.Categorical(torch.ones(7)), components)
    expected = mixture.log_prob(z_BL[:, :2]) + distributions.Normal(0.0, 1.0).log_prob(z_BL[:, 2:]).sum(1)
    torch.testing.assert_close(Mixture(num_components=7, radius=2.0, std=0.25).log_prob(z_BL), expected)


@pytest.mark.parametrize("roll", [SwissRoll(), SwissRoll(scale=0.5, std=0.05), SwissRoll(scale=0.1, std=0.5)], ids=repr)
def test_the_swiss_rolls_density_is_the_mean_of_its_noise_along_the_spiral(roll):
    z_BL = roll.draw(draws_of(20), (2,)).double()
    shares = (torch.arange(50_000, dtype=torch.float64) + 0.5) / 50_000
    angles = 1.5 * math.pi * (1 + 8 * shares).sqrt()
    spiral = roll.scale * torch.stack([angles * angles.cos(), angles * angles.sin()], 1)
    noise = distributions.Normal(spiral[:, None], roll.std).log_prob(z_BL).sum(2)
    torch.testing.assert_close(roll.log_prob(z_BL), noise.logsumexp(0) - math.log(50_000), atol=0.002, rtol=0)


def test_a_density_integrates_to_one():
    def density(y, x):
        return float(Mixture(num_components=3, radius=1.0).log_prob(torch.tensor([[x, y]])).exp())

    assert dblquad(density, -4, 4, -4, 4, epsabs=1e-3)[0] == pytest.approx(1, abs=2e-3)


@each(IN_PLANE)
def test_draws_are_where_the_density_is_high(prior):
    """The mean log-density of its own draws is the negative entropy, which no other distribution's draws exceed."""
    own, other = prior.draw(draws_of(), (3,)), Normal().draw(draws_of(), (3,))
    assert prior.log_prob(own).mean() > Normal().log_prob(own).mean() + 0.5
    assert prior.log_prob(own).mean() > prior.log_prob(other).mean() + 0.5


@pytest.mark.parametrize(
    ("cls", "arguments", "message"),
    [
        (Mixture, {"num_components": 0}, r"^model\.prior\.num_components: 0 is not allowed; it must be at least 1$"),
        (Mixture, {"radius": 0}, r"^model\.prior\.radius: 0 is not allowed; it must be above 0$"),
        (Mixture, {"std": -1.0}, r"^model\.prior\.std: -1.0 is not allowed; it must be above 0$"),
        (SwissRoll, {"scale": 0.0}, r"^model\.prior\.scale: 0.0 is not allowed; it must be above 0$"),
        (SwissRoll, {"std": 0.0}, r"^model\.prior\.std: 0.0 is not allowed; it must be above 0$"),
    ],
)
def test_what_no_prior_is(cls, arguments, message):
    with pytest.raises(ConfigError, match=message):
        cls(**arguments)


class Uniform(Prior):
    """A user's own, without a density."""

    def draw(self, draws, code_shape, given=None):
        return 2 * draws.uniform(*code_shape) - 1


SPEC = DataSpec((1, 8, 8))


def test_the_folder_is_scanned():
    assert find_parts("ae_lightning.priors", Prior) == {"Normal": Normal, "Mixture": Mixture, "SwissRoll": SwissRoll}


def test_a_vaes_kl_to_another_prior_is_estimated_without_bias():
    """Against quadrature: q is a Gaussian in one dimension."""
    model = VAE(spec=SPEC, latent_dim=1, prior=Mixture(num_components=2, radius=1.0))
    mean_BL, log_variance_BL = torch.full((NUM_CODES, 1), 0.7), torch.full((NUM_CODES, 1), -1.0)
    z_BL = model.draw_posterior(mean_BL, log_variance_BL, draws_of())
    estimates = model.kl_term(mean_BL, log_variance_BL, z_BL, None)
    posterior = distributions.Normal(0.7, math.exp(-0.5))
    grid = torch.linspace(-4, 5, 20_001, dtype=torch.float64)
    ratio = posterior.log_prob(grid) - model.prior.log_prob(grid[:, None])
    expected = float(torch.trapezoid(posterior.log_prob(grid).exp() * ratio, grid))
    assert estimates.shape == (NUM_CODES,)
    assert float(estimates.mean()) == pytest.approx(expected, abs=4 * float(estimates.std()) / math.sqrt(NUM_CODES))


def test_the_estimate_is_of_the_closed_form_that_it_replaces():
    class Same(Normal):
        """N(0, I) by another name, whose KL is therefore estimated."""

    mean_BL, log_variance_BL = torch.randn(1, 3).expand(NUM_CODES, 3), torch.randn(1, 3).expand(NUM_CODES, 3)
    model = VAE(spec=SPEC, latent_dim=3, prior=Same())
    z_BL = model.draw_posterior(mean_BL, log_variance_BL, draws_of())
    estimates = model.kl_term(mean_BL, log_variance_BL, z_BL, None)
    exact = float(gaussian_kl(mean_BL, log_variance_BL)[0])
    assert float(estimates.mean()) == pytest.approx(exact, abs=4 * float(estimates.std()) / math.sqrt(NUM_CODES))


@pytest.mark.parametrize("variant", [SampleVAE, DoubleSampleVAE])
def test_a_kl_of_the_batch_is_to_the_normal_prior_alone(variant):
    with pytest.raises(ConfigError, match=rf"^model\.prior: Mixture is not allowed; the KL of {variant.__name__} is"):
        variant(spec=SPEC, prior=Mixture())


def test_a_vae_needs_the_density_of_its_prior():
    with pytest.raises(
        ConfigError, match=r"^model\.prior: VAE needs the density of its prior, and Uniform has no `log_prob`"
    ):
        VAE(spec=SPEC, prior=Uniform())
