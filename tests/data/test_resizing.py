"""Images of other sizes and aspect ratios than wanted, and those that lie on their side."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ae_lightning.data import DataModule
from ae_lightning.data.image_folder.decoding import read_header, read_image
from ae_lightning.data.image_folder.folder import read_folder
from ae_lightning.data.image_folder.resizing import choose_resizing
from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.errors import ConfigError

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def lying():
    """Sixteen by eight pixels, the right half white: turned upright, eight by sixteen with the lower half white."""
    image = Image.new("L", (16, 8))
    image.paste(255, (8, 0, 16, 8))
    return image


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def put_behind(path, kind, content):
    """Put a chunk between a PNG's pixels and its end."""
    written = path.read_bytes()
    end = written.rindex(b"IEND") - 4
    path.write_bytes(written[:end] + chunk(kind, content) + written[end:])


def exif():
    made = Image.Exif()
    made[0x0112] = 6
    return made.tobytes().removeprefix(b"Exif\0\0")


def late_exif(path):
    lying().save(path)
    put_behind(path, b"eXIf", exif())


def late_xmp(path):
    lying().save(path)
    put_behind(path, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)


def early_xmp(path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    lying().save(path, pnginfo=info)


WRITERS = {
    "late exif.png": late_exif,
    "late xmp.png": late_xmp,
    "early xmp.png": early_xmp,
    "xmp.jpg": lambda path: lying().save(path, xmp=XMP),
    "xmp.webp": lambda path: lying().convert("RGB").save(path, xmp=XMP, lossless=True),
    "xmp.tif": lambda path: lying().save(path, tiffinfo={700: XMP}),
    "exif.tif": lambda path: lying().save(path, tiffinfo={0x0112: 6}),
    "exif.avif": lambda path: lying().save(path, exif=b"Exif\0\0" + exif()),
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_size_is_turned_as_the_pixels_are(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    assert read_header(path).size == (8, 16)
    upright = np.asarray(read_image(path, (8, 16)).convert("L"))
    assert upright[:7].max() < 30
    assert upright[9:].min() > 225


def test_what_lies_behind_pixels_and_says_nothing_turns_nothing(tmp_path):
    path = tmp_path / "image.png"
    lying().save(path)
    put_behind(path, b"tEXt", b"date:create\x002026")
    assert read_header(path).size == (16, 8)


def quarters(size):
    """Four fields of 50, 100, 150 and 200 from left to right."""
    values = np.repeat(np.array([50, 100, 150, 200], np.uint8), size[0] // 4)
    return Image.fromarray(np.tile(values, (size[1], 1)))


@pytest.mark.parametrize(
    ("resize", "row"),
    [("squash", [50, 100, 150, 200]), ("crop", [100, 100, 150, 150]), ("pad", [50, 100, 150, 200])],
)
def test_each_way_of_another_aspect_ratio(tmp_path, resize, row):
    quarters((64, 32)).save(tmp_path / "image.png")
    read = np.asarray(read_image(tmp_path / "image.png", (16, 16), resize))
    centres = read[8, [2, 6, 9, 13]] if resize == "crop" else read[8, [1, 5, 9, 13]]
    assert np.allclose(centres, row, atol=3)
    outside = read[[0, 3, 12, 15]]
    assert (outside.max() == 0) == (resize == "pad")
    assert read.shape == (16, 16)


OFF = "have an aspect ratio more than 5% off (data.resize: squash, crop, pad)"


@pytest.mark.parametrize(
    ("sizes", "resize", "chosen", "note"),
    [
        ([(8, 8), (8, 8)], None, "squash", None),
        ([(80, 80), (84, 80)], None, "squash", "resized to 8 × 8 by squash (data.resize: squash, crop, pad)"),
        ([(80, 80), (80, 85)], None, "crop", f"resized to 8 × 8 by crop, as 1 of 2 {OFF}"),
        ([(80, 80), (30, 90)], "pad", "pad", "resized to 8 × 8 by pad"),
    ],
)
def test_one_way_for_the_whole_set(sizes, resize, chosen, note):
    found = choose_resizing(sizes, (8, 8), resize)
    assert (found.resize, found.note) == (chosen, note)


@pytest.fixture
def wide(tmp_path):
    """Images of which one is twice as wide as the others."""
    for number in range(9):
        Image.new("L", (8, 8), number).save(tmp_path / f"{number}.png")
    quarters((64, 32)).save(tmp_path / "wide.png")
    return tmp_path


def test_a_folder_is_resized_in_one_way(wide):
    images = read_folder(wide)
    assert images.settled == {"resize": "crop"}
    assert images.notes[-1].startswith("resized to 8 × 8 by crop, as 1 of 10")
    padded = read_folder(wide, reading=FolderReading(resize="pad"))
    assert padded.notes[-1] == "resized to 8 × 8 by pad"
    black = sum(bool((split.x[:, :, 0] == 0).all(dim=2).sum() > 1) for split in (padded.train, padded.test))
    assert black == 1, "image 0 is black, and the wide one has black borders"


def test_what_was_chosen_is_kept(wide):
    data = DataModule("folder", path=str(wide))
    assert data.hparams["resize"] is None
    data.setup("fit")
    assert data.hparams["resize"] == "crop"
    # Judged on what alone would be squashed, as it was trained.
    again = DataModule(**{**data.hparams, "path": str(wide)})
    assert again.notes[-1] == "resized to 8 × 8 by crop"


def test_resize_is_for_folders_and_says_so_elsewhere():
    (note,) = DataModule(resize="crop").notes
    assert note == "data.resize crop has no effect: it is for folder, huggingface, torchvision only"
    with pytest.raises(ConfigError, match=r"data\.resize: 'stretch' is not known"):
        DataModule("folder", path=".", resize="stretch")
