import numpy as np
import pytest
import torch
from PIL import Image

from ae_lightning.data import Batch, DataModule
from ae_lightning.errors import ConfigError, DataError


@pytest.fixture
def npz(tmp_path):
    """An archive of 50 and 20 images, each filled with its own value."""
    values = np.arange(70, dtype=np.uint8).repeat(3 * 4 * 5).reshape(70, 4, 5, 3)
    path = tmp_path / "own.npz"
    np.savez(path, x_train=values[:50], x_test=values[50:])
    return str(path)


def values(split):
    return split.x[:, 0, 0, 0].tolist()


def test_splits_are_disjoint_and_complete(npz):
    data = DataModule("npz", path=npz, num_val=15)
    assert sorted(values(data.split("train")) + values(data.split("val"))) == list(range(50))
    assert len(data.split("val")) == 15
    assert values(data.split("test")) == list(range(50, 70))


def test_samples_held_out_keep_their_places(npz):
    data = DataModule("npz", path=npz, num_val=4)
    for name in ("train", "val"):
        split = data.split(name)
        assert list(split.keys) == [f"x_train[{value}]" for value in values(split)]


def test_the_split_depends_on_split_seed_alone(npz):
    def val(**settings):
        return values(DataModule("npz", path=npz, **settings).split("val"))

    assert val() == val(seed=1, batch_size=7, scaling="image_max")
    assert val() != val(split_seed=1)


def test_a_tenth_is_held_out_by_default(npz):
    assert len(DataModule("npz", path=npz).split("val")) == 5


def test_mnist_holds_out_5000(real_data):
    data = DataModule("mnist", root=str(real_data))
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [55_000, 5_000, 10_000]
    assert data.spec.shape == (1, 28, 28)


def test_the_root_comes_from_the_environment(real_data, monkeypatch):
    assert len(DataModule("mnist").split("test")) == 10_000
    monkeypatch.setenv("AE_LIGHTNING_DATA", str(real_data / "nowhere"))
    with pytest.raises(DataError, match="nowhere"):
        DataModule("mnist", root=str(real_data / "nowhere")).setup("fit")


def test_without_validation_there_is_no_loader(npz):
    data = DataModule("npz", path=npz, num_val=0)
    assert data.val_dataloader() == []
    assert values(data.split("train")) == list(range(50))
    with pytest.raises(ConfigError, match="no val split"):
        data.split("val")


@pytest.mark.parametrize("num_val", [50, 51])
def test_num_val_must_leave_images_to_train_on(npz, num_val):
    with pytest.raises(ConfigError, match=rf"data.num_val {num_val} leaves none of the 50 training samples"):
        DataModule("npz", path=npz, num_val=num_val).setup("fit")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_val": -1}, "data.num_val: -1 is not allowed; it must be at least 0"),
        ({"batch_size": 0}, "data.batch_size: 0 is not allowed; it must be at least 1"),
        ({"seed": -1}, "data.seed: -1 is not allowed; it must be a number from 0 to 4294967295"),
        (
            {"split_seed": 10**30},
            "data.split_seed: 1000000000000000000000000000000 is not allowed; it must be a number",
        ),
        ({"name": "digit"}, "did you mean 'digits'"),
        ({"path": "somewhere"}, "data.path is for"),
    ],
)
def test_wrong_settings_are_refused_at_once(settings, words):
    with pytest.raises(ConfigError, match=words):
        DataModule(**settings)


def test_a_missing_file_is_found_out_when_the_shape_is_asked_for(tmp_path):
    data = DataModule("npz", path=str(tmp_path / "none.npz"))
    with pytest.raises(DataError, match="there is no file"):
        _ = data.spec.shape


def test_classes(npz):
    digits, unlabelled = DataModule(), DataModule("npz", path=npz)
    assert digits.class_names == tuple("0123456789")
    assert unlabelled.class_names is None


def test_the_data_set_has_a_name(npz, tmp_path):
    assert DataModule().dataset_name == "digits"
    assert DataModule("npz", path=npz).dataset_name == "own"
    assert DataModule("folder", path=f"{tmp_path}/cats.v2/").dataset_name == "cats.v2"


def test_hyperparameters_are_plain(npz):
    data = DataModule("npz", path=npz, num_val=3)
    assert data.hparams["num_val"] == 3
    assert all(value is None or isinstance(value, int | float | str) for value in data.hparams.values())
    assert DataModule(**data.hparams).hparams == data.hparams


def test_images_are_read_once(npz, monkeypatch):
    data = DataModule("npz", path=npz)
    data.prepare_data()
    monkeypatch.setattr("ae_lightning.data.datamodule.load_data", None)
    data.setup("fit")
    assert data.spec.shape == (3, 4, 5)


def test_all_is_mixed_but_what_is_predicted(npz):
    data = DataModule("npz", path=npz, batch_size=8, num_val=10)
    for loader, split, shuffled in (
        (data.train_dataloader(), "train", True),
        (data.val_dataloader(), "val", True),
        (data.test_dataloader(), "test", True),
        (data.predict_dataloader(), "test", False),
    ):
        indices = torch.cat([batch.indices for batch in loader]).tolist()
        assert (indices != sorted(indices)) == shuffled
        assert sorted(indices) == list(range(len(data.split(split))))


@pytest.mark.parametrize("name", ["val", "test"])
def test_what_judges_is_the_same_in_every_epoch_and_for_every_seed(npz, name):
    orders = []
    for seed in (0, 1):
        data = DataModule("npz", path=npz, batch_size=8, num_val=10, seed=seed)
        loader = getattr(data, f"{name}_dataloader")()
        for epoch in (0, 3):
            loader.sampler.set_epoch(epoch)
            orders.append(torch.cat([batch.indices for batch in loader]).tolist())
    assert orders.count(orders[0]) == 4


def test_what_judges_an_objective_over_a_batch_has_batches_of_all_classes(tmp_path):
    """A folder lists its images class by class: in that order, a batch would be a sample of one class alone."""
    images = np.repeat(np.arange(4, dtype=np.uint8), 64)[:, None, None] * np.ones((1, 4, 5), np.uint8)
    np.savez(tmp_path / "sorted.npz", x_train=images, x_test=images)
    data = DataModule("npz", path=tmp_path / "sorted.npz", batch_size=64, num_val=128)
    for loader in (data.val_dataloader(), data.test_dataloader()):
        assert all(len(batch.x.unique()) == 4 for batch in loader)


def test_predict_split_is_chosen(npz):
    data = DataModule("npz", path=npz, predict_split="val")
    assert sum(len(batch.x) for batch in data.predict_dataloader()) == 5


@pytest.mark.parametrize("scaling", ["unit", "image_max"])
def test_a_transferred_batch_is_scaled_and_channels_last(npz, scaling):
    data = DataModule("npz", path=npz, scaling=scaling)
    raw = next(iter(data.test_dataloader()))
    batch = data.on_after_batch_transfer(raw, 0)
    assert isinstance(batch, Batch)
    assert batch.x.dtype == torch.float32
    assert batch.x.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch.x, data.scale(raw.x))
    assert raw.x.dtype == torch.uint8
    assert batch[1:] == raw[1:]


def test_a_grey_batch_has_the_strides_of_channels_last():
    data = DataModule()
    batch = data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0)
    assert batch.x.stride() == (64, 1, 8, 1)


def test_a_folder_with_classes(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(10):
            Image.new("RGB", (6, 6), (number, 0, 0)).save(tmp_path / name / f"{number}.png")
    data = DataModule("folder", path=str(tmp_path), image_size=4)
    assert data.spec.shape == (3, 4, 4)
    assert data.class_names == ("cat", "dog")
