from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest

from ae_lightning.data.corruption import corrupt, gaussian, masking, salt_and_pepper
from ae_lightning.errors import ConfigError

SHAPE = (50, 3, 20, 20)


@pytest.fixture
def grey():
    return torch.full(SHAPE, 0.5)


@pytest.fixture
def uniform():
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def normal():
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))


def share(mask):
    return mask.float().mean().item()


def test_gaussian_noise_has_the_wanted_deviation(grey, normal):
    noise = gaussian(grey, normal, 0.1) - grey
    assert kstest(noise.flatten().numpy(), "norm", args=(0, 0.1)).pvalue > 0.01


def test_gaussian_noise_is_clipped_to_an_image(normal):
    for pixel in (0.0, 1.0):
        noisy = gaussian(torch.full(SHAPE, pixel), normal, 0.5)
        assert noisy.min() >= 0
        assert noisy.max() <= 1
        # Half of the noise points out of the range.
        assert share(noisy == pixel) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_masking_blackens_a_share_and_keeps_the_rest(grey, uniform, p):
    masked = masking(grey, uniform, p)
    assert share(masked == 0) == pytest.approx(p, abs=0.01)
    assert share(masked == grey) == pytest.approx(1 - p, abs=0.01)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_salt_and_pepper_are_as_likely_as_each_other(grey, uniform, p):
    peppered = salt_and_pepper(grey, uniform, p)
    assert share(peppered == 0) == pytest.approx(p / 2, abs=0.01)
    assert share(peppered == 1) == pytest.approx(p / 2, abs=0.01)
    assert share(peppered == grey) == pytest.approx(1 - p, abs=0.01)


@pytest.mark.parametrize("name", ["gaussian", "masking", "salt_and_pepper"])
def test_no_level_is_no_corruption(grey, uniform, normal, name):
    draws = normal if name == "gaussian" else uniform
    assert torch.equal(corrupt(grey, name, draws, 0.0), grey)


def test_a_level_of_one_leaves_nothing(grey, uniform):
    assert masking(grey, uniform, 1.0).max() == 0
    assert share(salt_and_pepper(grey, uniform, 1.0) == grey) == 0


def test_values_are_hit_one_by_one(grey, uniform):
    """Not whole pixels over all channels, nor whole images."""
    hit = (masking(grey, uniform, 0.5) == 0).float()
    assert (hit.mean(dim=1).frac() > 0).any()
    assert torch.corrcoef(hit.transpose(0, 1).flatten(1)).fill_diagonal_(0).abs().max() < 0.05


@pytest.mark.parametrize(
    ("name", "function"), [("gaussian", gaussian), ("masking", masking), ("salt_and_pepper", salt_and_pepper)]
)
def test_a_corruption_is_had_by_name(grey, uniform, name, function):
    assert torch.equal(corrupt(grey, name, uniform, 0.3), function(grey, uniform, 0.3))


def test_the_image_itself_stays_as_it_is(grey, uniform, normal):
    for name in ("gaussian", "masking", "salt_and_pepper"):
        corrupt(grey, name, normal if name == "gaussian" else uniform, 0.5)
    assert torch.equal(grey, torch.full(SHAPE, 0.5))


def test_noise_on_values_without_bounds_is_not_clipped(normal):
    noisy = gaussian(torch.zeros(SHAPE), normal, 0.3, None)
    assert kstest(noisy.flatten().numpy(), "norm", args=(0, 0.3)).pvalue > 0.01
    assert noisy.min() < -1


def test_salt_and_pepper_are_the_ends_of_the_range(grey, uniform):
    peppered = salt_and_pepper(grey, uniform, 0.5, (-2.0, 3.0))
    assert set(peppered.unique().tolist()) == {-2.0, 0.5, 3.0}
    with pytest.raises(ConfigError, match=r"^model\.corruption: salt_and_pepper .* none; gaussian and masking"):
        corrupt(grey, "salt_and_pepper", uniform, 0.5, None)
