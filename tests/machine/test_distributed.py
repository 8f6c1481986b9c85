"""Two processes with unequal shares of a batch against one process with all of it."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from ranks import on_ranks
from torch import distributed

from ae_lightning.losses.divergence import bernoulli_kl
from ae_lightning.machine.distributed import mean_over_batch, sum_over_ranks
from ae_lightning.models.batch_posterior import batch_posterior_kl
from ae_lightning.models.split_terms import SplitTerms

SHARES = (7, 4)
NUM_IMAGES = sum(SHARES)
NUM_PIXELS, LATENT_DIM = 6, 3


def global_images():
    return torch.randn(NUM_IMAGES, NUM_PIXELS, generator=torch.Generator().manual_seed(0))


def build_encoder():
    """The same weights in every process."""
    encoder = torch.nn.Linear(NUM_PIXELS, 2 * LATENT_DIM)
    with torch.no_grad():
        for position, parameter in enumerate(encoder.parameters()):
            generator = torch.Generator().manual_seed(1 + position)
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return encoder


def own_kl(outputs, estimator):
    return batch_posterior_kl(*outputs.chunk(2, dim=1), estimator).mean()


def sparsity(outputs):
    return bernoulli_kl(0.2, mean_over_batch(outputs.sigmoid()))


def mixed(outputs):
    """A term of the whole batch beside one of each image, as a variant has them."""
    return own_kl(outputs, "aggregate") + outputs.square().sum(dim=1).mean()


TERMS = {
    "aggregate": partial(own_kl, estimator="aggregate"),
    "posterior": partial(own_kl, estimator="posterior"),
    "sparsity": sparsity,
    "mixed": mixed,
}


def value_and_gradient(term, images, share=1.0):
    """The term, and the gradient of the term times the share, in one vector."""
    encoder = build_encoder()
    value = term(encoder(images))
    (share * value).backward()
    return value.detach(), torch.cat([parameter.grad.flatten() for parameter in encoder.parameters()])


def own_share(rank):
    """This rank's images, and what its mean is weighed by before ranks are averaged as equals."""
    return global_images().split(SHARES)[rank], SHARES[rank] * len(SHARES) / NUM_IMAGES


def found_by(rank):
    images, share = own_share(rank)
    found = {"mean": mean_over_batch(images), "sum": sum_over_ranks(images.sum(dim=0))}
    for name, term in TERMS.items():
        value, gradient = value_and_gradient(term, images, share)
        # What DistributedDataParallel does with gradients.
        distributed.all_reduce(gradient)
        found[name] = value, gradient / len(SHARES)
    found["split"] = split_terms(images)
    return found


def split_terms(images):
    """Terms of what two batches of a rank's images make a split of, in one vector."""
    terms = SplitTerms()
    with torch.no_grad():
        for part in images.split(3):
            outputs = build_encoder()(part)
            kl = batch_posterior_kl(*outputs.chunk(2, dim=1), "aggregate")
            terms.add({"kl": kl, "size": outputs.square().sum(dim=1)}, len(part))
    return torch.stack(list(terms.of_split().values()))


IN_RANKS = pytest.mark.slow
"""Two processes take seconds to start; in the quick part, variants with terms of this kind train in two as in one."""


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of the processes found."""
    return on_ranks(found_by, len(SHARES), tmp_path_factory.mktemp("ranks"))


def relative_error(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


@IN_RANKS
def test_the_mean_is_that_of_all_images_though_shares_are_unequal(ranks):
    for found in ranks:
        assert relative_error(found["mean"], global_images().mean(dim=0)) < 2e-6
        assert relative_error(found["sum"], global_images().sum(dim=0)) < 2e-6


def test_the_mean_of_the_ranks_means_would_be_another():
    """Else the test above could not fail."""
    means = torch.stack([share.mean(dim=0) for share in global_images().split(SHARES)])
    assert relative_error(means.mean(dim=0), global_images().mean(dim=0)) > 0.01


@IN_RANKS
@pytest.mark.parametrize("name", TERMS)
def test_ranks_agree_with_one_process_on_the_gradient(ranks, name):
    _, expected = value_and_gradient(TERMS[name], global_images())
    for found in ranks:
        assert relative_error(found[name][1], expected) < 2e-6


@IN_RANKS
@pytest.mark.parametrize("name", ["aggregate", "posterior", "sparsity"])
def test_every_rank_has_the_value_of_the_global_batch(ranks, name):
    expected, _ = value_and_gradient(TERMS[name], global_images())
    for found in ranks:
        assert relative_error(found[name][0], expected) < 2e-6


@pytest.mark.parametrize("name", ["aggregate", "posterior", "sparsity"])
def test_the_terms_of_the_shares_alone_would_average_to_another(name):
    """Each is no mean over images: averaging what ranks compute by themselves is not enough."""
    expected, _ = value_and_gradient(TERMS[name], global_images())
    alone = [value_and_gradient(TERMS[name], own_share(rank)[0])[0] * own_share(rank)[1] for rank in range(2)]
    assert relative_error(sum(alone) / 2, expected) > 0.01


@IN_RANKS
def test_a_splits_terms_are_those_of_all_ranks_samples(ranks):
    outputs = build_encoder()(global_images()).detach()
    expected = torch.stack([own_kl(outputs, "aggregate"), outputs.square().sum(dim=1).mean()]).double()
    for found in ranks:
        assert relative_error(found["split"], expected) < 2e-6


def test_one_process_needs_no_group():
    values = torch.randn(5, 3, requires_grad=True)
    torch.testing.assert_close(mean_over_batch(values), values.mean(dim=0))
    assert sum_over_ranks(values) is values


def test_a_batch_of_one_is_its_own_mean():
    values = torch.randn(1, 3)
    assert torch.equal(mean_over_batch(values), values[0])
