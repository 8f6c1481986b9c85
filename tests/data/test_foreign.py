"""Data modules of others train and are judged like ours."""

from __future__ import annotations

import gc
import weakref

import lightning.pytorch as pl
import pytest
import torch
from conditional_vae import ConditionalVAE
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)
from two_moons import TwoMoons

from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.data.foreign import as_batch, pair, seen_data
from ae_lightning.data.loader_order import in_order
from ae_lightning.errors import ConfigError, DataError
from ae_lightning.networks import MLP
from ae_lightning.testing.training import build_trainer
from ae_lightning.variants.vae import VAE

pytestmark = pytest.mark.filterwarnings(
    "ignore:::lightning",
    "ignore:not for these data",
    "ignore:.*no data module of this",
    "ignore:.*on_after_batch_transfer",
    "ignore:.*is given the class of each sample",
)


class Unlabelled(pl.LightningDataModule):
    """Yields x alone, through hooks of its own."""

    def setup(self, stage):
        self.x = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def train_dataloader(self):
        return DataLoader(self.x, batch_size=8, shuffle=True)

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return batch / 2


class Stream(IterableDataset):
    def __iter__(self):
        return iter(torch.rand(6, 3))


class Recorder(pl.Callback):
    """Keeps the batches of a training."""

    def __init__(self):
        self.batches = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.batches.append(batch)


class NeedsLabels(VAE):
    needs_labels = True


def build(data, variant=VAE):
    torch.manual_seed(0)
    return variant(spec=seen_data(data).spec, network=MLP(hidden=[16]), latent_dim=2)


def test_its_spec_is_what_its_train_loader_gives():
    moons, plain = seen_data(TwoMoons(num_points=100)).spec, seen_data(Unlabelled()).spec
    assert (moons.shape, moons.kind, moons.value_range) == ((8,), "vector", None)
    assert (moons.num_train, moons.num_classes) == (100, 2)
    assert (plain.shape, plain.value_range, plain.num_classes) == ((1, 8, 8), (0.0, 1.0), 0)


class Scaled(pl.LightningDataModule):
    """Scaled by the bounds of its train split, as is usual; a class of the test split is in no other."""

    def loader(self, name):
        seed, low, high, num_classes = {"train": (0, 0, 1, 2), "val": (1, -0.2, 1.2, 2), "test": (2, 0, 1, 4)}[name]
        x = low + (high - low) * torch.rand(20, 6, generator=torch.Generator().manual_seed(seed))
        return DataLoader(TensorDataset(x, torch.arange(20) % num_classes), batch_size=8)

    def train_dataloader(self):
        return self.loader("train")

    def val_dataloader(self):
        return self.loader("val")

    def test_dataloader(self):
        return self.loader("test")


def test_its_bounds_and_classes_are_those_of_all_its_splits():
    data = seen_data(Scaled())
    train = data.split("train")
    assert 0 <= train.x.min() < train.x.max() <= 1
    assert (data.spec.value_range, data.spec.num_classes, data.class_names) == (None, 4, ("0", "1", "2", "3"))


@pytest.mark.parametrize("variant", [VAE, ConditionalVAE])
def test_values_outside_of_the_train_splits_bounds_are_judged_too(variant):
    data, judged = Scaled(), Evaluation(measures=["mse", "kmeans"], every_n_epochs=1, pictures=[], cache=None)
    trainer = build_trainer(1, callbacks=[judged], validate=True)
    model = build(data, variant)
    trainer.fit(model, data)
    assert {"val/mse", "val/pca_mse", "val/kmeans_accuracy"} <= set(trainer.callback_metrics)
    assert model.reconstruction.output_activation == "identity"


def test_its_splits_are_read_in_their_own_order():
    data = TwoMoons(num_points=100)
    split = seen_data(data).split("train")
    x, y = data.splits["train"].tensors
    assert torch.equal(split.x, x)
    assert torch.equal(split.labels, y)
    assert seen_data(data).split_names == ("train", "val", "test")


def test_a_split_without_a_loader_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"^data: Unlabelled has no test split; define test_dataloader$"):
        seen_data(Unlabelled()).split("test")


@pytest.mark.parametrize(("variant", "has_labels"), [(VAE, False), (NeedsLabels, True)])
def test_steps_and_callbacks_get_batches_of_ours(variant, has_labels):
    data, recorder = TwoMoons(num_points=40, batch_size=16), Recorder()
    build_trainer(1, callbacks=[recorder]).fit(build(data, variant), data)
    assert [batch.x.shape for batch in recorder.batches] == [(16, 8), (16, 8), (8, 8)]
    assert [batch.global_size for batch in recorder.batches] == [16, 16, 8]
    points, moons = (torch.cat(parts) for parts in zip(*data.train_dataloader(), strict=True))
    if not has_labels:
        assert all(batch.labels is None for batch in recorder.batches)
        return
    known = {tuple(point.tolist()): int(moon) for point, moon in zip(points, moons, strict=True)}
    for batch in recorder.batches:
        assert [known[tuple(point.tolist())] for point in batch.x] == batch.labels.tolist()


def test_its_own_hooks_come_first():
    data, recorder = Unlabelled(), Recorder()
    build_trainer(1, callbacks=[recorder]).fit(build(data), data)
    assert max(float(batch.x.max()) for batch in recorder.batches) <= 0.5


def test_it_is_judged_as_ours_are():
    data = TwoMoons(num_points=100)
    judged = Evaluation(measures=["mse", "kmeans", "active_units"], pictures=[], cache=None)
    model = build(data)
    trainer = build_trainer(1, callbacks=[judged])
    trainer.fit(model, data)
    (found,) = trainer.test(model, data, verbose=False)
    x = seen_data(data).split("test").x
    with torch.no_grad():
        expected = (x - model.eval().reconstruct(x)).square().mean().item()
    assert found["test/mse"] == pytest.approx(expected, rel=1e-4)
    assert {"test/kmeans_accuracy", "test/pca_mse", "test/active_units", "test/loss"} <= set(found)


class Streamed(Unlabelled):
    """Its loader does not know its length."""

    def train_dataloader(self):
        return DataLoader(Stream(), batch_size=4)

    def val_dataloader(self):
        return []


def test_loaders_of_no_known_length_are_read_and_empty_lists_are_none():
    data = seen_data(Streamed())
    assert data.split_names == ("train",)
    assert data.split("train").x.shape == (6, 3)


def test_a_stream_is_read_as_it_comes():
    loader = DataLoader(Stream(), batch_size=4)
    assert in_order(loader) is loader
    mixed = DataLoader(TensorDataset(torch.arange(9.0).view(9, 1)), batch_size=4, shuffle=True, drop_last=True)
    assert torch.cat([pair(given)[0] for given in in_order(mixed)]).flatten().tolist() == list(range(9))


class EveryOther(Sampler):
    """Draws every second sample, mixed."""

    def __iter__(self):
        return iter((2 * torch.randperm(4)).tolist())


class Pairs(Sampler):
    """Draws batches, mixed."""

    def __iter__(self):
        return iter([[8, 6], [0, 2], [4]])


NINE = TensorDataset(torch.arange(9.0).view(9, 1))
EVEN = SubsetRandomSampler([8, 2, 0, 6, 4])


@pytest.mark.parametrize(
    ("loader", "expected"),
    [
        (DataLoader(NINE, 2, sampler=EVEN), [0, 2, 4, 6, 8]),
        (DataLoader(NINE, batch_sampler=BatchSampler(EVEN, 2, drop_last=True)), [0, 2, 4, 6, 8]),
        (DataLoader(NINE, batch_size=None, sampler=BatchSampler(RandomSampler(NINE), 4, drop_last=False)), [*range(9)]),
        (DataLoader(NINE, batch_sampler=Pairs()), [0, 2, 4, 6, 8]),
        (DataLoader(NINE, 3, sampler=EveryOther()), [0, 2, 4, 6]),
        (DataLoader(NINE, 3, sampler=WeightedRandomSampler([0, 1, 5, 0, 0, 0, 0, 0, 1], 90)), [1, 2, 8]),
        (DataLoader(NINE, 3, sampler=RandomSampler(NINE, replacement=True, num_samples=30)), [*range(9)]),
    ],
)
def test_what_a_sampler_may_draw_is_read_once_and_by_position(loader, expected):
    before = torch.get_rng_state()
    assert torch.cat([pair(given)[0] for given in in_order(loader)]).flatten().tolist() == expected
    assert torch.equal(torch.get_rng_state(), before)


class Divided(pl.LightningDataModule):
    """Divides one data set by samplers."""

    def setup(self, stage):
        self.x = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))

    def train_dataloader(self):
        return DataLoader(self.x, batch_size=8, sampler=SubsetRandomSampler(range(12)))

    def val_dataloader(self):
        return DataLoader(self.x, batch_size=8, sampler=SubsetRandomSampler(range(12, 20)))


def test_no_split_has_samples_of_another():
    data = Divided()
    train, val = (seen_data(data).split(name).x for name in ("train", "val"))
    assert torch.equal(train, data.x[:12])
    assert torch.equal(val, data.x[12:])
    assert seen_data(data).spec.num_train == 12


def test_what_the_judge_does_not_see_is_said():
    with pytest.warns(match=r"^data: Unlabelled has on_after_batch_transfer: a model trains on what that makes"):
        assert float(seen_data(Unlabelled()).split("train").x.max()) > 0.5


def test_a_data_module_that_nobody_needs_is_not_kept():
    data = TwoMoons(num_points=20)
    assert seen_data(data) is seen_data(data)
    gone = weakref.ref(data)
    del data
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.zeros(4, 8, dtype=torch.uint8), "x is torch.uint8; give floating-point values"),
        ({"image": torch.zeros(4, 8)}, "a batch must be x or .*, and not dict"),
        ([torch.zeros(4)], "a batch must be x or "),
    ],
)
def test_what_is_no_batch_of_samples_is_refused(given, said):
    with pytest.raises(DataError, match=said):
        pair(given)


class Spoilt(TwoMoons):
    """Some numbers of the validation split are missing."""

    def setup(self, stage):
        super().setup(stage)
        self.splits["val"].tensors[0][3, 1] = torch.nan


def test_values_that_are_missing_are_refused_by_the_split_that_has_them():
    data = seen_data(Spoilt(num_points=40))
    assert data.split("train").x.isfinite().all()
    with pytest.raises(DataError, match=r"^data: Spoilt: its val loader yields values that are NaN"):
        data.split("val")


def test_what_is_no_class_is_no_label():
    x = torch.zeros(4, 8)
    assert pair((x, torch.zeros(4)))[1] is None
    assert pair((x, torch.zeros(4, 3, dtype=torch.int64)))[1] is None
    assert as_batch((x, torch.zeros(4)), 0, 0, 1, with_labels=True).labels.tolist() == [-1] * 4


def test_ranks_take_turns():
    first, second = (as_batch((torch.zeros(3, 8), None), 8, rank, 2, with_labels=False) for rank in (0, 1))
    assert first.indices.tolist() == [16, 18, 20]
    assert second.indices.tolist() == [17, 19, 21]
    assert (first.offset, second.offset, second.global_size) == (0, 3, 6)
