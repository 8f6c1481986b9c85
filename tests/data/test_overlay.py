"""Two images of different classes in one."""

import numpy as np
import pytest
import torch

from ae_lightning.data import DataModule
from ae_lightning.data.overlay import overlay
from ae_lightning.data.splits import Split
from ae_lightning.errors import ConfigError


def split(labels):
    images = torch.randint(0, 256, (len(labels), 1, 4, 4), generator=torch.Generator().manual_seed(0))
    return Split(images.to(torch.uint8), torch.tensor(labels))


def test_each_image_lies_under_one_of_another_class():
    singles = split([0, 2, 2, 0, 5, 2] * 20)
    overlaid = overlay(singles, seed=0)
    assert torch.equal(overlaid.labels[:, 0], singles.labels)
    assert (overlaid.labels[:, 0] != overlaid.labels[:, 1]).all()
    for image, own, (_, other) in zip(overlaid.images, singles.x, overlaid.labels, strict=True):
        maxima = torch.maximum(own, singles.x[singles.labels == other])
        assert (maxima == image).flatten(1).all(dim=1).any()


def test_partners_are_drawn_uniformly_from_the_other_classes():
    labels = [0] * 100 + [1] * 600 + [2] * 300
    partners = overlay(split(labels), seed=0).labels[:100, 1]
    assert (partners == 1).float().mean() == pytest.approx(2 / 3, abs=0.15)


def test_the_seed_fixes_the_pairs():
    singles = split([0, 1, 2] * 30)
    assert torch.equal(overlay(singles, 1).images, overlay(singles, 1).images)
    assert not torch.equal(overlay(singles, 1).images, overlay(singles, 2).images)


def test_without_two_classes_there_are_no_pairs():
    assert overlay(split([3, 3, 3]), seed=0) is None
    assert overlay(Split(torch.zeros(3, 1, 4, 4, dtype=torch.uint8)), seed=0) is None


def test_asked_for_without_labels_it_is_refused(tmp_path):
    np.savez(tmp_path / "own.npz", x_train=np.ones((9, 4, 4), np.uint8), x_test=np.ones((5, 4, 4), np.uint8))
    data = DataModule("npz", path=str(tmp_path / "own.npz"), overlay=True)
    with pytest.raises(ConfigError, match=r"data\.overlay .* own has none"):
        data.setup("fit")
