"""What `data.augment` takes, and what it makes of batches."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
import torch

from ae_lightning.data import Batch, DataModule
from ae_lightning.data.augmentation import Augmentation
from ae_lightning.data.augmentations.random_affine import RandomAffine
from ae_lightning.data.augmenting import Augmenter
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError, DataError
from ae_lightning.python_api.given_data import given_data

BOUNDED = (0.0, 1.0)
OF_ALL_KINDS = [
    "RandomHorizontalFlip",
    {"class_path": "RandomAffine", "init_args": {"degrees": 20, "translate": [0.2, 0.2], "interpolation": "bilinear"}},
    {"class_path": "RandomCrop", "init_args": {"size": 8, "padding": 2}},
    {"class_path": "RandomResizedCrop", "init_args": {"size": 8}},
    {"class_path": "ColorJitter", "init_args": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}},
    {"class_path": "RandomErasing", "init_args": {"value": "random"}},
    "GaussianNoise",
    {"class_path": "GaussianBlur", "init_args": {"kernel_size": 3}},
    {"class_path": "torchvision.transforms.v2.RandomRotation", "init_args": {"degrees": 30}},
    {"class_path": "test_augmenting.Darkened", "init_args": {"most": 0.3}},
    {"class_path": "test_augmenting.FromEveryGenerator"},
]


class FromEveryGenerator:
    """Draws from Python's, NumPy's and torch's generators."""

    def __call__(self, image):
        return (image + 0.01 * (random.random() + np.random.rand() + torch.rand(()))).clamp(0, 1)


class Darkened(Augmentation):
    """One of one's own, of whole batches."""

    def __init__(self, most=0.5):
        self.most = most

    def draw(self, draws, shape):
        return draws.uniform() * self.most

    def change(self, x_BCHW, drawn, value_range):
        return x_BCHW * (1 - drawn[:, None, None, None])


class Broken:
    """Takes no tensor."""

    def __call__(self, image):
        return image.convert("RGB")


class Flattening:
    """Makes vectors."""

    def __call__(self, image):
        return image.flatten()


class Uncallable:
    """Changes nothing."""


def augmenter(*given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Augmenter(given, seed=3)
        made.import_all()
    return made


def images(num=6, channels=3):
    x = torch.rand(num, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last)


def batch(x, offset=0, global_size=None):
    return Batch(x, None, torch.arange(len(x)), offset, global_size or len(x))


@pytest.mark.parametrize("given", OF_ALL_KINDS, ids=lambda one: one if isinstance(one, str) else one["class_path"])
def test_ranks_see_what_one_process_sees(given):
    """And the images stay in their order in memory, and within their range."""
    x, made = images(40), augmenter(given)
    whole = made.augmented(batch(x), (2, 7), 1, BOUNDED).x
    shares = [
        made.augmented(batch(x[first:last], first, 40), (2, 7), 1, BOUNDED).x for first, last in [(0, 23), (23, 40)]
    ]
    torch.testing.assert_close(torch.cat(shares), whole, rtol=0, atol=1e-6)
    assert whole.shape == x.shape
    assert whole.stride() == x.stride()
    assert 0 <= whole.min() < whole.max() <= 1
    assert not torch.equal(whole, x)
    # Other batches, and images of the same batch, are changed otherwise.
    assert not torch.equal(made.augmented(batch(x), (2, 8), 1, BOUNDED).x, whole)
    same = made.augmented(batch(x[:1].expand(40, -1, -1, -1)), (2, 7), 1, BOUNDED).x
    assert len(same.unique(dim=0)) > 1


def test_views_are_drawn_independently_and_alone_as_together():
    x, made = images(), augmenter(*OF_ALL_KINDS[:2])
    one, two = (made.augmented(batch(x), (0, 0), num, BOUNDED) for num in (1, 3))
    assert one.views == ()
    assert torch.equal(one.x, two.x)
    assert len(two.views) == 2
    assert not torch.equal(two.x, two.views[0])
    assert not torch.equal(*two.views)


def test_generators_are_left_as_they_were():
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    expected = torch.rand(3), random.random(), np.random.rand()
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    augmenter(OF_ALL_KINDS[-1]).augmented(batch(images()), (0, 0), 1, BOUNDED)
    assert torch.equal(torch.rand(3), expected[0])
    assert (random.random(), np.random.rand()) == expected[1:]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        (
            "Broken",
            ConfigError,
            r"data.augment.test_augmenting.Broken: it fails on a tensor of shape \(3, 8, 8\): Attr",
        ),
        ("Flattening", ConfigError, r"Flattening: of a tensor .* it makes a tensor of shape \(192,\), and no image"),
        ("Uncallable", ConfigError, "Uncallable: what it makes cannot be called with an image"),
        ("augmenter", ConfigError, "data.augment: 'test_augmenting.augmenter' is no class"),
        ("Missing", ConfigError, "'test_augmenting.Missing' is not there"),
    ],
)
def test_transforms_that_cannot_be_used_are_refused(name, error, words):
    with pytest.raises(error, match=words):
        augmenter(f"test_augmenting.{name}").require_takes("these", (3, 8, 8), BOUNDED)


def test_values_that_leave_their_range_are_refused():
    normalize = {"class_path": "torchvision.transforms.v2.Normalize", "init_args": {"mean": [0.5], "std": [0.5]}}
    with pytest.raises(DataError, match="its values reach from -1 to -1, and those of the samples from 0 to 1"):
        augmenter(normalize).require_takes("these", (1, 8, 8), BOUNDED)
    augmenter(normalize).require_takes("these", (1, 8, 8), None)


def test_what_is_slow_is_said_once_a_training():
    rotated = OF_ALL_KINDS[8]
    data = DataModule(augment=["RandomHorizontalFlip", "test_augmenting.Darkened", rotated])
    data.setup("test")
    assert not data.can_augment
    words = "data.augment: torchvision.transforms.v2.RandomRotation takes one image after the other, which is slow"
    with pytest.warns(UserWarning, match=words):
        data.setup("fit")
    assert data.can_augment
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.setup("fit")
        DataModule(augment=["RandomHorizontalFlip"]).setup("fit")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["RandomAfine"], "data.augment: 'RandomAfine' is not known; did you mean 'RandomAffine'"),
        (
            [{"class_path": "RandomAffine", "init_args": {"degree": 1}}],
            "data.augment.RandomAffine: 'degree' is not known; did you mean 'degrees'",
        ),
        (["RandomAffine"], "data.augment.RandomAffine.degrees is required"),
        ([{"class_pat": "RandomAffine"}], "it must be a class's name, or"),
        ([{"class_path": "RandomCrop", "size": 8}], "data.augment.RandomCrop: 'size' is not known"),
        ("RandomHorizontalFlip", "it must be a list, of one too"),
        (
            [{"class_path": "torchvision.transforms.v2.Lambda", "init_args": {"lambd": abs}}],
            "data.augment.torchvision.transforms.v2.Lambda.lambd: builtin_function_or_method cannot be written down",
        ),
    ],
)
def test_wrong_settings_are_refused_at_once(given, words):
    with pytest.raises(ConfigError, match=words):
        DataModule(augment=given)


def test_images_of_another_size_are_refused():
    data = DataModule(augment=[{"class_path": "RandomCrop", "init_args": {"size": 6}}])
    with pytest.raises(
        ConfigError, match="it makes images of 1 × 6 × 6, and those that the model is judged on are 1 × 8"
    ):
        _ = data.spec


def test_vectors_are_refused_by_name(tmp_path):
    np.savez(tmp_path / "features.npz", x_train=np.zeros((40, 5)), x_test=np.zeros((4, 5)))
    data = DataModule("npz", path=str(tmp_path / "features.npz"), augment=["GaussianNoise"])
    with pytest.raises(ConfigError, match=r"data.augment: it is for images, and features holds none; it must be null"):
        _ = data.spec


def test_hyperparameters_are_those_of_a_configuration():
    """Objects, tuples and NumPy's numbers as well: a checkpoint holds plain values."""
    data = DataModule(augment=[RandomAffine(np.float32(10), translate=(0.1, 0.2)), "RandomHorizontalFlip"])
    affine, flip = data.hparams["augment"]
    given = {name: value for name, value in affine["init_args"].items() if value}
    assert affine["class_path"] == "RandomAffine"
    assert given == {"degrees": 10.0, "translate": [0.1, 0.2], "interpolation": "nearest"}
    assert flip == {"class_path": "RandomHorizontalFlip"}
    assert DataModule(**data.hparams).hparams == data.hparams
    assert DataModule(augment=[]).hparams["augment"] is None


def test_in_python_objects_are_given():
    given = given_data("digits", settings={"augment": [RandomAffine(10), {"class_path": "GaussianNoise"}]})
    steps = DataModule(**given.settings).augmenter.steps
    assert [type(step).__name__ for step in steps] == ["RandomAffine", "GaussianNoise"]
    assert steps[0].degrees == 10


def test_draws_for_pictures_follow_their_seed():
    data = DataModule(augment=["GaussianNoise"])
    x = data.scale(data.split("train").x[:4])
    assert torch.equal(data.augment(x, 1), data.augment(x, 1))
    assert not torch.equal(data.augment(x, 1), data.augment(x, 2))


def test_seeds_are_a_function_of_the_position():
    def seeds(offset, num):
        where = {"offset": offset, "num_images": num, "global_size": 9, "device": torch.device("cpu")}
        return Draws(0, "test", (1,), **where).seeds().tolist()

    assert seeds(0, 4) + seeds(4, 5) == seeds(0, 9)
    assert len(set(seeds(0, 9))) == 9
    assert all(0 <= seed < 2**32 for seed in seeds(0, 9))
