from __future__ import annotations

import pytest
import torch
from torch import nn

from ae_lightning.losses.penalty import exact_jacobian_norm, jacobian_norm, keep_largest, l1_activity, latent_cycle
from ae_lightning.networks import MLP, Conv, ResNet
from ae_lightning.spec import DataSpec

SHAPE = (2, 6, 5)
LATENT_DIM = 3
NUM_IMAGES = 4
NETWORKS = {
    "mlp": MLP(hidden=[7], activation="tanh"),
    "conv": Conv(filters=[3, 4], kernel_size=3, activation="leaky_relu"),
    "batch_norm": Conv(filters=[3, 4], kernel_size=3, batch_norm=True),
    "residual": ResNet(widths=[3, 4]),
}


@pytest.fixture(params=NETWORKS)
def encoder(request) -> nn.Module:
    """In eval mode: a code is a function of its own image alone."""
    torch.manual_seed(0)
    return NETWORKS[request.param].build_encoder(DataSpec(SHAPE), LATENT_DIM).double().eval()


@pytest.fixture
def images():
    return torch.rand(NUM_IMAGES, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def reference_norm(encoder, images):
    """‖∂f/∂x‖²_F of each image from its whole Jacobian, with a graph back to the encoder's parameters."""

    def of_one(image):
        return torch.autograd.functional.jacobian(lambda x: encoder(x[None])[0], image, create_graph=True)

    return torch.stack([of_one(image).square().sum() for image in images])


def parameter_gradients(encoder, value):
    """Of every parameter; zero of those that the Jacobian does not depend on, such as the last bias."""
    return torch.autograd.grad(value, list(encoder.parameters()), allow_unused=True, materialize_grads=True)


def test_the_exact_norm_is_that_of_the_jacobian(encoder, images):
    found = exact_jacobian_norm(encoder, images)
    assert found.shape == (NUM_IMAGES,)
    torch.testing.assert_close(found, reference_norm(encoder, images))


def test_the_exact_norm_has_the_gradient_of_the_jacobian_norm(encoder, images):
    found = parameter_gradients(encoder, exact_jacobian_norm(encoder, images).sum())
    expected = parameter_gradients(encoder, reference_norm(encoder, images).sum())
    assert max(gradient.abs().max() for gradient in expected) > 0
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_the_estimate_is_unbiased(encoder, images):
    """The mean over many draws lies within four standard errors of the exact norm, image by image."""
    num_draws = 2000
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(num_draws * NUM_IMAGES, LATENT_DIM, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        # Images do not meet in the estimate: the draws of one image are as many images.
        estimates = jacobian_norm(encoder, images.repeat(num_draws, 1, 1, 1), draws).view(num_draws, NUM_IMAGES)
    error = estimates.std(dim=0) / num_draws**0.5
    exact = exact_jacobian_norm(encoder, images)
    assert ((estimates.mean(dim=0) - exact).abs() < 4 * error).all()
    # Four errors are a narrow bound: a factor of 2, as of v with another variance, would not pass.
    assert (error < 0.05 * exact).all()


def test_unit_vectors_make_the_estimate_exact(encoder, images):
    """Summed over an orthonormal basis, the products are the rows of the Jacobian."""
    rows = torch.eye(LATENT_DIM, dtype=torch.float64)
    found = sum(jacobian_norm(encoder, images, row.expand(NUM_IMAGES, -1)) for row in rows)
    torch.testing.assert_close(found, reference_norm(encoder, images))


def test_the_estimate_has_the_gradient_of_the_product(encoder, images):
    v = torch.randn(NUM_IMAGES, LATENT_DIM, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    leaf = images.clone().requires_grad_()
    (product,) = torch.autograd.grad(encoder(leaf), leaf, v, create_graph=True)
    found = parameter_gradients(encoder, jacobian_norm(encoder, images, v).sum())
    expected = parameter_gradients(encoder, product.square().sum())
    assert max(gradient.abs().max() for gradient in expected) > 0
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("norm", ["exact", "estimate"])
def test_a_linear_map_has_the_norm_of_its_matrix(norm):
    """By hand: 1² + 2² + 3² + 4² = 30, at any image; with v = (1, 1), (1 + 3)² + (2 + 4)² = 52."""
    matrix = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    images = torch.rand(5, 1, 1, 2)

    def encode(x_BCHW):
        return x_BCHW.flatten(1) @ matrix.T

    found = exact_jacobian_norm(encode, images) if norm == "exact" else jacobian_norm(encode, images, torch.ones(5, 2))
    torch.testing.assert_close(found, torch.full((5,), 30.0 if norm == "exact" else 52.0))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
def test_norms_in_lower_precision_are_near_those_in_double(encoder, images, dtype, tolerance):
    expected = exact_jacobian_norm(encoder, images)
    found = exact_jacobian_norm(encoder.to(dtype), images.to(dtype))
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=0)


@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_norms_survive_extremes(encoder, images, scale):
    encoder = encoder.float()
    x_BCHW = (scale * images).float()
    for value in (exact_jacobian_norm(encoder, x_BCHW), jacobian_norm(encoder, x_BCHW, torch.ones(4, LATENT_DIM))):
        assert value.isfinite().all()
        assert all(gradient.isfinite().all() for gradient in parameter_gradients(encoder, value.sum()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_l1_is_the_sum_of_magnitudes(dtype):
    z_BL = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]], dtype=dtype)
    assert l1_activity(z_BL).tolist() == [3.5, 0.0]


def test_l1_of_large_and_vanishing_codes_has_a_finite_gradient():
    z_BL = torch.tensor([[1e30, -1e30, 0.0]], requires_grad=True)
    l1_activity(z_BL).sum().backward()
    assert z_BL.grad.tolist() == [[1.0, -1.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_the_largest_are_kept_and_the_others_are_zero(k, dtype):
    z_BL = torch.randn(6, 7, generator=torch.Generator().manual_seed(0)).to(dtype)
    kept = keep_largest(z_BL, k)
    thresholds = z_BL.sort(dim=1, descending=True).values[:, k - 1 : k]
    assert torch.equal(kept, torch.where(z_BL >= thresholds, z_BL, 0))
    assert ((kept != 0).sum(dim=1) == k).all()


def test_negative_activations_are_no_larger_than_positive_ones():
    assert keep_largest(torch.tensor([[-5.0, 1.0, 2.0]]), 2).tolist() == [[0.0, 1.0, 2.0]]


def test_more_than_there_are_keeps_all():
    z_BL = torch.randn(3, 4)
    assert torch.equal(keep_largest(z_BL, 9), z_BL)


def test_of_equal_activations_exactly_k_are_kept():
    assert keep_largest(torch.ones(2, 5), 3).sum(dim=1).tolist() == [3.0, 3.0]


def test_only_what_is_kept_has_a_gradient():
    z_BL = torch.tensor([[3.0, 1.0, 2.0]], requires_grad=True)
    keep_largest(z_BL, 2).square().sum().backward()
    assert z_BL.grad.tolist() == [[6.0, 0.0, 4.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_latent_cycle_is_a_squared_distance(dtype):
    z_BL = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    cycled_BL = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).to(dtype)
    expected = torch.cdist(z_BL.double()[:, None], cycled_BL.double()[:, None])[:, 0, 0].square()
    torch.testing.assert_close(latent_cycle(z_BL, cycled_BL).double(), expected, rtol=0.02, atol=1e-5)


def test_a_closed_latent_cycle_costs_nothing_and_has_no_gradient():
    z_BL = torch.randn(1, 3, requires_grad=True)
    value = latent_cycle(z_BL, z_BL.detach())
    value.sum().backward()
    assert value.item() == 0
    assert z_BL.grad.abs().max() == 0
