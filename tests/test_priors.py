from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from scipy.stats import chi2, chisquare, kstest

from ae_lightning.draws import Draws
from ae_lightning.priors import PriorName, draw_prior

NUM_CODES = 20_000
PRIORS = get_args(PriorName)


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


def codes_of(name, latent_dim):
    return draw_prior(name, draws_of(), latent_dim).double().numpy()


def p_value(values):
    """Of the values being draws from N(0, 1)."""
    return kstest(values, "norm").pvalue


def angles_of(plane):
    return np.arctan2(plane[:, 1], plane[:, 0]) % (2 * math.pi)


@pytest.mark.parametrize("latent_dim", [1, 2, 5])
@pytest.mark.parametrize("name", PRIORS)
def test_there_is_a_code_for_each_image(name, latent_dim):
    codes = draw_prior(name, draws_of(7), latent_dim)
    assert codes.shape == (7, latent_dim)
    assert codes.dtype == torch.float32


@pytest.mark.parametrize("name", PRIORS)
def test_ranks_draw_what_one_process_would(name):
    whole = draw_prior(name, draws_of(10), 3)
    parts = [draw_prior(name, draws_of(size, offset=start, global_size=10), 3) for start, size in ((0, 6), (6, 4))]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("name", PRIORS)
def test_seeds_draw_different_codes(name):
    one, other = (draw_prior(name, draws_of(10, seed=seed), 3) for seed in (0, 1))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", PRIORS)
def test_dimensions_beyond_the_plane_are_standard_normal(name):
    codes = codes_of(name, 5)
    assert all(p_value(codes[:, dimension]) > 0.001 for dimension in range(2, 5))
    assert np.abs(np.corrcoef(codes.T)[2:, :2]).max() < 0.03


def test_the_normal_prior_is_standard_normal_throughout():
    codes = codes_of("normal", 2)
    assert all(p_value(codes[:, dimension]) > 0.001 for dimension in range(2))


def test_the_mixture_has_ten_equal_round_components():
    """Counts of the nearest centres, and the distances to them: each squared one, over the variance, is χ²(2)."""
    codes = codes_of("mixture", 2)
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
    plane = codes_of("swiss_roll", 2)
    radius = np.linalg.norm(plane, axis=1)
    turns = np.round((radius / 0.2 - angles_of(plane)) / (2 * math.pi))
    off = radius - 0.2 * (angles_of(plane) + 2 * math.pi * turns)
    assert off.std() == pytest.approx(0.1, rel=0.1)
    assert np.quantile(radius, 0.001) > 0.2 * 1.5 * math.pi - 0.4
    assert np.quantile(radius, 0.999) < 0.2 * 4.5 * math.pi + 0.4


def test_the_swiss_roll_is_uniform_along_its_length():
    """An Archimedean spiral's length grows, but for a percent, with the square of its angle."""
    plane = codes_of("swiss_roll", 2)
    radius = np.linalg.norm(plane, axis=1)
    squared = np.square(radius / (0.2 * math.pi))
    counts, _ = np.histogram(squared, bins=np.linspace(4, 19, 6))
    assert counts / counts.mean() == pytest.approx(np.ones(5), abs=0.06)


@pytest.mark.parametrize("name", ["mixture", "swiss_roll"])
def test_a_code_of_one_dimension_is_the_first_of_the_plane(name):
    """The same law, though not the same numbers: a quantile for a quantile."""
    shares = np.linspace(0.02, 0.98, 25)
    line, plane = codes_of(name, 1)[:, 0], codes_of(name, 2)[:, 0]
    np.testing.assert_allclose(np.quantile(line, shares), np.quantile(plane, shares), atol=0.15)
