"""The order of images that lie on disk, and the batches that come of it."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_lightning.data.sampling import Sampling
from ae_lightning.data.streaming.blocks import BlockReader
from ae_lightning.data.streaming.loader import StreamLoader
from ae_lightning.data.streaming.windows import WindowSampler
from ae_lightning.data.streaming.writer import BlockWriter
from ae_lightning.errors import CheckpointError, ConfigError, DataError

NUM_IMAGES, BLOCK, WINDOW = 103, 10, 3
SHAPE = (1, 2, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, (NUM_IMAGES, *SHAPE), dtype=np.uint8)
LABELS = np.arange(NUM_IMAGES) % 7


def write(folder, labels=LABELS):
    writer = BlockWriter(folder, BLOCK)
    for start in range(0, NUM_IMAGES, 7):  # in portions that do not fit the blocks
        part = slice(start, start + 7)
        writer.add(PIXELS[part], None if labels is None else labels[part])
    writer.close()
    assert writer.num_images == NUM_IMAGES
    return BlockReader(folder, NUM_IMAGES, SHAPE, BLOCK)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return write(tmp_path_factory.mktemp("stored") / "train")


def loader(reader, batch_size=4, shuffle=True, seed=5, rank=0, world_size=1, epoch=0):
    sampler = WindowSampler(NUM_IMAGES, BLOCK, WINDOW, Sampling(batch_size, shuffle, seed, rank, world_size))
    sampler.set_epoch(epoch)
    return StreamLoader(reader, sampler)


def rank_batches(reader, batch_size, world_size, **options):
    """All batches of every rank: [rank][step]."""
    return [list(loader(reader, batch_size, rank=rank, world_size=world_size, **options)) for rank in range(world_size)]


def global_batches(dealt):
    return [[index for batch in step for index in batch.indices.tolist()] for step in zip(*dealt, strict=True)]


def flat(batches):
    return list(chain.from_iterable(batches))


def test_blocks_come_back_as_they_were_written(reader):
    assert reader.num_blocks == 11
    for block in (10, 0, 3):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        assert np.array_equal(reader.read(block).images, PIXELS[part])
        assert np.array_equal(reader.read(block).labels, LABELS[part])


@pytest.mark.parametrize("num_images", [1, 10, 35, 103, 500])
def test_the_first_images_with_their_labels(reader, num_images):
    split = reader.read_first(num_images)
    assert np.array_equal(split.x.numpy(), PIXELS[:num_images])
    assert split.labels.tolist() == LABELS[:num_images].tolist()


def test_images_without_labels(tmp_path):
    split = write(tmp_path / "unlabelled", labels=None).read_first(25)
    assert np.array_equal(split.x.numpy(), PIXELS[:25])
    assert split.labels is None


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 120), st.integers(1, 5), st.booleans(), st.integers(0, 3))
def test_ranks_together_see_what_one_process_sees(reader, batch_size, world_size, shuffle, epoch):
    dealt = rank_batches(reader, batch_size, world_size, shuffle=shuffle, epoch=epoch)
    together = global_batches(dealt)
    alone = global_batches(rank_batches(reader, batch_size * world_size, 1, shuffle=shuffle, epoch=epoch))
    assert sorted(flat(together)) == list(range(NUM_IMAGES))
    assert flat(together) == flat(alone)
    assert together[:-1] == alone[: len(together) - 1]
    for batches in dealt:
        assert len(batches) == len(loader(reader, batch_size, shuffle, world_size=world_size))
    for step, whole in zip(zip(*dealt, strict=True), together, strict=True):
        for batch in step:
            assert batch.global_size == len(whole)
            assert whole[batch.offset : batch.offset + len(batch.indices)] == batch.indices.tolist()
            assert np.array_equal(batch.x.numpy(), PIXELS[batch.indices.numpy()])


def test_the_order_is_fixed_by_seed_and_epoch(reader):
    def order(**options):
        return flat(global_batches(rank_batches(reader, 4, 1, **options)))

    assert order(epoch=1) == order(epoch=1)
    orders = [order(), order(epoch=1), order(seed=6), order(shuffle=False)]
    assert len({tuple(found) for found in orders}) == len(orders)
    assert orders[-1] == list(range(NUM_IMAGES))


def test_a_window_mixes_the_images_of_blocks_that_lie_apart(reader):
    order = flat(global_batches(rank_batches(reader, 4, 1)))
    first = order[: 2 * BLOCK]  # of a window, even one with the short last block
    blocks = {index // BLOCK for index in first}
    assert len(blocks) == WINDOW
    assert max(blocks) - min(blocks) >= WINDOW
    assert len({index // BLOCK for index in first[:BLOCK]}) > 1
    assert first != sorted(first)


@pytest.mark.parametrize("num_seen", [0, 1, 7, 8, 20])
@pytest.mark.parametrize("world_size", [1, 2])
def test_a_restored_loader_goes_on_where_it_was(reader, num_seen, world_size):
    options = {"batch_size": 4, "world_size": world_size, "epoch": 2}
    for rank in range(world_size):
        whole = loader(reader, rank=rank, **options)
        expected = [batch.indices.tolist() for batch in whole]
        begun = loader(reader, rank=rank, **options)
        iterator = iter(begun)
        seen = [next(iterator).indices.tolist() for _ in range(min(num_seen, len(begun)))]
        state = begun.state_dict() if seen else {"epoch": 2, "num_batches": 0, "global_batch_size": 4 * world_size}
        restored = loader(reader, rank=rank, **{**options, "epoch": 0})
        restored.load_state_dict(state)
        assert seen + [batch.indices.tolist() for batch in restored] == expected
        assert len(list(restored)) == len(restored)


def test_a_restored_loader_does_not_read_what_was_seen(reader):
    class Counting(BlockReader):
        blocks: list

        def read(self, block):
            self.blocks.append(block)
            return super().read(block)

    counting = Counting(reader.folder, NUM_IMAGES, SHAPE, BLOCK)
    counting.blocks = []
    restored = loader(counting, batch_size=10)
    restored.load_state_dict({"epoch": 0, "num_batches": 9, "global_batch_size": 10})
    assert len(list(restored)) == 2
    assert len(counting.blocks) <= WINDOW


def test_a_state_of_other_batches_is_refused(reader):
    begun = loader(reader)
    next(iter(begun))
    other = loader(reader, batch_size=5)
    other.load_state_dict(begun.state_dict())
    with pytest.raises(CheckpointError, match="batches of 4 samples, which cannot go on with 5"):
        next(iter(other))


def test_an_iteration_that_is_given_up_leaves_no_thread(reader):
    import threading

    before = threading.active_count()
    for _ in range(3):
        next(iter(loader(reader)))
    assert threading.active_count() == before


def test_training_never_ends_on_a_single_image(reader):
    (batches,) = rank_batches(reader, 51, 1)
    assert [len(batch.indices) for batch in batches] == [51, 52]
    (batches,) = rank_batches(reader, 51, 1, shuffle=False)
    assert [len(batch.indices) for batch in batches] == [51, 51, 1]


def test_the_order_does_not_touch_the_global_generator(reader):
    state = torch.get_rng_state()
    list(loader(reader))
    assert torch.equal(torch.get_rng_state(), state)


def test_fewer_images_than_ranks_are_refused():
    with pytest.raises(ConfigError, match="3 samples cannot be shared by 4 ranks"):
        WindowSampler(3, BLOCK, WINDOW, Sampling(1, shuffle=True, world_size=4))


def test_a_chunk_that_goes_away_while_it_is_trained_on_is_named(tmp_path):
    stored = write(tmp_path / "train")
    (chunk,) = (tmp_path / "train").glob("chunk-*")
    chunk.unlink()
    with pytest.raises(DataError, match="train: block 0 cannot be read"):
        stored.read(0)
