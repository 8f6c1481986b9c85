"""Decoded images that are kept: a second start takes them, and nothing else than what would be read."""

from __future__ import annotations

import multiprocessing
import os
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from ae_lightning.data.image_folder import decoded_cache, image_files
from ae_lightning.data.image_folder.folder import read_folder
from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.data.store.cache import DataCache
from full_disks import room_for

SKIP = FolderReading(on_error="skip")


@pytest.fixture
def folder(tmp_path):
    """Images of two classes, and one that is damaged."""
    random = np.random.default_rng(0)
    for place in range(20):
        path = tmp_path / "images" / "ab"[place % 2] / f"{place:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(path)
    (tmp_path / "images" / "a" / "00.png").write_bytes(b"nothing")
    return tmp_path / "images"


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def num_decoded(monkeypatch):
    """How many files were decoded so far."""
    decoded = []
    real = image_files.read_image
    monkeypatch.setattr(image_files, "read_image", lambda path, *rest: decoded.append(path) or real(path, *rest))
    return lambda: len(decoded)


def read(folder, kept, gib=1.0, reading=SKIP):
    return read_folder(folder, reading=reading, cache=DataCache(kept, gib))


def entries(kept):
    """What is kept, and nothing else lies there."""
    found = sorted((kept / "decoded").glob("*"))
    assert all(path.is_dir() for path in found)
    return found


def require_same(one, other):
    for first, second in ((one.train, other.train), (one.test, other.test)):
        assert torch.equal(first.x, second.x)
        assert torch.equal(first.labels, second.labels)
    assert (one.class_names, one.notes, one.num_skipped) == (other.class_names, other.notes, other.num_skipped)


@pytest.mark.filterwarnings("ignore:left out")
def test_a_second_start_decodes_nothing_and_says_the_same(folder, kept, num_decoded):
    first = read(folder, kept)
    assert (num_decoded(), first.num_skipped) == (19, 1)
    with pytest.warns(UserWarning, match=r"left out: .*00\.png is corrupt"):
        require_same(read(folder, kept), first)
    assert num_decoded() == 19
    require_same(read_folder(folder, reading=SKIP), first)


def added(folder):
    shutil.copy(folder / "b" / "01.png", folder / "b" / "99.png")


def removed(folder):
    (folder / "b" / "03.png").unlink()


def changed(folder):
    Image.new("L", (8, 8), 7).save(folder / "b" / "03.png")


def touched(folder):
    os.utime(folder / "b" / "03.png", (1, 1))


@pytest.mark.filterwarnings("ignore:left out")
@pytest.mark.parametrize("change", [added, removed, changed, touched])
def test_another_file_is_seen(folder, kept, num_decoded, change):
    read(folder, kept)
    before = num_decoded()
    change(folder)
    require_same(read(folder, kept), read_folder(folder, reading=SKIP))
    assert num_decoded() > 2 * before - 3
    assert len(entries(kept)) == 2


@pytest.mark.filterwarnings("ignore:left out")
@pytest.mark.parametrize("reading", [{"image_size": 4}, {"resize": "pad"}])
def test_other_settings_are_not_taken_for_the_same(folder, kept, reading):
    read(folder, kept)
    reading = FolderReading(on_error="skip", **reading)
    require_same(read(folder, kept, reading=reading), read_folder(folder, reading=reading))
    with pytest.raises(Exception, match=r"00\.png is corrupt"):
        read(folder, kept, reading=FolderReading())


@pytest.mark.filterwarnings("ignore:left out")
@pytest.mark.parametrize("name", ["pixels-00000.npy", "description.json"])
@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_what_is_damaged_is_made_anew(folder, kept, num_decoded, name, damage):
    first = read(folder, kept)
    path = entries(kept)[0] / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + (b"" if damage == "cut" else b"\xff" + content[middle + 1 :]))
    require_same(read(folder, kept), first)
    assert num_decoded() == 38
    require_same(read(folder, kept), first)
    assert num_decoded() == 38


@pytest.mark.filterwarnings("ignore:left out")
def test_the_longest_unused_goes_first(folder, kept):
    bytes_each = 19 * 64
    for size in (6, 7):
        read(folder, kept, reading=FolderReading(on_error="skip", image_size=size))
    older, newer = sorted(entries(kept), key=lambda path: path.stat().st_mtime)
    os.utime(older, (1, 1))
    os.utime(newer, (2, 2))
    read(folder, kept, reading=FolderReading(on_error="skip", image_size=6))
    total = sum(file.stat().st_size for entry in (older, newer) for file in entry.iterdir())
    read(folder, kept, gib=(total + bytes_each // 2) / 2**30)
    assert older in entries(kept)
    assert newer not in entries(kept)


@pytest.mark.filterwarnings("ignore:left out")
def test_what_is_larger_than_all_that_may_be_kept_costs_a_warning(folder, kept):
    with pytest.warns(UserWarning, match=r"data\.cache_gib: 1\.13e-06 GiB of images are more than 9\.99e-07: not kept"):
        require_same(read(folder, kept, gib=1e-6), read_folder(folder, reading=SKIP))
    assert entries(kept) == []


@pytest.mark.filterwarnings("ignore:left out")
def test_a_folder_that_cannot_be_made_costs_a_warning(folder, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.warns(UserWarning, match=r"data\.cache: decoded images cannot be kept in .*file/decoded"):
        require_same(read(folder, tmp_path / "file"), read_folder(folder, reading=SKIP))


@pytest.mark.filterwarnings("ignore:left out")
def test_a_full_disk_costs_a_warning_and_leaves_nothing(folder, kept):
    with room_for(1000), pytest.warns(UserWarning, match=r"data\.cache: .*the next start decodes them again"):
        found = read(folder, kept)
    require_same(found, read_folder(folder, reading=SKIP))
    assert entries(kept) == []


@pytest.mark.filterwarnings("ignore:left out")
def test_what_another_start_throws_out_before_it_is_read_is_decoded(folder, kept, monkeypatch):
    first = read(folder, kept)
    real = decoded_cache._read

    def thrown_out(path):
        found = real(path)
        shutil.rmtree(path)
        return found

    monkeypatch.setattr(decoded_cache, "_read", thrown_out)
    require_same(read(folder, kept), first)


def test_a_size_that_is_none_is_refused():
    with pytest.raises(Exception, match=r"data\.cache_gib"):
        DataCache(None, 0)


def read_and_count(folder, kept, barrier, counts):
    decoded = []
    real = image_files.read_image
    image_files.read_image = lambda path, *rest: decoded.append(path) or real(path, *rest)
    barrier.wait()
    read(folder, kept)
    counts.put(len(decoded))


@pytest.mark.filterwarnings("ignore:left out")
def test_of_two_starts_at_once_one_decodes(folder, kept):
    context = multiprocessing.get_context("fork")
    barrier, counts = context.Barrier(2), context.Queue()
    processes = [context.Process(target=read_and_count, args=(folder, kept, barrier, counts)) for _ in range(2)]
    for process in processes:
        process.start()
    assert sorted(counts.get(timeout=60) for _ in processes) == [0, 19]
    for process in processes:
        process.join()
    assert len(entries(kept)) == 1
