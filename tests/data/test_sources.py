import numpy as np
import pytest

from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.data.source import known_sources, load_data
from ae_lightning.errors import ConfigError


def load(name, path=None, image_size=None):
    return load_data(name, root="data", path=path, split_seed=0, reading=FolderReading(image_size=image_size))


def test_every_source_of_the_interface_is_there():
    assert set(known_sources()) == {"digits", "mnist", "fashion_mnist", "kmnist", "cifar10", "folder", "npz", "arrays"}


def test_a_source_is_read_by_its_name(tmp_path):
    assert len(load("digits").test) == 359
    np.savez(tmp_path / "own.npz", x_train=np.zeros((4, 2, 2), np.uint8), x_test=np.ones((2, 2, 2), np.uint8))
    assert len(load("npz", path=tmp_path / "own.npz").train) == 4


def test_an_unknown_source_gets_the_nearest_name():
    with pytest.raises(ConfigError, match=r"data.name: 'mnits' is not known; did you mean 'mnist'\?"):
        load("mnits")


@pytest.mark.parametrize("name", ["folder", "npz"])
def test_a_source_of_the_users_own_needs_a_path(name):
    with pytest.raises(ConfigError, match=f"data.path must say .* when data.name is {name}"):
        load(name)


def test_a_path_is_refused_where_it_means_nothing():
    with pytest.raises(ConfigError, match=r"data.path is for folder, npz, stream only; data.name is digits"):
        load("digits", path="somewhere")


def test_image_size_is_refused_where_it_means_nothing():
    with pytest.raises(ConfigError, match=r"data.image_size is for folder only; data.name is digits"):
        load("digits", image_size=16)


def test_an_image_size_below_one_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"data.image_size: 0 is not allowed; it must be at least 1"):
        load("folder", path=tmp_path, image_size=0)
