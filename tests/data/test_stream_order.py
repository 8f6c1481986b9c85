"""The order of images that lie on disk, and the batches that come of it."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_lightning.data.sampling import Sampling
from ae_lightning.data.store.arrays import ArrayWriter, StoredArray
from ae_lightning.data.store.loader import StreamLoader
from ae_lightning.data.store.windows import WindowSampler
from ae_lightning.errors import CheckpointError, ConfigError, DataError

NUM_IMAGES, BLOCK, WINDOW = 103, 10, 3
SHAPE = (1, 2, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, (NUM_IMAGES, *SHAPE), dtype=np.uint8)
LABELS = np.arange(NUM_IMAGES) % 7


def write(folder, name, rows):
    writer = ArrayWriter(folder, name, BLOCK)
    for start in range(0, NUM_IMAGES, 7):  # in portions that do not fit the blocks
        writer.add(rows[start : start + 7])
    return StoredArray(writer.close(), folder, name)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return write(tmp_path_factory.mktemp("stored"), "x", PIXELS)


def loader(reader, batch_size=4, shuffle=True, seed=5, rank=0, world_size=1, epoch=0, **labels):
    sampler = WindowSampler(NUM_IMAGES, BLOCK, WINDOW, Sampling(batch_size, shuffle, seed, rank, world_size))
    sampler.set_epoch(epoch)
    return StreamLoader(reader, labels.pop("labels", None), sampler, **labels)


def rank_batches(reader, batch_size, world_size, **options):
    """All batches of every rank: [rank][step]."""
    return [list(loader(reader, batch_size, rank=rank, world_size=world_size, **options)) for rank in range(world_size)]


def global_batches(dealt):
    return [[index for batch in step for index in batch.indices.tolist()] for step in zip(*dealt, strict=True)]


def flat(batches):
    return list(chain.from_iterable(batches))


@pytest.mark.parametrize("positions", [[], [0], [102, 0, 57, 57], list(range(NUM_IMAGES))])
def test_rows_come_back_as_they_were_written(reader, positions):
    assert np.array_equal(reader[np.array(positions, np.int64)], PIXELS[positions])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int64", "S5"])
def test_any_row_is_a_plain_file_of_numpy(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr("ae_lightning.data.store.arrays.SHARD_BYTES", 1)
    rows = np.arange(NUM_IMAGES).astype(dtype)
    stored = write(tmp_path, "labels", rows)
    files = sorted(tmp_path.glob("labels-*.npy"))
    assert len(files) == 11
    assert np.array_equal(np.concatenate([np.load(file, allow_pickle=False) for file in files]), rows)
    assert np.array_equal(stored[np.arange(NUM_IMAGES)[::-1]], rows[::-1])


def test_batches_with_labels(reader, tmp_path):
    labels = write(tmp_path, "labels", LABELS)
    for batch in loader(reader, labels=labels, with_labels=True):
        assert np.array_equal(batch.labels.numpy(), LABELS[batch.indices.numpy()])
    assert all((batch.labels == -1).all() for batch in loader(reader, with_labels=True))
    assert all(batch.labels is None for batch in loader(reader, labels=labels))


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


def test_a_restored_loader_does_not_read_what_was_seen(reader, monkeypatch):
    read = []
    whole = StoredArray._read_block
    monkeypatch.setattr(
        StoredArray, "_read_block", lambda self, block, room: read.append(block) or whole(self, block, room)
    )
    restored = loader(reader, batch_size=10)
    restored.load_state_dict({"epoch": 0, "num_batches": 9, "global_batch_size": 10})
    assert len(list(restored)) == 2
    assert len(read) <= WINDOW


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


def test_a_file_that_goes_away_while_it_is_trained_on_is_named(tmp_path):
    stored = write(tmp_path, "x", PIXELS)
    (tmp_path / "x-00000.npy").unlink()
    with pytest.raises(DataError, match=r"x-00000\.npy cannot be read: No such file or directory"):
        list(loader(stored))


def test_an_altered_byte_is_found_where_it_is_first_read(tmp_path):
    stored = write(tmp_path, "x", PIXELS)
    path = tmp_path / "x-00000.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert len(stored[np.arange(100)]) == 100
    with pytest.raises(DataError, match=r"x-00000\.npy is corrupt; convert the data again"):
        stored[np.array([100])]
    with pytest.raises(DataError, match=r"x-00000\.npy is corrupt"):
        list(loader(stored))
