"""Data sets that were converted, as the data module gives them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from ae_lightning.command_line.predictions import origins
from ae_lightning.data import DataModule
from ae_lightning.errors import ConfigError, DataError
from ae_lightning.testing.training import build_trainer
from stored_digits import store


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return store(tmp_path_factory.mktemp("stored") / "digits")


def rows(images):
    return sorted(image.flatten().tolist() for image in images)


def require_same(stored, original):
    """Every split has the same images and labels: those to train on in another order, the others in their own."""
    assert stored.split_names == original.split_names
    assert (stored.class_names, stored.spec) == (original.class_names, original.spec)
    assert stored.notes == original.notes
    assert (stored.novel_class, stored.num_skipped) == (original.novel_class, original.num_skipped)
    for name in original.split_names:
        found, expected = stored.split(name), original.split(name)
        assert stored.num_samples(name) == len(found) == len(expected)
        assert dict(zip(found.keys, found.x.flatten(1).tolist(), strict=True)) == dict(
            zip(expected.keys, expected.x.flatten(1).tolist(), strict=True)
        )
        if name == "train":
            assert not torch.equal(found.x, expected.x)
            assert pairs(found) == pairs(expected)
            continue
        assert list(found.keys) == list(expected.keys)
        assert torch.equal(found.x, expected.x)
        assert (found.labels is None) == (expected.labels is None)
        assert found.labels is None or torch.equal(found.labels, expected.labels)


def pairs(split):
    labels = [None] * len(split) if split.labels is None else split.labels.tolist()
    return sorted((image.flatten().tolist(), label) for image, label in zip(split.x, labels, strict=True))


def test_digits(digits):
    require_same(digits, DataModule(num_val=143))


def test_a_class_that_is_left_out(tmp_path):
    settings = {"leave_out_class": 3, "num_val": 50, "split_seed": 4}
    stored = store(tmp_path / "left-out", **settings)
    require_same(stored, DataModule(**settings))
    assert 3 not in stored.split("train").labels
    assert 3 in stored.split("test").labels


def test_no_images_held_out(tmp_path):
    stored = store(tmp_path / "whole", num_val=0)
    require_same(stored, DataModule(num_val=0))
    assert stored.val_dataloader() == []


@pytest.mark.parametrize(("labelled", "validated"), [(True, False), (False, False), (True, True)])
def test_an_archive(tmp_path, labelled, validated):
    random = np.random.default_rng(0)
    arrays = {"x_train": random.integers(0, 256, (90, 4, 5, 3), dtype=np.uint8)}
    arrays["x_test"] = random.integers(0, 256, (20, 4, 5, 3), dtype=np.uint8)
    if validated:
        arrays["x_val"] = random.integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
    labels = {name.replace("x", "y"): random.integers(0, 3, len(x)) for name, x in arrays.items()}
    np.savez(tmp_path / "own.npz", **arrays, **(labels if labelled else {}))
    settings = {"name": "npz", "path": str(tmp_path / "own.npz")}
    require_same(store(tmp_path / "stored", **settings), DataModule(**settings))


@pytest.mark.parametrize("layout", ["classes", "splits", "validated", "plain"])
def test_a_folder_is_read_block_by_block(tmp_path, layout):
    splits = ["train/a", "train/b", "test/a", "test/b"]
    folders = {"classes": ["a", "b"], "splits": splits, "validated": [*splits, "val/a", "val/b"], "plain": ["."]}
    fill(tmp_path / "images", folders[layout])
    settings = {"name": "folder", "path": str(tmp_path / "images"), "split_seed": 2}
    require_same(store(tmp_path / "stored", **settings), DataModule(**settings))


def fill(root, folders):
    random = np.random.default_rng(0)
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(60 // len(folders)):
            values = random.integers(0, 256, (4, 5), dtype=np.uint8)
            Image.fromarray(values).save(root / folder / f"{number:03}.png")


@pytest.mark.parametrize("name", ["folder", "npz"])
def test_images_of_16_bits(tmp_path, name):
    images, path = np.random.default_rng(0).integers(0, 65536, (60, 4, 5), dtype=np.uint16), tmp_path / "images"
    path.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(path / f"{number:02}.png")
    np.savez(path / "all.npz", x=images)
    settings = {"name": name, "path": str(path if name == "folder" else path / "all.npz")}
    stored, original = store(tmp_path / "stored", **settings), DataModule(**settings)
    require_same(stored, original)
    assert stored.split("train").x.dtype == torch.uint16
    trained_on = torch.cat([batch.x for batch in stored.train_dataloader()])
    assert rows(trained_on) == rows(original.split("train").x)


def test_12_bits_in_16_are_warned_of_when_they_are_converted_and_when_they_are_used(tmp_path):
    np.savez(tmp_path / "own.npz", x=np.full((20, 4, 5), 4000, np.uint16))
    said = r"values up to 4,000 of 65,535, .*--data\.scaling dataset_max"
    with pytest.warns(UserWarning, match=said):
        stored = store(tmp_path / "stored", name="npz", path=str(tmp_path / "own.npz"))
    with pytest.warns(UserWarning, match=said):
        stored.setup("fit")


def test_damaged_files_are_left_out_and_counted(tmp_path):
    fill(tmp_path / "images", ["a", "b"])
    whole = (tmp_path / "images/a/007.png").read_bytes()
    (tmp_path / "images/a/007.png").write_bytes(whole[:-30])
    (tmp_path / "images/b/003.png").write_bytes(b"no image")
    settings = {"name": "folder", "path": str(tmp_path / "images")}
    with pytest.raises(DataError, match="is corrupt"):
        store(tmp_path / "refused", **settings)
    with pytest.warns(UserWarning, match="left out"):
        stored = store(tmp_path / "stored", **settings, on_error="skip")
    assert stored.num_skipped == 2
    assert sum(stored.num_samples(name) for name in stored.split_names) == 58


def test_a_split_that_links_outside_is_not_converted(tmp_path):
    fill(tmp_path, ["train", "images/test"])
    (tmp_path / "images/train").symlink_to(tmp_path / "train")
    with pytest.warns(UserWarning, match="left out"), pytest.raises(DataError, match=r"data\.follow_links"):
        store(tmp_path / "stored", name="folder", path=str(tmp_path / "images"))


@pytest.mark.parametrize("named", [True, False])
def test_vectors_and_their_factors(tmp_path, named):
    random = np.random.default_rng(0)
    arrays = {"x_train": random.normal(size=(90, 7)), "x_test": random.normal(size=(20, 7))}
    for name in ("train", "test"):
        arrays[f"factors_{name}"] = random.integers(0, 4, (len(arrays[f"x_{name}"]), 2))
    np.savez(tmp_path / "own.npz", **arrays, **({"factor_names": np.array(["size", "hue"])} if named else {}))
    settings = {"name": "npz", "path": str(tmp_path / "own.npz")}
    stored, original = store(tmp_path / "stored", **settings), DataModule(**settings)
    require_same(stored, original)
    assert torch.equal(stored.split("test").factors, original.split("test").factors)
    by_key = dict(zip(original.split("train").keys, original.split("train").factors.tolist(), strict=True))
    assert [by_key[key] for key in stored.split("train").keys] == stored.split("train").factors.tolist()
    assert stored.split("train").x.dtype == torch.float32


def test_values_that_a_scaling_does_not_take_are_refused(tmp_path):
    np.savez(tmp_path / "own.npz", x=np.linspace(0, 3, 60, dtype=np.float32).reshape(20, 3))
    stored = store(tmp_path / "stored", name="npz", path=str(tmp_path / "own.npz"))
    for settings in ({"name": "stream", "path": stored.path}, {"name": "npz", "path": str(tmp_path / "own.npz")}):
        with pytest.raises(ConfigError, match=r"data\.scaling: unit takes values from 0 to 1 of floating-point data"):
            DataModule(scaling="unit", **settings).setup("fit")


def test_mnist(tmp_path, real_data):
    original = DataModule("mnist", root=str(real_data))
    stored = store(tmp_path / "mnist", sizes=None, name="mnist", root=str(real_data))
    assert [stored.num_samples(name) for name in stored.split_names] == [55_000, 5_000, 10_000]
    for name in ("val", "test"):
        assert torch.equal(stored.split(name).x, original.split(name).x)
        assert torch.equal(stored.split(name).labels, original.split(name).labels)
    found, expected = stored.split("train"), original.split("train")
    assert torch.equal(found.labels.bincount(), expected.labels.bincount())
    assert torch.equal(found.x.sum(0, dtype=torch.int64), expected.x.sum(0, dtype=torch.int64))
    # A block has 1,337 images, and every one of them a share of each class.
    assert found.labels[:1337].bincount().min() > 80


def test_an_epoch_has_every_image_once(digits):
    seen = list(digits.train_dataloader())
    assert len(seen) == -(-1295 // digits.batch_size)
    assert sorted(torch.cat([batch.indices for batch in seen]).tolist()) == list(range(1295))
    train = digits.split("train")
    assert all(torch.equal(batch.x, train.x[batch.indices]) for batch in seen)


def test_predict_goes_through_all_images_to_train_on_in_order(digits):
    data = DataModule("stream", path=digits.path, predict_split="train")
    batches = list(data.predict_dataloader())
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(1295))
    assert torch.equal(torch.cat([batch.x for batch in batches]), data.split("train").x)


def test_the_train_split_in_memory_is_bounded(digits, monkeypatch):
    monkeypatch.setattr("ae_lightning.data.store.stream.SAMPLE_SIZE", 100)
    data = DataModule("stream", path=digits.path)
    assert (len(data.split("train")), data.num_samples("train")) == (100, 1295)
    assert torch.equal(data.split("train").x, digits.split("train").x[:100])


def test_predictions_know_their_samples_beyond_those_in_memory(digits, monkeypatch):
    expected = digits.split("train")
    monkeypatch.setattr("ae_lightning.data.store.stream.SAMPLE_SIZE", 100)
    data = DataModule("stream", path=digits.path, predict_split="train")
    positions = np.arange(1295)[::-1].copy()
    found = origins(data, positions)
    assert found["keys"].tolist() == list(expected.keys.select(torch.from_numpy(positions)))
    assert found["labels"].tolist() == [digits.class_names[label] for label in expected.labels.tolist()[::-1]]


def test_overfitting_gets_the_same_batches_each_epoch(digits):
    from ae_lightning.networks import Linear
    from ae_lightning.variants.vanilla import VanillaAE

    data = DataModule("stream", path=digits.path)
    trainer = build_trainer(2, overfit_batches=2)
    trainer.fit(VanillaAE(spec=data.spec, network=Linear(), latent_dim=2), data)
    assert trainer.global_step == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"num_val": 5}, "data.num_val is not for stream, whose splits `convert` made"),
        ({"split_seed": 1}, "data.split_seed is not for stream"),
        ({"leave_out_class": 1}, "data.leave_out_class is not for stream"),
        ({"image_size": 8}, "data.image_size is for folder, huggingface, torchvision only"),
        ({"on_error": "skip"}, "data.on_error is for folder, huggingface, torchvision only"),
        ({"on_device": True}, "data.on_device: true is not for stream"),
        ({"path": None}, "data.path must say where the samples are"),
    ],
)
def test_settings_of_other_sources_are_refused(digits, settings, words):
    with pytest.raises(ConfigError, match=words):
        DataModule(**{"name": "stream", "path": digits.path, **settings})


def test_overlay_needs_classes(tmp_path):
    fill(tmp_path / "images", ["."])
    stored = store(tmp_path / "stored", name="folder", path=str(tmp_path / "images"))
    with pytest.raises(ConfigError, match=r"data.overlay .* has none"):
        DataModule("stream", path=stored.path, overlay=True).setup("fit")


def change(name, to):
    """Write something else than there is to a file, perhaps nothing."""

    def damage(folder):
        content = to((folder / name).read_bytes())
        (folder / name).write_bytes(content)

    return damage


def flip(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def pickled(content):
    """An array of objects, as long as what it takes the place of."""
    header = content[:128].replace(b"'|u1'", b"'|O' ")
    return header + content[128:]


def describe(**changes):
    return change("stream.json", lambda content: json.dumps({**json.loads(content), **changes}).encode())


def describe_val(kind, **changes):
    def altered(content):
        read = json.loads(content)
        read["splits"]["val"][kind].update(changes)
        return json.dumps(read).encode()

    return change("stream.json", altered)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda folder: (folder / "train/x-00000.npy").unlink(),
            "train/x-00000.npy is missing; convert the data again",
        ),
        (
            lambda folder: (folder / "val/keys-00000.npy").unlink(),
            "val/keys-00000.npy is missing; convert the data again",
        ),
        (
            change("train/x-00000.npy", lambda content: content[:-1]),
            "train/x-00000.npy is damaged: 83007 bytes instead of 83008",
        ),
        (
            change("test/labels-00000.npy", lambda content: content + b"1"),
            "test/labels-00000.npy is damaged: 3001 bytes instead of 3000",
        ),
        (change("val/x-00000.npy", flip), "val/x-00000.npy is corrupt; convert the data again"),
        (change("val/labels-00000.npy", flip), "val/labels-00000.npy is corrupt; convert the data again"),
        (change("val/keys-00000.npy", flip), "val/keys-00000.npy is corrupt; convert the data again"),
        (lambda folder: (folder / "stream.json").unlink(), "/digits/stream.json, which `convert` writes"),
        (change("stream.json", lambda content: b"[]"), "stream.json is not what `convert` writes"),
        (change("stream.json", lambda content: b"\xff"), "stream.json is not what `convert` writes"),
        (change("stream.json", lambda content: b"[" * 100_000), "stream.json is not what `convert` writes"),
        (describe(class_names=["a", "b"]), "label 9, which names no class"),
        (describe(class_names=None), "needs labels and class names, or neither"),
        (describe(version=1), "written by ae_lightning 0.1; this is 0.2: convert the data again or use 0.1"),
        (describe(version="0.3.1"), "digits: written by ae_lightning 0.3; this is 0.2: convert"),
        (describe(window_size=0), "stream.json is corrupt at window_size"),
        (describe(surprise=1), "stream.json is corrupt at surprise"),
        (describe(splits={}), "stream.json is corrupt at splits"),
        (describe_val("x", num_rows=142), "stream.json is corrupt at splits.val"),
        (describe_val("x", shape=[1, 4, 16]), "stream.json is corrupt at splits; convert"),
        (describe_val("x", dtype="|O"), "stream.json is corrupt at splits.val.x.dtype"),
        (describe_val("labels", dtype="|u1"), "stream.json is corrupt at splits.val"),
        (describe_val("x", checksums="0" * 32), "stream.json is corrupt at splits.val.x"),
        (describe_val("x", checksums="0" * 40), "val/x-00000.npy is corrupt"),
    ],
)
def test_damage_is_named(tmp_path, damage, words):
    stored = store(tmp_path / "digits")
    damage(tmp_path / "digits")
    with pytest.raises(DataError, match=re.escape(words)):
        stored.split("val")


def test_a_header_is_not_believed(tmp_path):
    """What a pickle would be unpickled by is what was described, not what the file says of itself."""
    stored = store(tmp_path / "digits")
    expected = DataModule("stream", path=stored.path).split("val").x
    change("val/x-00000.npy", pickled)(tmp_path / "digits")
    assert torch.equal(stored.split("val").x, expected)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"there is no .*nowhere/stream\.json, which `convert` writes"):
        DataModule("stream", path=str(tmp_path / "nowhere")).setup("fit")
