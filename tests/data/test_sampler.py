from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ae_lightning.data.sampling import BatchSampler, Sampling
from ae_lightning.errors import ConfigError

counts = st.integers(1, 200)
batch_sizes = st.integers(1, 40)
world_sizes = st.integers(1, 9)


def ranks(num_images, batch_size, world_size, shuffle, seed=0, epoch=0):
    """All batches of every rank: [rank][step] = (positions, offset, global size)."""
    dealt = []
    for rank in range(world_size):
        sampler = BatchSampler(num_images, Sampling(batch_size, shuffle, seed, rank, world_size))
        sampler.set_epoch(epoch)
        batches = [(indices.tolist(), offset, size) for indices, offset, size in sampler]
        assert len(sampler) == len(batches)
        dealt.append(batches)
    return dealt


def global_batches(dealt):
    return [[position for rank in step for position in rank[0]] for step in zip(*dealt, strict=True)]


def flat(batches):
    return list(chain.from_iterable(batches))


@given(counts, batch_sizes, world_sizes, st.booleans(), st.integers(0, 99), st.integers(0, 99))
def test_an_epoch_covers_every_image_once(num_images, batch_size, world_size, shuffle, seed, epoch):
    num_images += world_size - 1
    dealt = ranks(num_images, batch_size, world_size, shuffle, seed, epoch)
    assert sorted(flat(global_batches(dealt))) == list(range(num_images))


@given(counts, batch_sizes, world_sizes, st.booleans())
def test_every_rank_has_an_image_in_every_step(num_images, batch_size, world_size, shuffle):
    dealt = ranks(num_images + world_size - 1, batch_size, world_size, shuffle)
    assert len({len(batches) for batches in dealt}) == 1
    assert all(indices for batches in dealt for indices, _, _ in batches)


@given(counts, batch_sizes, world_sizes, st.booleans())
def test_ranks_share_a_batch_evenly_and_know_their_place(num_images, batch_size, world_size, shuffle):
    dealt = ranks(num_images + world_size - 1, batch_size, world_size, shuffle)
    for step, whole in zip(zip(*dealt, strict=True), global_batches(dealt), strict=True):
        sizes = [len(indices) for indices, _, _ in step]
        assert max(sizes) - min(sizes) <= 1
        for indices, offset, global_size in step:
            assert global_size == len(whole)
            assert whole[offset : offset + len(indices)] == indices


@given(counts, batch_sizes, world_sizes, st.booleans(), st.integers(0, 99))
def test_ranks_together_see_what_one_process_sees(num_images, batch_size, world_size, shuffle, epoch):
    num_images += world_size - 1
    together = global_batches(ranks(num_images, batch_size, world_size, shuffle, epoch=epoch))
    alone = global_batches(ranks(num_images, batch_size * world_size, 1, shuffle, epoch=epoch))
    assert flat(together) == flat(alone)
    remainder = num_images % (batch_size * world_size)
    if remainder == 0 or remainder >= world_size * (2 if shuffle else 1):
        assert together == alone
    else:
        assert together[:-1] == alone[: len(together) - 1]


@given(st.integers(2, 200), st.integers(2, 40), world_sizes)
def test_no_rank_trains_on_a_single_image(num_images, batch_size, world_size):
    """As long as there are two for each."""
    dealt = ranks(max(num_images, 2 * world_size), batch_size, world_size, shuffle=True)
    assert min(len(indices) for batches in dealt for indices, _, _ in batches) > 1


def test_evaluation_keeps_a_single_last_image_apart():
    (batches,) = ranks(9, 4, 1, shuffle=False)
    assert [indices for indices, _, _ in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8]]


def test_one_image_alone_is_a_batch():
    assert ranks(1, 4, 1, shuffle=True) == [[([0], 0, 1)]]


@given(st.integers(0, 10**6), st.integers(0, 1000))
def test_the_order_is_fixed_by_seed_and_epoch(seed, epoch):
    assert ranks(50, 50, 1, True, seed, epoch) == ranks(50, 50, 1, True, seed, epoch)
    assert ranks(50, 50, 1, True, seed, epoch) != ranks(50, 50, 1, True, seed, epoch + 1)
    assert ranks(50, 50, 1, True, seed, epoch + 1) != ranks(50, 50, 1, True, seed + 1, epoch)


def test_the_order_does_not_touch_the_global_generator():
    state = torch.get_rng_state()
    ranks(20, 4, 1, shuffle=True)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ConfigError, match=r"data.batch_size: 0 is not allowed; it must be at least 1"):
        BatchSampler(10, Sampling(0, shuffle=False))


def test_fewer_images_than_ranks_are_refused():
    with pytest.raises(ConfigError, match="3 samples cannot be shared by 4 ranks"):
        BatchSampler(3, Sampling(1, shuffle=False, world_size=4))
