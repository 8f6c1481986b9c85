from __future__ import annotations

import pytest
import torch
from scipy import stats

from ae_lightning.draws import Draws

CPU = torch.device("cpu")


def draws(seed=0, stream="train", batch=(0, 0), offset=0, num_images=8, global_size=8):
    return Draws(seed, stream, batch, offset=offset, num_images=num_images, global_size=global_size, device=CPU)


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_the_same_key_gives_the_same_numbers(kind):
    assert torch.equal(getattr(draws(), kind)(3), getattr(draws(), kind)(3))


@pytest.mark.parametrize("kind", ["normal", "uniform"])
@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"stream": "val"}, {"batch": (0, 1)}, {"batch": (1, 0)}, {"batch": (0,)}, {"batch": (0, 0, 0)}],
    ids=str,
)
def test_another_key_gives_other_numbers(kind, other):
    assert not torch.isin(getattr(draws(**other), kind)(3), getattr(draws(), kind)(3)).any()


def test_keys_are_not_joined_ambiguously():
    assert not torch.equal(draws(batch=(1, 11)).normal(3), draws(batch=(11, 1)).normal(3))
    assert not torch.equal(draws(seed=1, batch=(0,)).normal(3), draws(seed=10, batch=()).normal(3))


def test_rademacher_draws_are_signs_of_which_none_is_likelier():
    signs = draws(num_images=2000, global_size=2000).rademacher(5)
    assert (signs.shape, signs.dtype) == ((2000, 5), torch.float32)
    assert set(signs.unique().tolist()) == {-1, 1}
    assert signs.mean().abs() < 4 / 10_000**0.5
    assert not torch.equal(signs, draws(seed=1, num_images=2000, global_size=2000).rademacher(5))


def test_calls_follow_each_other():
    one, other = draws(), draws()
    first, second = one.normal(3), one.normal(3)
    assert not torch.equal(first, second)
    assert torch.equal(other.normal(3), first)
    assert torch.equal(other.normal(3), second)


@pytest.mark.parametrize("sizes", [(5, 5), (6, 5), (1, 2), (4, 4, 3)])
def test_ranks_join_to_one_process(sizes):
    """In every call of a sequence, so that an earlier call of a rank cannot shift the later ones."""
    total = sum(sizes)
    alone = draws(num_images=total, global_size=total)
    offsets = [sum(sizes[:rank]) for rank in range(len(sizes))]
    ranks = [
        draws(offset=offset, num_images=size, global_size=total) for offset, size in zip(offsets, sizes, strict=True)
    ]
    for kind, shape in (("normal", (4,)), ("uniform", (1, 2, 3)), ("rademacher", (9,)), ("normal", ())):
        joined = torch.cat([getattr(rank, kind)(*shape) for rank in ranks])
        assert torch.equal(joined, getattr(alone, kind)(*shape))


def test_shapes_and_types():
    assert draws(num_images=3, offset=2).normal(4, 5).shape == (3, 4, 5)
    assert draws(num_images=3, offset=2).uniform().shape == (3,)
    assert draws().normal(2).dtype == draws().uniform(2).dtype == torch.float32


def test_normal_is_normal_over_batches():
    """Also across keys: each batch starts a generator of its own, which a poor mixing of keys would correlate."""
    numbers = torch.cat([draws(batch=(0, index), num_images=4, global_size=4).normal(2) for index in range(1000)])
    assert stats.kstest(numbers.flatten().numpy(), "norm").pvalue > 1e-3
    assert abs(torch.corrcoef(numbers.T)[0, 1]) < 0.05


def test_uniform_is_uniform_over_batches():
    numbers = torch.cat([draws(batch=(0, index), num_images=4, global_size=4).uniform(2) for index in range(1000)])
    assert stats.kstest(numbers.flatten().numpy(), "uniform").pvalue > 1e-3
    assert numbers.min() >= 0
    assert numbers.max() < 1


def test_neighbouring_seeds_are_unrelated():
    first, second = (torch.cat([draws(seed=seed, batch=(b,)).normal(10) for b in range(100)]) for seed in (0, 1))
    assert abs(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]) < 0.05


def test_the_global_generator_is_left_alone():
    before = torch.get_rng_state()
    draws().normal(3)
    draws().uniform(3)
    assert torch.equal(torch.get_rng_state(), before)
