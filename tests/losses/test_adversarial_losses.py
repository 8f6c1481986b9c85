from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli
from torch.nn.functional import binary_cross_entropy

from ae_lightning.losses.adversarial import discriminator_loss, encoder_loss

TOLERANCES = [(torch.float32, 1e-5), (torch.bfloat16, 1e-5)]


def draw_logits(seed, dtype=torch.float32):
    return (3 * torch.randn(16, 1, generator=torch.Generator().manual_seed(seed))).to(dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_the_discriminator_minimises_the_surprise_of_right_answers(dtype, tolerance):
    prior, codes = draw_logits(0, dtype), draw_logits(1, dtype)
    found = discriminator_loss(prior, codes)
    expected = -Bernoulli(logits=prior.double()).log_prob(torch.ones(16, 1).double())
    expected -= Bernoulli(logits=codes.double()).log_prob(torch.zeros(16, 1).double())
    assert found.shape == (16,)
    torch.testing.assert_close(found.double(), expected[:, 0], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_the_encoder_minimises_the_surprise_of_the_wrong_answer(dtype, tolerance):
    codes = draw_logits(1, dtype)
    found = encoder_loss(codes)
    expected = binary_cross_entropy(codes.double().sigmoid(), torch.ones(16, 1).double(), reduction="none")
    assert found.shape == (16,)
    torch.testing.assert_close(found.double(), expected[:, 0], rtol=tolerance, atol=tolerance)


def test_a_discriminator_that_cannot_tell_costs_two_bits():
    undecided = torch.zeros(3, 1)
    torch.testing.assert_close(discriminator_loss(undecided, undecided), torch.full((3,), 4.0).log())
    torch.testing.assert_close(encoder_loss(undecided), torch.full((3,), 2.0).log())


def test_encoder_and_discriminator_pull_a_code_apart():
    """At every logit, what lowers the discriminator's loss raises the encoder's."""
    logits = torch.linspace(-5, 5, 21)[:, None].requires_grad_()
    (wanted,) = torch.autograd.grad(encoder_loss(logits).sum(), logits)
    (opposed,) = torch.autograd.grad(discriminator_loss(torch.zeros_like(logits), logits).sum(), logits)
    assert (wanted < 0).all()
    assert (opposed > 0).all()


def test_the_encoders_gradient_does_not_vanish_while_the_discriminator_wins():
    lost = torch.full((1, 1), -50.0, requires_grad=True)
    encoder_loss(lost).sum().backward()
    assert lost.grad.item() == pytest.approx(-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("logit", [-1e4, -30.0, 0.0, 30.0, 1e4])
def test_losses_survive_extremes(logit, dtype):
    prior = torch.full((1, 1), logit, dtype=dtype, requires_grad=True)
    codes = torch.full((1, 1), -logit, dtype=dtype, requires_grad=True)
    total = discriminator_loss(prior, codes) + encoder_loss(codes)
    total.sum().backward()
    assert total.isfinite().all()
    assert prior.grad.isfinite().all()
    assert codes.grad.isfinite().all()
