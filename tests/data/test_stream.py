"""Data sets that were converted, as the data module gives them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ae_lightning.command_line.predictions import origins
from ae_lightning.data import DataModule
from ae_lightning.data.streaming.blocks import BlockReader
from ae_lightning.data.streaming.writer import Sizes
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
    assert (stored.class_names, stored.spec.shape) == (original.class_names, original.spec.shape)
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


def test_12_bits_in_16_are_warned_of_when_they_are_converted(tmp_path):
    np.savez(tmp_path / "own.npz", x=np.full((20, 4, 5), 4000, np.uint16))
    with pytest.warns(UserWarning, match=r"values up to 4,000 of 65,535, .*--data\.scaling dataset_max"):
        store(tmp_path / "stored", name="npz", path=str(tmp_path / "own.npz"))


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


def test_a_block_is_decoded_alone(tmp_path, monkeypatch):
    """Of blocks between 64 KiB and 1 MiB litdata would decode all that lie in a chunk for each that is asked for."""
    from litdata.streaming.serializers import NumpySerializer

    images = np.random.default_rng(0).integers(0, 256, (64, 128, 128), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images, x_test=images)
    settings = {"name": "npz", "path": str(tmp_path / "own.npz"), "num_val": 0}
    store(tmp_path / "stored", Sizes(block=8, window=2), **settings)
    decoded = []
    whole = NumpySerializer.deserialize
    monkeypatch.setattr(NumpySerializer, "deserialize", lambda self, data: decoded.append(1) or whole(self, data))
    reader = BlockReader(tmp_path / "stored/train", 64, (1, 128, 128), 8)
    for block in (5, 0, 3):
        reader.read(block)
    assert len(decoded) == 3


def test_predict_goes_through_all_images_to_train_on_in_order(digits):
    data = DataModule("stream", path=digits.path, predict_split="train")
    batches = list(data.predict_dataloader())
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(1295))
    assert torch.equal(torch.cat([batch.x for batch in batches]), data.split("train").x)


def test_the_train_split_in_memory_is_bounded(digits, monkeypatch):
    monkeypatch.setattr("ae_lightning.data.streaming.stream.SAMPLE_IMAGES", 100)
    data = DataModule("stream", path=digits.path)
    assert (len(data.split("train")), data.num_samples("train")) == (100, 1295)
    assert torch.equal(data.split("train").x, digits.split("train").x[:100])


def test_which_samples_predictions_are_of_is_said_as_far_as_it_is_known(digits, monkeypatch):
    monkeypatch.setattr("ae_lightning.data.streaming.stream.SAMPLE_IMAGES", 100)
    data = DataModule("stream", path=digits.path, predict_split="train")
    assert set(origins(data, np.arange(100))) == {"keys", "labels"}
    with pytest.warns(UserWarning, match="neither keys nor labels are written: the train split stays on disk"):
        assert origins(data, np.arange(101)) == {}


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
        ({"image_size": 8}, "data.image_size is for folder only"),
        ({"on_error": "skip"}, "data.on_error is for folder only"),
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


def drop(folder):
    next((folder / "train").glob("chunk-*")).unlink()


def cut(folder):
    chunk = next((folder / "train").glob("chunk-*"))
    chunk.write_bytes(chunk.read_bytes()[:-1])


def lengthen(folder):
    chunk = next((folder / "test").glob("chunk-*"))
    chunk.write_bytes(chunk.read_bytes() + b"1")


def configure(**changes):
    """Let litdata's index say something of its items that `convert` does not write."""

    def change(folder):
        path = folder / "val/index.json"
        index = json.loads(path.read_text())
        index["config"].update(changes)
        path.write_text(json.dumps(index))

    return change


def calling(module, function):
    """Describe items of which litdata makes a dictionary that calls a function for what it lacks."""
    factory = {"default_factory_module": module, "default_factory_name": function}
    array = {"type": None, "context": None, "children_spec": []}
    context = {**factory, "dict_context": ["images", "labels"]}
    item = {"type": "collections.defaultdict", "context": context, "children_spec": [array] * 2}
    return json.dumps([1, item])


def renamed(folder):
    chunk = next((folder / "val").glob("chunk-*"))
    chunk.rename(folder / "elsewhere.bin")
    path = folder / "val/index.json"
    path.write_text(path.read_text().replace(chunk.name, "../elsewhere.bin"))


def describe(**changes):
    def change(folder):
        path = folder / "stream.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (drop, r"train/chunk-0-0.bin is missing; convert the images again"),
        (cut, r"train/chunk-0-0.bin is truncated: \d+ bytes instead of \d+"),
        (lengthen, r"test/chunk-0-0.bin is corrupt: \d+ bytes instead of \d+"),
        (lambda folder: (folder / "val/index.json").unlink(), r"val/index.json cannot be read"),
        (lambda folder: (folder / "val/index.json").write_text("{"), r"val/index.json is corrupt"),
        (lambda folder: (folder / "val/keys.jsonl").write_text("{"), r"val/keys.jsonl cannot be read"),
        (lambda folder: (folder / "val/keys.jsonl").write_text('"a"\n'), r"keys.jsonl is truncated: 1 of 143 keys"),
        (lambda folder: (folder / "stream.json").unlink(), r"was not written by `convert`, as it has no stream.json"),
        (lambda folder: (folder / "stream.json").write_text("[]"), r"stream.json is not what `convert` writes"),
        (lambda folder: (folder / "stream.json").write_bytes(b"\xff"), r"stream.json cannot be read"),
        # As litdata would write objects of any kind.
        (configure(data_format=["pickle", "numpy"]), r"val/index.json is corrupt"),
        (configure(data_spec=calling("os", "getpid")), r"val/index.json is corrupt"),
        (configure(data_spec=None), r"val/index.json is corrupt"),
        (configure(compression="zstd"), r"val/index.json is corrupt"),
        (configure(encryption={"algorithm": "fernet", "level": "sample"}), r"val/index.json is corrupt"),
        (configure(format="mds"), r"val/index.json is corrupt"),
        (configure(item_loader="TokensLoader"), r"val/index.json is corrupt"),
        (lambda folder: (folder / "val/index.json").write_text("[" * 100_000), r"val/index.json is corrupt"),
        (renamed, r"val/index.json is corrupt"),
        (describe(class_names=["a", "b"]), r"label 9, which names no class"),
        (describe(class_names=None), r"needs labels and class names, or neither"),
        (
            describe(version=1),
            r"written by ae_lightning 0\.1; this is 0\.2: convert the images again or use 0\.1",
        ),
        (describe(version="0.3.1"), r"digits: written by ae_lightning 0\.3; this is 0\.2: convert"),
        (describe(block_size=0), r"stream.json is corrupt at block_size"),
        (describe(block_size=7), r"train/index.json does not belong to stream.json"),
        (describe(surprise=1), r"stream.json is corrupt at surprise"),
    ],
)
def test_damage_is_found_before_training_begins(tmp_path, damage, words):
    stored = store(tmp_path / "digits")
    damage(tmp_path / "digits")
    with pytest.raises(DataError, match=words):
        stored.split("val")


def test_an_index_that_names_a_module_imports_none(tmp_path, monkeypatch):
    stored = store(tmp_path / "digits")
    (tmp_path / "planted.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\nmake = list\n")
    monkeypatch.syspath_prepend(tmp_path)
    configure(data_spec=calling("planted", "make"))(tmp_path / "digits")
    with pytest.raises(DataError, match=r"val/index.json is corrupt"):
        stored.split("val")
    assert not (tmp_path / "imported").exists()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="there is no folder"):
        DataModule("stream", path=str(tmp_path / "nowhere")).setup("fit")


def test_bytes_that_are_swapped_are_found_when_they_are_read(tmp_path):
    stored = store(tmp_path / "digits")
    chunk = next((tmp_path / "digits/train").glob("chunk-*"))
    values = bytearray(chunk.read_bytes())
    values[4:12] = b"\xff" * 8  # of the table of items
    chunk.write_bytes(values)
    with pytest.raises(DataError, match=r"block 0 (cannot be read|is corrupt)"):
        stored.split("train")
