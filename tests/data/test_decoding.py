import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from ae_lightning.data.image_folder.decoding import read_header, read_image
from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.search import SUFFIXES, find_files
from ae_lightning.errors import DataError

SIZE = (4, 3)

NOT_READ = {
    *(".eps", ".ps"),  # Ghostscript is started
    *(".bufr", ".grib", ".h5", ".hdf", ".emf", ".wmf", ".mpeg", ".mpg"),  # known, and not decoded
    *(".palm", ".pdf"),  # written, and not read
}
"""Of the suffixes that Pillow knows."""


def save(image, path, **options):
    image.save(path, **options)
    return path


def first_pixel(path, size=SIZE):
    return read_image(path, size).getpixel((0, 0))


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "expected"),
    [
        ("1", 1, "png", 255),
        ("L", 77, "png", 77),
        ("LA", (0, 255), "png", 0),
        ("LA", (0, 0), "png", 255),
        ("LA", (0, 128), "png", 127),
        ("I;16", 65535, "png", 255),
        ("I;16", 256, "png", 1),
        ("I;16", 30000, "tiff", 117),
        ("I", 65535, "tiff", 255),
        ("RGB", (10, 20, 30), "png", (10, 20, 30)),
        ("RGBA", (10, 20, 30, 255), "png", (10, 20, 30)),
        ("RGBA", (10, 20, 30, 0), "png", (255, 255, 255)),
        ("RGBA", (0, 0, 0, 51), "webp", (204, 204, 204)),
        ("CMYK", (0, 255, 255, 0), "tiff", (255, 0, 0)),
        ("YCbCr", (255, 128, 128), "jpg", (255, 255, 255)),
    ],
)
def test_every_mode_becomes_grey_or_colour(tmp_path, mode, colour, suffix, expected):
    path = save(Image.new(mode, SIZE, colour), tmp_path / f"image.{suffix}", lossless=True)
    assert first_pixel(path) == expected
    assert read_header(path).is_grey == isinstance(expected, int)
    assert read_header(path).size == SIZE


def test_a_suffix_that_pillow_gains_is_noticed():
    assert set(Image.registered_extensions()) == SUFFIXES | NOT_READ
    assert not SUFFIXES & NOT_READ


@pytest.mark.parametrize(
    "suffix",
    ["apng", "avif", "dds", "dib", "icb", "icns", "ico", "im", "j2k", "jfif", "jp2", "jpe", "mpo", "pcx", "qoi", "sgi"],
)
def test_images_of_seldom_suffixes_are_read(tmp_path, suffix):
    save(Image.new("RGB", (16, 16), (200, 100, 50)), tmp_path / f"image.{suffix}")
    (found,) = find_files(tmp_path, tmp_path, follow_links=False, faults=Faults("raise")).images
    assert read_header(found).size[0] >= 16
    assert np.allclose(first_pixel(found), (200, 100, 50), atol=3)


def palette_image(colours):
    image = Image.new("P", SIZE, 1)
    image.putpalette([value for colour in colours for value in colour])
    return image


def test_a_palette_is_resolved(tmp_path):
    path = save(palette_image([(0, 0, 0), (200, 10, 10)]), tmp_path / "image.png")
    assert first_pixel(path) == (200, 10, 10)


def test_a_palette_of_greys_is_grey(tmp_path):
    path = save(palette_image([(0, 0, 0), (90, 90, 90)]), tmp_path / "image.png")
    assert first_pixel(path) == 90


def test_colours_that_a_palette_holds_but_no_pixel_uses_do_not_count(tmp_path):
    path = save(palette_image([(200, 0, 0), (90, 90, 90)]), tmp_path / "image.png")
    assert first_pixel(path) == 90


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_a_transparent_palette_entry_becomes_white(tmp_path, transparency):
    image = palette_image([(0, 0, 0), (200, 10, 10)])
    path = save(image, tmp_path / "image.png", transparency=transparency)
    assert first_pixel(path) == (255, 255, 255)


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [("L", 7, 255), ("RGB", (1, 2, 3), (255, 255, 255)), ("I;16", 700, 255)],
)
def test_a_colour_declared_transparent_becomes_white(tmp_path, mode, colour, expected):
    path = save(Image.new(mode, SIZE, colour), tmp_path / "image.png", transparency=colour)
    assert first_pixel(path) == expected


def test_16_bit_greys_keep_their_order(tmp_path):
    values = np.linspace(0, 65535, 12, dtype=np.uint16).reshape(3, 4)
    path = save(Image.fromarray(values), tmp_path / "image.png")
    assert np.array_equal(np.asarray(read_image(path, SIZE)), np.rint(values / 257).astype(np.uint8))


@pytest.mark.parametrize(("mode", "colour"), [("I", 70000), ("I", -1), ("F", 0.5)])
def test_pixels_without_a_defined_range_are_refused(tmp_path, mode, colour):
    path = save(Image.new(mode, SIZE, colour), tmp_path / "image.tiff")
    with pytest.raises(DataError, match=r"image\.tiff: .* no defined range"):
        read_image(path, SIZE)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff"])
def test_exif_orientation_turns_the_image_upright(tmp_path, suffix):
    image = Image.new("L", (16, 8))
    image.paste(255, (8, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(image, tmp_path / f"image.{suffix}", exif=exif)
    assert read_header(path).size == (8, 16)
    upright = read_image(path, (8, 16))
    assert upright.getpixel((4, 2)) < 20
    assert upright.getpixel((4, 13)) > 235


def test_resizing_is_antialiased(tmp_path):
    checkerboard = np.indices((64, 64)).sum(0) % 2 * 255
    path = save(Image.fromarray(checkerboard.astype(np.uint8)), tmp_path / "image.png")
    assert np.abs(np.asarray(read_image(path, (8, 8)), dtype=float) - 127.5).max() < 20


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "bmp"])
def test_a_truncated_image_is_named(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(Image.fromarray(noise), tmp_path / f"image.{suffix}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"image\.{suffix} is (truncated or )?corrupt"):
        read_image(path, (64, 64))


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "image.png"
    path.write_bytes(content)
    for read in (read_header, lambda path: read_image(path, SIZE)):
        with pytest.raises(DataError, match=r"image\.png is corrupt, or not an image"):
            read(path)


def declare_png(path, width, height):
    """Write a PNG that declares a size and holds no pixels."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


@pytest.mark.parametrize("side", [13_000, 60_000])
@pytest.mark.filterwarnings("error")
def test_a_decompression_bomb_is_refused(tmp_path, side):
    declare_png(tmp_path / "bomb.png", side, side)
    with pytest.raises(DataError, match=r"bomb\.png .*more than the 89,478,485"):
        read_header(tmp_path / "bomb.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_on_pixels_is_pillows(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 11)
    path = save(Image.new("L", SIZE), tmp_path / "image.png")
    with pytest.raises(DataError, match=r"image\.png may be a decompression bomb"):
        read_image(path, SIZE)
