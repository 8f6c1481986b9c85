"""Pixels that Pillow by itself reads wrongly, or not at all."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from ae_lightning.data import DataModule
from ae_lightning.data.image_folder.decoding import PNG_SIGNATURE, read_deep_image, read_header, read_image
from ae_lightning.data.image_folder.folder import read_folder
from ae_lightning.errors import DataError

WIDTH, HEIGHT = 4, 3
VALUES = np.arange(0, 12 * 5461, 5461).reshape(HEIGHT, WIDTH)
COLOURS = np.stack([VALUES, VALUES[::-1], VALUES[:, ::-1]])
"""Both from 0 to 60,071."""

UNSIGNED, SIGNED, FLOAT = 1, 2, 3
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE = 0, 1, 2, 3
PREMULTIPLIED = 1


def write_tiff(
    path, parts, *, bits, meaning=BLACK_IS_ZERO, kind=UNSIGNED, samples=1, order="<", colours=(), extra=(), more=None
):
    """Write a TIFF, each part a strip, as it is or packed already; several parts are planes."""
    parts = [
        part if isinstance(part, bytes) else part.astype(part.dtype.newbyteorder(order)).tobytes() for part in parts
    ]
    tags = {
        256: [WIDTH],
        257: [HEIGHT],
        258: [bits] * samples,
        259: [1],
        262: [meaning],
        273: [0] * len(parts),
        277: [samples],
        278: [HEIGHT],
        279: [len(part) for part in parts],
        284: [1 if len(parts) == 1 else 2],
        320: list(colours),
        338: list(extra),
        339: [kind] * samples,
        **(more or {}),
    }
    tags = {tag: values for tag, values in tags.items() if values}
    behind = 14 + 12 * len(tags)
    pixels = behind + sum(4 * len(values) for values in tags.values())
    tags[273] = [pixels + sum(map(len, parts[:place])) for place in range(len(parts))]
    entries = longer = b""
    for tag, values in tags.items():
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            packed, longer = struct.pack(f"{order}I", behind + len(longer)), longer + packed
        entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + packed
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, len(tags))
    path.write_bytes((head + entries + bytes(4) + longer).ljust(pixels, b"\0") + b"".join(parts))
    return path


def read(path):
    return np.asarray(read_image(path, (WIDTH, HEIGHT)))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.tiff"


@pytest.mark.parametrize("order", ["<", ">"])
def test_colours_of_16_bits_in_planes(path, order):
    write_tiff(path, list(COLOURS.astype(np.uint16)), bits=16, meaning=RGB, samples=3, order=order)
    assert np.abs(read(path).transpose(2, 0, 1) - COLOURS / 257).max() <= 1


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_planes_multiplied_by_their_transparency_are_refused(path, kind):
    planes = [plane.astype(kind) for plane in (*COLOURS, VALUES)]
    write_tiff(path, planes, bits=8 * planes[0].itemsize, meaning=RGB, samples=4, extra=[PREMULTIPLIED])
    with pytest.raises(DataError, match=r"image\.tiff: colours in planes, multiplied by their transparency, are not"):
        read_header(path)


def test_greys_of_16_bits_whose_0_is_white(path):
    write_tiff(path, [VALUES.astype(np.uint16)], bits=16, meaning=WHITE_IS_ZERO)
    assert np.array_equal(read(path), np.rint(255 - VALUES / 257))


def test_greys_of_12_bits(path):
    pairs = (VALUES >> 4).reshape(-1, 2).tolist()
    packed = b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs)
    write_tiff(path, [packed], bits=12)
    assert np.abs(read(path) - VALUES / 257).max() <= 1


@pytest.mark.parametrize("scale", [1, 257])
def test_a_palette_in_bytes_or_16_bits(path, scale):
    numbers = np.arange(12, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    colours = np.arange(768).reshape(3, 256) % 251 * scale
    write_tiff(path, [numbers], bits=8, meaning=PALETTE, colours=colours.reshape(-1).tolist())
    assert np.array_equal(read(path).transpose(2, 0, 1), colours[:, numbers] // scale)


@pytest.mark.parametrize(("values", "kind"), [(VALUES // 512, np.int8), (VALUES // 2, np.int16)])
def test_signed_numbers_are_read_where_none_is_negative(path, values, kind):
    largest = 255 if kind == np.int8 else 65535
    bits = 8 * np.dtype(kind).itemsize
    write_tiff(path, [values.astype(kind)], bits=bits, kind=SIGNED)
    assert np.abs(read(path) - values * (255 / largest)).max() <= 0.5
    write_tiff(path, [values.astype(kind) - 1], bits=bits, kind=SIGNED)
    with pytest.raises(DataError, match=r"image\.tiff: .*have no defined range; convert it to 1 or 3 channels of 8"):
        read(path)


@pytest.mark.parametrize(
    ("pixels", "options", "words"),
    [
        (np.zeros((HEIGHT, WIDTH), np.float16), {"kind": FLOAT}, "1 × 16-bit floating-point numbers is not read"),
        (np.zeros((HEIGHT, WIDTH), np.float64), {"kind": FLOAT}, "1 × 64-bit floating-point numbers is"),
        (np.zeros((HEIGHT, WIDTH, 3), np.float32), {"kind": FLOAT, "meaning": RGB}, "3 × 32-bit floating-point"),
        (np.zeros((HEIGHT, WIDTH, 2), np.uint16), {}, "2 × 16-bit unsigned integers is"),
        (
            np.zeros((HEIGHT, WIDTH), np.uint16),
            {"meaning": WHITE_IS_ZERO, "order": ">"},
            "0 being white, big-endian is",
        ),
    ],
)
def test_whole_files_that_are_not_read_are_not_called_corrupt(path, pixels, options, words):
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    write_tiff(path, [pixels], bits=8 * pixels.itemsize, samples=samples, **options)
    for look in (read_header, read):
        with pytest.raises(DataError, match=rf"image\.tiff: TIFF of .*{words}.*; convert it to") as caught:
            look(path)
        assert "corrupt" not in str(caught.value)


def png_of_16_bits(path, pixels):
    """Write (H, W, C) as PNG of 16 bits, which Pillow does of grey alone."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))
    path.write_bytes(PNG_SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def write(path, pixels, order):
    """Write (H, W, 3) as TIFF, or where there is no order as PNG."""
    if order is None:
        return png_of_16_bits(path.with_suffix(".png"), pixels)
    return write_tiff(path, [pixels], bits=16, meaning=RGB, samples=3, order=order)


@pytest.mark.parametrize("order", [None, "<", ">"])
def test_colours_keep_16_bits(path, order):
    pixels = COLOURS.transpose(1, 2, 0).astype(np.uint16) + 3
    path = write(path, pixels, order)
    assert read_header(path).is_deep
    assert np.array_equal(read_deep_image(path, (WIDTH, HEIGHT)), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("order", ["<", ">"])
def test_colours_in_planes_keep_16_bits(path, order):
    write_tiff(path, list(COLOURS.astype(np.uint16) + 3), bits=16, meaning=RGB, samples=3, order=order)
    assert np.array_equal(read_deep_image(path, (WIDTH, HEIGHT)), COLOURS + 3)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("predictor", [None, 2])
@pytest.mark.parametrize("opacity", [False, True])
def test_colours_in_packed_planes_keep_16_bits(path, order, predictor, opacity):
    planes = [*(COLOURS.astype(np.uint16) + 3), *([np.full_like(COLOURS[0], 65535)] if opacity else [])]
    stored = [plane if predictor is None else np.diff(plane, axis=1, prepend=0) for plane in planes]
    # One strip a row: each plane has several parts.
    parts = [zlib.compress(row.astype(f"{order}u2").tobytes()) for plane in stored for row in plane.astype(np.uint16)]
    more = {259: [8], 278: [1], **({} if predictor is None else {317: [predictor]})}
    samples, extra = (4, [2]) if opacity else (3, [])
    write_tiff(path, parts, bits=16, meaning=RGB, samples=samples, order=order, extra=extra, more=more)
    assert read_header(path).is_deep
    assert np.array_equal(read_deep_image(path, (WIDTH, HEIGHT)), COLOURS + 3)


def test_greys_with_opacity_keep_16_bits(tmp_path):
    pixels = np.array([[[1000, 0], [1000, 13107], [1001, 65535], [300, 65535]]], np.uint16)
    path = png_of_16_bits(tmp_path / "image.png", pixels)
    assert read_header(path).is_deep
    assert read_deep_image(path, (4, 1)).tolist() == [[[65535, 52628, 1001, 300]]]


def test_colours_of_16_bits_are_laid_over_white(tmp_path):
    pixels = np.empty((1, 3, 4), np.uint16)
    pixels[..., :3], pixels[0, :, 3] = 1000, (0, 13107, 65535)
    path = png_of_16_bits(tmp_path / "image.png", pixels)
    assert read_deep_image(path, (3, 1))[0, 0].tolist() == [65535, 52628, 1000]


@pytest.mark.parametrize("order", [None, "<"])
@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_16_bits_are_turned_and_resized_as_8_are(path, order, resize):
    pixels = COLOURS.transpose(1, 2, 0).astype(np.uint16)
    path = write(path, pixels, order)
    if order is None:
        exif = Image.Exif()
        exif[0x0112] = 6
        content = path.read_bytes()
        chunk = b"eXIf" + exif.tobytes()[6:]
        packed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        path.write_bytes(content[:33] + packed + content[33:])
        assert read_header(path).size == (HEIGHT, WIDTH)
    deep = read_deep_image(path, (6, 10), resize)
    assert np.abs(deep / 257 - np.asarray(read_image(path, (6, 10), resize)).transpose(2, 0, 1)).max() <= 2


def test_one_deep_file_makes_all_16_bits(tmp_path):
    greys = [Image.new("L", (5, 4), 200), Image.fromarray(np.full((4, 5), 12345, np.uint16)), Image.new("L", (5, 4), 1)]
    for number, image in enumerate(greys):
        image.save(tmp_path / f"{number}.png")
    data = read_folder(tmp_path)
    assert data.train.x.dtype == torch.uint16
    values = [*data.train.x[:, 0, 0, 0].tolist(), *data.test.x[:, 0, 0, 0].tolist()]
    assert sorted(values) == [257, 12345, 51400]
    assert "16 bits" in data.notes


def test_12_bits_in_16_are_kept_and_warned_of(tmp_path):
    random = np.random.default_rng(0)
    for number in range(20):
        Image.fromarray(random.integers(0, 4096, (4, 5), dtype=np.uint16)).save(tmp_path / f"{number:02}.png")
    data = DataModule("folder", path=str(tmp_path))
    with pytest.warns(UserWarning, match=r"values up to 4,0\d\d of 65,535, .*--data\.scaling dataset_max"):
        train = data.split("train").x
    assert len(train.numpy().ravel()) < 4 * len(np.unique(train.numpy()))
    bright = DataModule("folder", path=str(tmp_path), scaling="dataset_max")
    assert bright.scale(bright.split("train").x).max() == 1


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_tiff_is_called_corrupt(path):
    write_tiff(path, [VALUES.astype(np.uint16)], bits=16)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"image\.tiff is (truncated or )?corrupt"):
        read(path)
