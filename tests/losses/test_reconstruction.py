from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax
from torch.distributions import Bernoulli, Categorical, Laplace, Normal

from ae_lightning.errors import ConfigError
from ae_lightning.losses.reconstruction import build_reconstruction
from ae_lightning.testing.training import generate_batch

NAMES = ("mse", "bce", "l1", "softmax")
SHAPE = (3, 5, 4)


def reference_mse(x, y):
    return ((x - expit(y)) ** 2).sum(axis=(1, 2, 3))


def reference_l1(x, y):
    return np.abs(x - expit(y)).sum(axis=(1, 2, 3))


def reference_bce(x, y):
    # log(1 + exp) by logaddexp: log σ(y) = −log(1 + exp(−y))
    return (x * np.logaddexp(0, -y) + (1 - x) * np.logaddexp(0, y)).sum(axis=(1, 2, 3))


def reference_softmax(x, y):
    x, y = x.reshape(len(x), -1), y.reshape(len(y), -1)
    return -(x / x.sum(axis=1, keepdims=True) * log_softmax(y, axis=1)).sum(axis=1)


REFERENCES = {"mse": reference_mse, "bce": reference_bce, "l1": reference_l1, "softmax": reference_softmax}


def build(name, output_activation="auto", is_linear=False):
    return build_reconstruction(name, output_activation, (0.0, 1.0), is_linear=is_linear)


def images_and_logits(num_images=6, scale=3.0):
    generator = torch.Generator().manual_seed(0)
    return generate_batch(SHAPE, num_images), scale * torch.randn(num_images, *SHAPE, generator=generator)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_losses_agree_with_numpy(name, dtype):
    """Of an output that autocast has rounded, nothing more is lost."""
    x, y = images_and_logits()
    y = y.to(dtype)
    found = build(name).loss(x, y)
    expected = REFERENCES[name](x.double().numpy(), y.double().numpy())
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_bce_is_the_likelihood_of_bernoulli_pixels():
    x, y = images_and_logits()
    x = x.round()
    expected = -Bernoulli(logits=y).log_prob(x).sum(dim=(1, 2, 3))
    torch.testing.assert_close(build("bce").loss(x, y), expected)


def test_mse_is_a_gaussian_likelihood_of_variance_one_half():
    x, y = images_and_logits()
    likelihood = Normal(y, 0.5**0.5).log_prob(x).sum(dim=(1, 2, 3))
    best = Normal(x, 0.5**0.5).log_prob(x).sum(dim=(1, 2, 3))
    torch.testing.assert_close(build("mse", "identity").loss(x, y), best - likelihood)


def test_l1_is_a_laplace_likelihood():
    x, y = images_and_logits()
    difference = (Laplace(x, 1.0).log_prob(x) - Laplace(y, 1.0).log_prob(x)).sum(dim=(1, 2, 3))
    torch.testing.assert_close(build("l1", "identity").loss(x, y), difference)


def test_softmax_is_the_expected_surprise_of_a_categorical():
    x, y = images_and_logits()
    surprise = Categorical(logits=y.flatten(1))
    pixels = torch.arange(y[0].numel())[:, None].expand(-1, len(y))
    p = (x / x.sum(dim=(1, 2, 3), keepdim=True)).flatten(1)
    torch.testing.assert_close(build("softmax").loss(x, y), -(p * surprise.log_prob(pixels).T).sum(dim=1))


@pytest.mark.parametrize("name", ["mse", "bce", "l1"])
def test_losses_are_summed_over_pixels(name):
    """Every pixel twice is twice the loss: no mean over pixels is hidden anywhere."""
    x, y = images_and_logits()
    doubled = build(name).loss(torch.cat([x, x], dim=2), torch.cat([y, y], dim=2))
    torch.testing.assert_close(doubled, 2 * build(name).loss(x, y))


def test_softmax_loss_does_not_see_brightness():
    x, y = images_and_logits()
    torch.testing.assert_close(build("softmax").loss(0.25 * x, y), build("softmax").loss(x, y))


@pytest.mark.parametrize("name", NAMES)
def test_images_do_not_meet_in_a_loss(name):
    x, y = images_and_logits()
    found = build(name).loss(x, y)
    assert found.shape == (len(x),)
    torch.testing.assert_close(build(name).loss(x[:1], y[:1]), found[:1])


@pytest.mark.parametrize("name", ["mse", "l1"])
def test_a_perfect_reconstruction_costs_nothing(name):
    x, _ = images_and_logits()
    assert torch.equal(build(name, "identity").loss(x, x), torch.zeros(len(x)))


@pytest.mark.parametrize("name", ["bce", "softmax"])
def test_a_cross_entropy_is_least_at_the_image_itself(name):
    x, _ = images_and_logits()
    x = x.clamp(0.01, 0.99)
    best = x.logit() if name == "bce" else x.log()
    loss = build(name).loss
    assert all((loss(x, best) < loss(x, best + 0.1 * torch.randn_like(x))).tolist())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("output", [-1e4, 0.0, 1e4])
@pytest.mark.parametrize("pixel", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("activation", ["auto", "identity"])
@pytest.mark.parametrize("name", NAMES)
def test_losses_survive_extremes(name, activation, pixel, output, dtype):
    if activation == "identity" and name in ("bce", "softmax"):
        activation = "auto"
    x = torch.full((1, *SHAPE), pixel)
    y = torch.full((1, *SHAPE), output, dtype=dtype)
    y[:, :, ::2] = 0
    y.requires_grad_()
    found = build(name, activation).loss(x, y)
    found.sum().backward()
    assert found.isfinite().all()
    assert y.grad.isfinite().all()


def test_a_black_image_has_no_softmax_loss():
    _, y = images_and_logits(1)
    assert build("softmax").loss(torch.zeros(1, *SHAPE), y).item() == 0


def test_an_almost_black_image_is_still_normalised():
    x, y = images_and_logits()
    torch.testing.assert_close(build("softmax").loss(1e-30 * x, y), build("softmax").loss(x, y), rtol=1e-4, atol=0)


@pytest.mark.filterwarnings("ignore:Input #0 requires gradient")
@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name):
    x, y = images_and_logits(2, scale=1.0)
    # `loss` computes in fp32, whatever it is given.
    assert torch.autograd.gradcheck(
        lambda output: build(name).loss(x, output), y.requires_grad_(), eps=1e-2, atol=2e-2, rtol=2e-2, nondet_tol=1e-6
    )


def test_identity_leaves_the_output_as_it_is():
    _, y = images_and_logits()
    assert torch.equal(build("mse", "identity").activate(y), y)


@pytest.mark.parametrize("name", ["mse", "l1", "bce"])
def test_sigmoid_maps_onto_the_unit_interval(name):
    x, y = images_and_logits()
    found = build(name).activate(y, x)
    np.testing.assert_allclose(found.numpy(), expit(y.numpy()), rtol=1e-5)


def test_softmax_gives_the_probabilities_times_the_images_own_sum():
    x, y = images_and_logits()
    found = build("softmax").activate(y, x)
    probabilities = softmax(y.numpy().reshape(len(y), -1), axis=1).reshape(y.shape)
    np.testing.assert_allclose(found.numpy(), probabilities * x.sum(dim=(1, 2, 3), keepdim=True).numpy(), rtol=1e-5)
    torch.testing.assert_close(found.sum(dim=(1, 2, 3)), x.sum(dim=(1, 2, 3)))


def test_softmax_of_a_black_image_is_black():
    _, y = images_and_logits(2)
    assert torch.equal(build("softmax").activate(y, torch.zeros(2, *SHAPE)), torch.zeros(2, *SHAPE))


def test_softmax_without_an_image_has_its_brightest_pixel_at_one():
    _, y = images_and_logits()
    found = build("softmax").activate(y)
    assert torch.equal(found.amax(dim=(1, 2, 3)), torch.ones(len(y)))
    assert found.min() >= 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-1e4, 0.0, 1e4])
def test_activations_survive_extremes(name, value):
    y = torch.zeros(1, *SHAPE, dtype=torch.bfloat16)
    y[:, :, 0] = value
    for images in (build(name).activate(y), build(name).activate(y, torch.ones(1, *SHAPE))):
        assert images.dtype == torch.float32
        assert images.isfinite().all()


@pytest.mark.parametrize(
    ("name", "is_linear", "expected"),
    [
        ("mse", False, "sigmoid"),
        ("l1", False, "sigmoid"),
        ("bce", False, "sigmoid"),
        ("softmax", False, "softmax"),
        ("mse", True, "identity"),
        ("l1", True, "identity"),
        ("bce", True, "sigmoid"),
        ("softmax", True, "softmax"),
    ],
)
def test_auto_follows_network_and_loss(name, is_linear, expected):
    assert build(name, is_linear=is_linear).output_activation == expected


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("bce", "identity"),
        ("bce", "softmax"),
        ("softmax", "identity"),
        ("softmax", "sigmoid"),
        ("mse", "softmax"),
        ("l1", "softmax"),
    ],
)
def test_pairs_that_are_not_defined_are_refused_by_name(name, activation):
    message = rf"^model\.output_activation: '{activation}' does not go with model\.reconstruction '{name}'"
    with pytest.raises(ConfigError, match=message):
        build(name, activation)


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(ConfigError, match=r"^model\.reconstruction: 'bec' is not known; did you mean 'bce'"):
        build("bec")
    with pytest.raises(ConfigError, match=r"^model\.output_activation: 'sigmod' is not known; did you mean 'sigmoid'"):
        build("mse", "sigmod")
