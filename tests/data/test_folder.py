import re

import pytest
import torch
from PIL import Image

from ae_lightning.data.image_folder.folder import read_folder
from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.errors import DataError


def fill(folder, values, size=(6, 5), mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    for value in values:
        colour = value if mode == "L" else (value, 0, 0)
        Image.new(mode, size, colour).save(folder / f"{value:03}.png")


def read(folder, split_seed=0, **reading):
    return read_folder(folder, split_seed, FolderReading(**reading))


def everything(images):
    return torch.cat([images.train.x, images.test.x])


def test_an_unlabelled_folder_gives_a_tenth_to_the_test_split(tmp_path):
    fill(tmp_path, range(40))
    images = read(tmp_path)
    assert (len(images.train), len(images.test)) == (36, 4)
    assert images.class_names is None
    assert sorted(everything(images)[:, 0, 0, 0].tolist()) == list(range(40))


def test_the_test_split_is_fixed_by_its_seed(tmp_path):
    fill(tmp_path, range(40))
    assert torch.equal(read(tmp_path, split_seed=1).test.x, read(tmp_path, split_seed=1).test.x)
    assert not torch.equal(read(tmp_path, split_seed=1).test.x, read(tmp_path, split_seed=2).test.x)


def test_images_come_in_the_order_of_their_names(tmp_path):
    fill(tmp_path / "train" / "b", range(10, 20))
    fill(tmp_path / "train" / "a" / "deep", range(10))
    fill(tmp_path / "train" / "c", range(20, 24))
    fill(tmp_path / "test", [0])
    train = read(tmp_path).train
    assert train.x[:, 0, 0, 0].tolist() == list(range(24))
    assert list(train.keys)[9:11] == ["train/a/deep/009.png", "train/b/010.png"]


def test_first_level_subfolders_are_classes(tmp_path):
    fill(tmp_path / "dog" / "more", range(10))
    fill(tmp_path / "cat", range(100, 110))
    images = read(tmp_path)
    assert images.class_names == ("cat", "dog")
    for split in (images.train, images.test):
        assert split.labels.tolist() == [int(value < 100) for value in split.x[:, 0, 0, 0].tolist()]


def test_a_single_subfolder_is_no_class(tmp_path):
    fill(tmp_path / "all", range(10))
    assert read(tmp_path).class_names is None


def test_splits_at_the_top_are_the_splits(tmp_path):
    for part, values in (("train", range(5)), ("valid", range(20, 22)), ("test", range(50, 53))):
        fill(tmp_path / part / "a", values)
        fill(tmp_path / part / "b", values)
    images = read(tmp_path)
    assert images.train.x[:, 0, 0, 0].tolist() == [*range(5), *range(5)]
    assert images.val.x[:, 0, 0, 0].tolist() == [20, 21, 20, 21]
    assert images.test.x[:, 0, 0, 0].tolist() == [50, 51, 52, 50, 51, 52]
    assert images.class_names == ("a", "b")
    assert images.test.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_without_image_size_the_most_common_size_is_taken(tmp_path):
    fill(tmp_path / "common", range(6), size=(6, 5))
    fill(tmp_path / "rare", range(4), size=(60, 50))
    assert read(tmp_path).train.x.shape[1:] == (1, 5, 6)


def test_image_size_resizes_every_image(tmp_path):
    fill(tmp_path, range(6), size=(6, 5))
    assert read(tmp_path, image_size=8).train.x.shape[1:] == (1, 8, 8)


def test_one_coloured_image_gives_all_three_channels(tmp_path):
    fill(tmp_path, range(1, 9))
    fill(tmp_path, [200], mode="RGB")
    images = everything(read(tmp_path))
    assert images.shape == (9, 3, 5, 6)
    assert sorted(images[:, :, 0, 0].tolist()) == [*([value] * 3 for value in range(1, 9)), [200, 0, 0]]


def test_palettes_of_greys_alone_give_one_channel(tmp_path):
    for value in range(4):
        image = Image.new("P", (6, 5), 1)
        image.putpalette([0, 0, 0, value, value, value])
        image.save(tmp_path / f"{value}.png")
    images = everything(read(tmp_path))
    assert images.shape == (4, 1, 5, 6)
    assert sorted(images[:, 0, 0, 0].tolist()) == [0, 1, 2, 3]


def test_other_and_hidden_files_are_passed_over(tmp_path):
    fill(tmp_path, range(10))
    fill(tmp_path / ".cache", range(10))
    (tmp_path / "README.txt").write_text("no image")
    (tmp_path / "._001.png").write_text("no image either")
    assert len(everything(read(tmp_path))) == 10


def test_linked_folders_are_followed_once(tmp_path):
    fill(tmp_path / "elsewhere", range(10))
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "ring").symlink_to(folder)
    assert len(everything(read(folder, follow_links=True))) == 10


def test_links_within_the_folder_are_followed(tmp_path):
    fill(tmp_path / "real", range(10))
    fill(tmp_path / "more", range(10, 12))
    (tmp_path / "linked").symlink_to(tmp_path / "more")
    (tmp_path / "ring").symlink_to(tmp_path)
    assert len(everything(read(tmp_path))) == 12


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_split_that_links_outside_is_not_read(tmp_path, part):
    folder = tmp_path / "images"
    for name in ("train", "test"):
        fill((tmp_path if name == part else folder) / name, range(4))
    (folder / part).symlink_to(tmp_path / part)
    refused = pytest.raises(DataError, match=rf"no images in {folder / part} .*data.follow_links true follows")
    with pytest.warns(UserWarning, match=f"left out: {folder / part} leads to"), refused:
        read(folder)
    assert len(everything(read(folder, follow_links=True))) == 8


def test_a_split_may_link_within_the_folder(tmp_path):
    fill(tmp_path / "test", range(4))
    fill(tmp_path / "most", range(6))
    (tmp_path / "train").symlink_to("most")
    assert len(read(tmp_path).train) == 6


def test_the_folder_itself_may_be_a_link(tmp_path):
    fill(tmp_path / "images", range(10))
    (tmp_path / "link").symlink_to(tmp_path / "images")
    assert len(everything(read(tmp_path / "link"))) == 10


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"there is no folder {tmp_path / 'none'}")):
        read(tmp_path / "none")


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=re.escape(f"there are no images in {tmp_path}")):
        read(tmp_path)


def test_a_single_image_is_refused(tmp_path):
    fill(tmp_path, [1])
    with pytest.raises(DataError, match="one sample"):
        read(tmp_path)


def test_a_damaged_image_is_named(tmp_path):
    fill(tmp_path, range(10))
    (tmp_path / "bad.png").write_bytes((tmp_path / "001.png").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"bad\.png is truncated or corrupt"):
        read(tmp_path)


def test_the_first_20_damaged_images_are_named(tmp_path):
    fill(tmp_path, range(10))
    for number in range(25):
        (tmp_path / f"bad{number}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="left out") as warned:
        images = read(tmp_path, on_error="skip")
    assert images.num_skipped == 25
    named = [said for said in map(str, (warning.message for warning in warned)) if said.startswith("left out: ")]
    assert len(named) == 20


def test_images_larger_than_memory_are_refused(tmp_path):
    fill(tmp_path, range(10))
    with pytest.raises(DataError, match=r"\(data.image_size\): needs .* GiB"):
        read(tmp_path, image_size=10**6)


def test_memory_is_wanted_for_the_images_and_their_parts(tmp_path, monkeypatch):
    fill(tmp_path, range(10), size=(6, 5))
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 600}))
    read(tmp_path)
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 599}))
    with pytest.raises(DataError, match="10 images of 6 x 5 pixels"):
        read(tmp_path)


def test_nothing_is_printed_where_stderr_is_no_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ae_lightning.data.progress.QUIET_SECONDS", -1)
    fill(tmp_path, range(10))
    read(tmp_path)
    assert capsys.readouterr() == ("", "")


def test_slow_reading_shows_a_bar_on_a_terminal(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("ae_lightning.data.progress.QUIET_SECONDS", -1)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    fill(tmp_path, range(10))
    read(tmp_path)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Reading images" in err


def test_the_real_pokemon(real_data):
    images = read(real_data / "pokemon")
    assert everything(images).shape == (792, 3, 40, 40)
    assert images.class_names is None
    assert everything(images)[:, :, 0, 0].float().mean() > 200, "the background is white"
