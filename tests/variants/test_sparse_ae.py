from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence

from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import batch_of, build_trainer, draws_for, generate_batch
from ae_lightning.variants.sparse import SparseAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
LATENT_DIM = 20
SMALL = {"spec": DataSpec(SHAPE), "network": MLP(hidden=[8]), "latent_dim": LATENT_DIM}


def build(**options):
    torch.manual_seed(0)
    return SparseAE(**SMALL, **options)


def terms_of(model, x_BCHW):
    return model.loss_terms(batch_of(x_BCHW), draws_for(model, x_BCHW))


@pytest.mark.parametrize("k", [1, 5, LATENT_DIM])
def test_topk_keeps_exactly_k_activations_of_a_linear_code(k):
    model, x_BCHW = build(penalty="topk", k=k), generate_batch(SHAPE, 9)
    z_BL = model.encode(x_BCHW)
    linear_BL = model.encoder(x_BCHW)
    kept = z_BL != 0
    assert (kept.sum(dim=1) == k).all()
    assert torch.equal(z_BL[kept], linear_BL[kept])
    dropped = linear_BL.masked_fill(kept, -torch.inf).amax(dim=1)
    assert (linear_BL.masked_fill(~kept, torch.inf).amin(dim=1) > dropped).all()


def test_topk_still_keeps_k_after_training():
    model = build(penalty="topk", k=4)
    build_trainer(2).fit(model, DataModule(name="digits"))
    data = DataModule(name="digits")
    z_BL = model.encode(data.scale(data.split("test").x))
    assert ((z_BL != 0).sum(dim=1) == 4).all()


def test_topk_adds_no_term():
    assert terms_of(build(penalty="topk"), generate_batch(SHAPE, 5)).keys() == {"reconstruction"}


@pytest.mark.parametrize("penalty", ["kl", "l1"])
def test_the_code_is_a_sigmoid(penalty):
    model, x_BCHW = build(penalty=penalty), generate_batch(SHAPE, 9)
    torch.testing.assert_close(model.encode(x_BCHW), torch.special.expit(model.encoder(x_BCHW)))


def test_kl_is_that_of_the_units_mean_activations():
    model, x_BCHW = build(rho=0.1), generate_batch(SHAPE, 9)
    mean_L = model.encode(x_BCHW).mean(dim=0)
    expected = kl_divergence(Bernoulli(probs=torch.tensor(0.1)), Bernoulli(probs=mean_L)).sum()
    found = terms_of(model, x_BCHW)["sparsity"].mean()
    assert found.shape == ()
    torch.testing.assert_close(found, expected)


def test_l1_is_the_sum_of_each_codes_activations():
    model, x_BCHW = build(penalty="l1"), generate_batch(SHAPE, 9)
    torch.testing.assert_close(terms_of(model, x_BCHW)["sparsity"], model.encode(x_BCHW).norm(p=1, dim=1))


@pytest.mark.parametrize("penalty", ["kl", "l1"])
def test_the_penalty_is_weighed(penalty):
    model, x_BCHW = build(penalty=penalty, sparsity_weight=0.3), generate_batch(SHAPE, 9)
    loss, means = model.objective(batch_of(x_BCHW), draws_for(model, x_BCHW))
    torch.testing.assert_close(loss, means["reconstruction"] + 0.3 * means["sparsity"])


@pytest.mark.parametrize("penalty", ["kl", "l1"])
def test_a_penalty_lowers_the_activations(penalty):
    """A sigmoid starts near one half."""
    model = build(penalty=penalty, sparsity_weight=10.0)
    data = DataModule(name="digits")
    x_BCHW = data.scale(data.split("test").x)
    before = model.encode(x_BCHW).mean()
    build_trainer(20).fit(model, data)
    assert before > 0.4
    assert model.encode(x_BCHW).mean() < 0.3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rho": 0.0}, r"^model\.rho: 0\.0 "),
        ({"rho": 1.0}, r"^model\.rho: 1\.0 "),
        ({"k": 0}, r"^model\.k: 0 .*at least 1"),
        ({"sparsity_weight": -1.0}, r"^model\.sparsity_weight: -1"),
    ],
)
def test_what_is_out_of_range_is_refused_by_its_key(options, message):
    with pytest.raises(ConfigError, match=message):
        build(**options)
