import pytest
import torch

from ae_lightning.data.loader import BatchLoader
from ae_lightning.data.sampling import BatchSampler, Sampling
from ae_lightning.data.splits import Split
from ae_lightning.errors import CheckpointError

NUM_IMAGES = 23


def loader(shuffle=True, batch_size=4, device=None, seed=5) -> BatchLoader:
    images = torch.arange(NUM_IMAGES, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()
    split = Split(images, torch.zeros(NUM_IMAGES, dtype=torch.int64))
    return BatchLoader(split, BatchSampler(NUM_IMAGES, Sampling(batch_size, shuffle, seed=seed)), device)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("device", [None, torch.device("cpu")])
def test_images_are_those_of_the_indices(shuffle, device):
    batches = list(loader(shuffle, device=device))
    assert len(batches) == len(loader(shuffle))
    for batch in batches:
        assert batch.x.dtype == torch.uint8
        assert batch.x.shape == (len(batch.indices), 1, 2, 2)
        assert batch.x[:, 0, 0, 0].tolist() == batch.indices.tolist()
        assert (batch.offset, batch.global_size) == (0, len(batch.indices))


def test_without_shuffling_images_are_not_copied():
    first, second, *_ = loader(shuffle=False)
    assert first.x.untyped_storage().data_ptr() == second.x.untyped_storage().data_ptr()


def test_the_epoch_counts_that_is_set_after_the_iterator_was_made():
    late, early = loader(), loader()
    iterator = iter(late)
    late.sampler.set_epoch(3)
    early.sampler.set_epoch(3)
    assert torch.equal(next(iterator).indices, next(iter(early)).indices)


def test_a_restored_loader_goes_on_where_it_was():
    whole = loader()
    whole.sampler.set_epoch(2)
    iterator = iter(whole)
    seen = [next(iterator).indices.tolist() for _ in range(3)]
    restored = loader()
    restored.load_state_dict(whole.state_dict())
    seen += [batch.indices.tolist() for batch in restored]
    assert seen == [batch.indices.tolist() for batch in whole]
    assert len(list(restored)) == len(restored)


def test_a_state_from_the_end_of_an_epoch_starts_the_next_one_at_its_beginning():
    finished = loader()
    list(finished)
    restored = loader()
    restored.load_state_dict(finished.state_dict())
    restored.sampler.set_epoch(1)
    assert len(list(restored)) == len(restored)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"seed": 1}, r"order of seed 5, which cannot go on with 1; set seed_everything"),
        ({"batch_size": 5}, r"batches of 4 samples, which cannot go on with 5"),
    ],
    ids=["order", "batches"],
)
def test_a_state_within_an_epoch_of_another_order_or_other_batches_is_refused(other, said):
    begun = loader()
    next(iter(begun))
    changed = loader(**other)
    changed.load_state_dict(begun.state_dict())
    with pytest.raises(CheckpointError, match=said):
        next(iter(changed))
    restored = loader(**other)
    restored.load_state_dict(begun.state_dict())
    restored.sampler.set_epoch(1)
    assert len(list(restored)) == len(restored)
