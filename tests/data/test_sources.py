import numpy as np
import pytest

from ae_lightning.data.source import known_sources, load_data
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.errors import ConfigError


def load(name, **settings):
    return load_data(name, SourceSettings(**settings))


def test_every_source_of_the_interface_is_there():
    own = {"folder", "npz", "table", "huggingface", "arrays"}
    assert set(known_sources()) == {"digits", "mnist", "fashion_mnist", "kmnist", "cifar10", "torchvision"} | own


def test_a_source_is_read_by_its_name(tmp_path):
    assert len(load("digits").test) == 359
    np.savez(tmp_path / "own.npz", x_train=np.zeros((4, 2, 2), np.uint8), x_test=np.ones((2, 2, 2), np.uint8))
    assert len(load("npz", path=str(tmp_path / "own.npz")).train) == 4


def test_an_unknown_source_gets_the_nearest_name():
    with pytest.raises(ConfigError, match=r"data.name: 'mnits' is not known; did you mean 'mnist'\?"):
        load("mnits")


@pytest.mark.parametrize("name", ["folder", "npz", "table", "huggingface"])
def test_a_source_of_the_users_own_needs_a_path(name):
    with pytest.raises(ConfigError, match=f"data.path must say .* when data.name is {name}"):
        load(name)


@pytest.mark.parametrize(
    ("name", "setting", "takers"),
    [
        ("digits", {"path": "somewhere"}, "folder, huggingface, npz, table, stream"),
        ("digits", {"image_size": 16}, "folder, huggingface, torchvision"),
        ("digits", {"follow_links": True}, "folder"),
        ("mnist", {"dataset": "SVHN"}, "torchvision"),
        ("npz", {"path": "x.npz", "dataset_options": {"split": "letters"}}, "huggingface, torchvision"),
        ("folder", {"path": "x", "target": "class"}, "table"),
        ("table", {"path": "x.csv", "label_column": "class"}, "huggingface"),
        ("stream", {"path": "x", "missing": "drop"}, "table"),
    ],
)
def test_a_setting_is_refused_where_it_means_nothing(name, setting, takers):
    *_, key = setting
    with pytest.raises(ConfigError) as caught:
        load(name, **setting)
    assert str(caught.value) == f"data.{key} is for {takers} only; data.name is {name}"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"image_size": 0}, r"data.image_size: 0 is not allowed; it must be at least 1"),
        ({"missing": "median"}, r"data.missing: 'median' is not known; did you mean 'mean'\?"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        SourceSettings(**setting)
