"""Folders as they are found: damaged files, links that lead elsewhere, all kinds of names, a hundred thousand files."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

import pytest
import torch
from PIL import Image

from ae_lightning.data import DataModule
from ae_lightning.data.image_folder.decoding import read_header
from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.folder import read_folder
from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.errors import ConfigError, DataError, UnreadableError

NAMES = (
    *("ümläut 中文 😀.png", "a b.png", "line\nbreak.png", "UPPER.PNG", "two..dots..png", "-c.png", "'quote\".png"),
    *("$x$.png", "%s.png", "{0}.png", "*.png", "a" * 200 + ".png", "\u202erevo.png", "[bold].png"),
)
SKIP = FolderReading(on_error="skip")


def draw(path, value=7):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), value).save(path, format="PNG")
    return path


@pytest.fixture
def folder(tmp_path):
    """Twenty images, of which one is cut short and one is empty."""
    folder = tmp_path / "images"
    for value in range(20):
        draw(folder / f"{value:02}.png", value)
    cut = folder / "03.png"
    cut.write_bytes(cut.read_bytes()[:-40])
    (folder / "05.png").write_bytes(b"")
    return folder


def values(images):
    return sorted(torch.cat([images.train.x, images.test.x])[:, 0, 0, 0].tolist())


def test_the_first_damaged_image_is_named(folder):
    with pytest.raises(DataError, match=r"03\.png is corrupt"):
        read_folder(folder)


def test_damaged_images_are_left_out_and_named(folder):
    with pytest.warns(UserWarning, match="left out") as warned:
        images = read_folder(folder, reading=SKIP)
    assert values(images) == [value for value in range(20) if value not in (3, 5)]
    assert images.num_skipped == 2
    assert {name for name in ("03.png", "05.png") for said in warned if name in str(said.message)} == {
        "03.png",
        "05.png",
    }


def test_what_the_machine_does_not_give_is_not_left_out(folder):
    """A share that is away for a moment would leave two ranks with different images."""
    path, limits = next(folder.rglob("*.png")), resource.getrlimit(resource.RLIMIT_NOFILE)
    with path.open("rb") as next_file:
        number = next_file.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, limits[1]))
    try:
        with pytest.raises(UnreadableError, match="Too many open files"), Faults("skip").at(path):
            read_header(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_labels_stay_with_their_images(tmp_path):
    for value in range(10):
        draw(tmp_path / "a" / f"{value}.png", value)
        draw(tmp_path / "b" / f"{value}.png", 100 + value)
    (tmp_path / "a" / "0.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"a/0\.png"):
        images = read_folder(tmp_path, reading=SKIP)
    for split in (images.train, images.test):
        assert split.labels.tolist() == [int(value >= 100) for value in split.x[:, 0, 0, 0].tolist()]


def test_many_damaged_images_are_not_all_named(tmp_path):
    for value in range(60):
        draw(tmp_path / f"good{value}.png")
        (tmp_path / f"bad{value}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="left out") as warned:
        assert read_folder(tmp_path, reading=SKIP).num_skipped == 60
    assert len(warned) < 30


def test_nothing_but_damaged_images(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"a\.png"), pytest.raises(DataError, match="not one of the 1 images"):
        read_folder(tmp_path, reading=SKIP)


@pytest.mark.parametrize("setting", [{"on_error": "skip"}, {"follow_links": True}])
def test_settings_of_folders_alone(setting):
    with pytest.raises(ConfigError, match=r"is for folder.* only; data\.name is digits"):
        DataModule(**setting)


def test_what_was_left_out_is_counted_in_the_run_and_said_at_the_end(workspace, folder):
    refused = workspace.fit("--data.name", "folder", "--data.path", folder)
    assert refused.code == 2
    assert "03.png" in refused.err
    with pytest.warns(UserWarning, match="left out"):
        outcome = workspace.fit("--data.name", "folder", "--data.path", folder, "--data.on_error", "skip")
    assert outcome.code == 0, outcome.err
    assert workspace.run().data.params["num_skipped_images"] == "2"
    assert "left out: 2 damaged files" in outcome.out + outcome.err


def test_names_of_every_kind(tmp_path):
    for value, name in enumerate(NAMES):
        draw(tmp_path / name, value)
    for value in (100, 101):
        draw(tmp_path / os.fsdecode(b"\xff\xfe") / f"{value}.png", value)
    draw(tmp_path / "folder.png" / "in it.png", 102)
    draw(tmp_path / ".hidden.png", 103)
    draw(tmp_path / ".hidden" / "a.png", 104)
    assert values(read_folder(tmp_path)) == [*range(len(NAMES)), 100, 101, 102]


def test_class_names_are_text(tmp_path):
    for name in (b"\xff\xfe", "中文".encode()):
        for value in range(3):
            draw(tmp_path / os.fsdecode(name) / f"{value}.png", value)
    assert read_folder(tmp_path).class_names == ("中文", "\ufffd\ufffd")


def test_a_damaged_image_with_a_line_break_in_its_name_is_told_in_one_line(bare_workspace, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "line\nbreak \u202e.png").write_bytes(b"nothing")
    outcome = bare_workspace.fit("--data.name", "folder", "--data.path", tmp_path / "images")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1


def test_links_that_lead_outside_are_left_out_and_named(folder, tmp_path):
    draw(tmp_path / "elsewhere" / "a.png", 99)
    (folder / "03.png").unlink()
    (folder / "05.png").unlink()
    (folder / "everything").symlink_to("/")
    (folder / "folder").symlink_to(tmp_path / "elsewhere")
    (folder / "file.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    with pytest.warns(UserWarning, match="follow_links") as warned:
        images = read_folder(folder)
    assert 99 not in values(images)
    assert len(warned) == 3
    (folder / "everything").unlink()
    assert values(read_folder(folder, reading=FolderReading(follow_links=True))).count(99) == 2


def test_a_folder_of_nothing_but_links_says_how_to_follow_them(folder, tmp_path):
    links = tmp_path / "links"
    links.mkdir()
    for file in folder.iterdir():
        (links / file.name).symlink_to(file)
    said = r"20 links lead outside of it: data\.follow_links"
    with pytest.warns(UserWarning, match="left out"), pytest.raises(DataError, match=said):
        read_folder(links)


def test_links_to_nothing_and_to_themselves(tmp_path):
    for value in range(4):
        draw(tmp_path / f"{value}.png", value)
    (tmp_path / "self.png").symlink_to("self.png")
    (tmp_path / "ring").symlink_to(".")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    with pytest.raises(DataError, match=r"gone\.png leads to no file"):
        read_folder(tmp_path)
    with pytest.warns(UserWarning, match="leads to no file"):
        assert values(read_folder(tmp_path, reading=SKIP)) == [0, 1, 2, 3]


@pytest.mark.timeout(20)
def test_pipes_are_not_waited_for(tmp_path):
    draw(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match=r"pipe\.png is no file"):
        read_folder(tmp_path)


READ = """
import json, re, sys, time
from pathlib import Path
from ae_lightning.data.image_folder.folder import read_folder
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
before = peak()
start = time.monotonic()
images = read_folder(Path(sys.argv[1]))
print(json.dumps({"seconds": time.monotonic() - start, "images": len(images.train) + len(images.test),
                  "mebibytes": (peak() - before) / 1024}))
"""


@pytest.mark.slow
def test_a_hundred_thousand_files(tmp_path, program_environment):
    """Hard links: the files are read one by one all the same."""
    for value in range(10):
        first = draw(tmp_path / f"{value}" / "00000.png", value)
        for number in range(1, 10_000):
            os.link(first, first.with_name(f"{number:05}.png"))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)],
        env=program_environment,
        capture_output=True,
        text=True,
        timeout=1000,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    sys.stdout.write(f"{report}\n")
    assert report["images"] == 100_000
    assert report["mebibytes"] < 500
