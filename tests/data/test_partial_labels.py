"""Images of which some have no label: they are trained on, and judged by whatever asks for no label."""

import math

import numpy as np
import pytest
import torch

from ae_lightning.data import DataModule
from ae_lightning.data.arrays.npz import read_npz
from ae_lightning.data.overlay import overlay
from ae_lightning.data.splits import Split
from ae_lightning.errors import ConfigError
from ae_lightning.labels import MISSING_LABEL
from stored_digits import store

CLASSES = (3, 7, 9)
LABELLED = (
    *("kmeans", "gmm", "nearest_centroid", "class_gaussian", "linear_probe", "knn", "few_shot", "retrieval"),
    "overlay",
)
"""Measures that look at labels."""


def write(path, num_train=240, num_test=60, known=0.5):
    """An archive of images that are each brightest where their class says, half of them without a label."""
    random = np.random.default_rng(0)
    arrays = {}
    for part, size in (("train", num_train), ("test", num_test)):
        place = np.arange(size) % len(CLASSES)
        images = random.integers(0, 60, (size, 6, 6), dtype=np.uint8)
        images[np.arange(size), 2 * place] += 180
        labels = np.array(CLASSES)[place]
        labels[random.random(size) > known] = MISSING_LABEL
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    np.savez(path, **arrays)
    return arrays


@pytest.fixture
def half(tmp_path):
    write(tmp_path / "half.npz")
    return {"name": "npz", "path": str(tmp_path / "half.npz")}


def test_a_missing_label_stays_one(tmp_path):
    arrays = write(tmp_path / "half.npz")
    images = read_npz(tmp_path / "half.npz")
    assert images.class_names == ("3", "7", "9")
    known = arrays["y_train"] != MISSING_LABEL
    assert 0 < known.sum() < len(known)
    labels = images.train.labels.numpy()
    assert (labels[~known] == MISSING_LABEL).all()
    assert np.array_equal(np.array(CLASSES)[labels[known]], arrays["y_train"][known])


def test_where_all_are_missing_the_images_are_unlabelled(tmp_path):
    write(tmp_path / "none.npz", known=0)
    images = read_npz(tmp_path / "none.npz")
    assert (images.class_names, images.train.labels, images.test.labels) == (None, None, None)


def test_one_split_may_have_none(tmp_path):
    arrays = write(tmp_path / "own.npz")
    np.savez(tmp_path / "own.npz", **{**arrays, "y_test": np.full(60, MISSING_LABEL)})
    images = read_npz(tmp_path / "own.npz")
    assert set(images.test.labels.tolist()) == {MISSING_LABEL}
    assert set(images.train.labels.tolist()) == {MISSING_LABEL, 0, 1, 2}


def test_what_may_be_of_a_class_left_out_is_not_trained_on(half):
    data = DataModule(**half, leave_out_class="7")
    assert set(data.split("train").labels.tolist()) == set(data.split("val").labels.tolist()) == {0, 2}
    assert set(data.split("test").labels.tolist()) == {MISSING_LABEL, 0, 1, 2}


def test_no_class_is_called_missing(half):
    with pytest.raises(ConfigError, match="-1 is not allowed"):
        DataModule(**half, leave_out_class=MISSING_LABEL).setup("fit")


def test_overlaid_are_those_whose_class_is_known():
    images = torch.randint(0, 256, (90, 1, 4, 4), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    labels = torch.tensor([0, MISSING_LABEL, 2] * 30)
    overlaid = overlay(Split(images, labels), seed=0)
    assert sorted(overlaid.labels[:, 0].tolist()) == [0] * 30 + [2] * 30
    assert (overlaid.labels >= 0).all()
    assert (overlaid.labels[:, 0] != overlaid.labels[:, 1]).all()
    assert overlay(Split(images, torch.where(labels == 2, MISSING_LABEL, labels)), seed=0) is None


def test_missing_labels_are_stored(half, tmp_path):
    stored, original = store(tmp_path / "stored", **half), DataModule(**half)
    assert stored.class_names == original.class_names
    assert torch.equal(stored.split("test").labels, original.split("test").labels)
    counts = [np.unique(data.split("train").labels.numpy(), return_counts=True) for data in (stored, original)]
    assert np.array_equal(counts[0], counts[1])


@pytest.mark.slow
def test_half_labelled_images_are_trained_on_and_judged(workspace, half):
    outcome = workspace.fit(
        *("--data.name", "npz", "--data.path", half["path"], "--data.overlay", "true"),
        *("--evaluation.measures", f"[{','.join(LABELLED)}]", "--evaluation.pca", "true"),
        *("--evaluation.pictures", "[latent_scatter,reconstructions,confusion_kmeans,interpolations]"),
    )
    assert outcome.code == 0, outcome.err
    measured = workspace.run().data.metrics
    names = ("kmeans_accuracy", "nearest_centroid_accuracy", "linear_probe_accuracy", "overlay_pair_accuracy")
    assert {f"test/{name}" for name in names} <= set(measured)
    assert [name for name, value in measured.items() if not math.isfinite(value)] == []
