from __future__ import annotations

import pytest
import torch
from torch import nn

from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.networks import MLP, Conv, ResNet
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import batch_of, build_trainer, draws_for, generate_batch, validation_terms
from ae_lightning.variants.contractive import ContractiveAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
LATENT_DIM = 3
BATCH_NORM = {"conv": Conv(filters=[4, 6], batch_norm=True), "residual": ResNet(widths=[4, 6])}


def build(network=None, **options):
    torch.manual_seed(0)
    return ContractiveAE(spec=DataSpec(SHAPE), network=network or MLP(hidden=[8]), latent_dim=LATENT_DIM, **options)


def jacobian_term(model, x_BCHW, stream="test"):
    return model.loss_terms(batch_of(x_BCHW), draws_for(model, x_BCHW, stream))["jacobian"]


def reference_norm(model, x_BCHW):
    """Of the whole Jacobian in eval mode, by autograd."""
    model.eval()
    jacobians = [torch.autograd.functional.jacobian(lambda x: model.encode(x[None])[0], image) for image in x_BCHW]
    model.train()
    return torch.stack([jacobian.square().sum() for jacobian in jacobians])


@pytest.mark.parametrize("network", [None, *BATCH_NORM.values()], ids=["mlp", *BATCH_NORM])
def test_the_exact_norm_is_taken_with_running_statistics(network):
    model, x_BCHW = build(network, exact=True), generate_batch(SHAPE, 4)
    torch.testing.assert_close(jacobian_term(model, x_BCHW), reference_norm(model, x_BCHW))


def test_the_estimates_average_to_the_exact_norm():
    model, x_BCHW = build(), generate_batch(SHAPE, 4)
    estimates = torch.stack([jacobian_term(model, x_BCHW, f"draw {number}") for number in range(400)]).detach()
    error = estimates.std(dim=0) / 20
    assert ((estimates.mean(dim=0) - reference_norm(model, x_BCHW)).abs() < 4 * error).all()


def test_the_estimates_have_the_variance_of_random_signs():
    """2 (‖A‖²_F − Σ_j A_jj²), A = J Jᵀ: less than the 2 ‖A‖²_F of normal draws."""
    model, x_BCHW = build(), generate_batch(SHAPE, 1)
    jacobian_LN = torch.autograd.functional.jacobian(lambda x: model.encode(x[None])[0], x_BCHW[0]).flatten(1)
    gram_LL = jacobian_LN @ jacobian_LN.T
    of_normal = 2 * gram_LL.square().sum()
    of_signs = of_normal - 2 * gram_LL.diagonal().square().sum()
    alike_BCHW = x_BCHW.expand(4000, *SHAPE)
    found = jacobian_term(model, alike_BCHW).var()
    assert of_signs < 0.7 * of_normal
    assert found.item() == pytest.approx(of_signs.item(), rel=0.1)


@torch.no_grad()
def test_a_smaller_code_lowers_the_norm_and_contracts_nothing():
    """As the decoder's weights are its own, and not the encoder's."""
    model, x_BCHW = build(exact=True), generate_batch(SHAPE, 4)
    reconstructed, norm = model.reconstruct(x_BCHW), jacobian_term(model, x_BCHW)
    *_, last = model.encoder.parameters()
    first = next(model.decoder.parameters())
    for parameter in [parameter for parameter in model.encoder.parameters() if len(parameter) == len(last)]:
        parameter.mul_(0.1)
    first.mul_(10)
    torch.testing.assert_close(model.reconstruct(x_BCHW), reconstructed)
    torch.testing.assert_close(jacobian_term(model, x_BCHW), 0.01 * norm)


def test_of_one_dimension_the_estimate_is_exact():
    model = ContractiveAE(spec=DataSpec(SHAPE), network=MLP(hidden=[8]), latent_dim=1)
    x_BCHW = generate_batch(SHAPE, 4)
    torch.testing.assert_close(jacobian_term(model, x_BCHW), reference_norm(model, x_BCHW))


def test_the_exact_norm_does_not_depend_on_draws_and_the_estimate_does():
    x_BCHW = generate_batch(SHAPE, 4)
    for exact in (True, False):
        one, other = (jacobian_term(build(exact=exact), x_BCHW, stream) for stream in ("first", "second"))
        assert torch.equal(one, other) == exact


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("network", BATCH_NORM.values(), ids=BATCH_NORM)
def test_the_jacobian_leaves_batch_norm_as_it_was(network, exact):
    """In train mode afterwards, its statistics moved once, by the reconstruction."""
    model = build(network, exact=exact)
    jacobian_term(model, generate_batch(SHAPE, 4))
    assert all(module.training for module in model.modules())
    counts = [value.item() for name, value in model.encoder.named_buffers() if name.endswith("num_batches_tracked")]
    assert counts == [1] * len(counts)
    assert counts


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("network", [None, *BATCH_NORM.values()], ids=["mlp", *BATCH_NORM])
def test_the_penalty_trains_the_encoder_alone(network, exact):
    model, x_BCHW = build(network, exact=exact), generate_batch(SHAPE, 4)
    jacobian_term(model, x_BCHW).sum().backward()
    first = next(model.encoder.parameters()).grad
    assert first.isfinite().all()
    assert first.abs().max() > 0
    assert all(parameter.grad is None for parameter in model.decoder.parameters())


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_validation_has_the_norm_without_a_gradient(precision):
    """Lightning validates in inference mode; the Jacobian is taken in 32-bit whatever the precision."""
    model, data = build(exact=True, contraction=0.5), DataModule(name="digits", batch_size=64)
    logged = validation_terms(model, data, precision)
    x_BCHW = data.scale(data.split("val").x)
    assert logged["val/jacobian"] == pytest.approx(reference_norm(model, x_BCHW).mean().item(), rel=1e-4)
    expected = logged["val/reconstruction"] + 0.5 * logged["val/jacobian"]
    assert logged["val/loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("exact", [False, True])
def test_it_trains(exact):
    model = build(BATCH_NORM["conv"], exact=exact)
    before = [parameter.clone() for parameter in model.parameters()]
    build_trainer(1, limit_train_batches=2).fit(model, DataModule(name="digits"))
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(layer.training for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))


def test_a_negative_weight_is_refused():
    with pytest.raises(ConfigError, match=r"^model\.contraction: -1"):
        build(contraction=-1.0)
