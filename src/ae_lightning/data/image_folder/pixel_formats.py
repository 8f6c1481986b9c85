"""Kinds of pixels that Pillow reads wrongly, put right, and those that are not read, by name."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImagePalette
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COLORMAP,
    COMPRESSION,
    EXTRASAMPLES,
    IMAGELENGTH,
    IMAGEWIDTH,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    PREDICTOR,
    PREFIXES,
    ROWSPERSTRIP,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    STRIPBYTECOUNTS,
    STRIPOFFSETS,
    TILEBYTECOUNTS,
    TILELENGTH,
    TILEOFFSETS,
    TILEWIDTH,
    ImageFileDirectory_v2,
    TiffImageFile,
)

DEEP_GREY_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")
DEEP_COLOURS = ("RGB;16", "RGBA;16", "RGBX;16")
DEEP_GREY_WITH_OPACITY = "LA;16B"
"""What PNG has of both."""

LAYOUT = (IMAGEWIDTH, IMAGELENGTH, COMPRESSION, PREDICTOR, ROWSPERSTRIP, TILEWIDTH, TILELENGTH)
"""What the parts of an image in a TIFF have in common."""

WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1
IN_PLANES = 2
SIGNED = 2
PREMULTIPLIED = 1
SAMPLES = {1: "unsigned integers", SIGNED: "signed integers", 3: "floating-point numbers", 5: "complex integers"}
LARGEST_OF_12_BITS, LARGEST_OF_16_BITS = 4095, 65535

REMEDY = "convert it to 1 or 3 channels of 8 or 16 bits without sign, 0 being black"


class UnsupportedPixelsError(Exception):
    """A file is whole, and its pixels are of a kind that is not read; the message says which, and what to do."""


def mend(image: Image.Image) -> None:
    """Set right what would be decoded wrongly, in an image that is open and not yet decoded.

    Raises:
        UnsupportedPixelsError: If that cannot be done.
    """
    if not isinstance(image, TiffImageFile):
        return
    tags = image.tag_v2
    if tags.get(PLANAR_CONFIGURATION) == IN_PLANES and len(tags[BITSPERSAMPLE]) > 1:
        if PREMULTIPLIED in tags.get(EXTRASAMPLES, ()):
            raise UnsupportedPixelsError(f"colours in planes, multiplied by their transparency, are not read; {REMEDY}")
        if max(tags[BITSPERSAMPLE]) > 8 and not image.use_load_libtiff:
            _leave_to_libtiff(image)
    # Some write bytes where the format wants 16 bits: libtiff tells it by the same sign.
    if image.mode in ("P", "PA") and max(tags[COLORMAP]) <= 255:
        image.palette = ImagePalette.raw("RGB;L", bytes(tags[COLORMAP]))


def _leave_to_libtiff(image: TiffImageFile) -> None:
    """Let libtiff decode an image that is not compressed: Pillow itself takes planes of 16 bits for planes of 8."""
    extents = [tile.extents for tile in image.tile if tile.extents is not None]
    extent = 0, 0, max(right for _, _, right, _ in extents), max(lower for _, _, _, lower in extents)
    image.use_load_libtiff = True
    image.tile = [ImageFile._Tile("libtiff", extent, 0, (f"{image.mode};16N", "raw", False, image.tag_v2.offset))]


def require_unsigned_bytes(image: Image.Image) -> None:
    """Check that bytes of a decoded image are not negative numbers.

    Raises:
        UnsupportedPixelsError: If some are.
    """
    is_signed = isinstance(image, TiffImageFile) and image.tag_v2.get(SAMPLEFORMAT, (1,))[0] == SIGNED
    if is_signed and image.mode == "L" and np.asarray(image).max() > 127:
        raise UnsupportedPixelsError(f"signed 8-bit pixels below 0 have no defined range; {REMEDY}")


def greys_of_16_bits(image: Image.Image) -> NDArray[np.generic]:
    """Return grey values of more than 8 bits: integers from 0 to 65,535, shape (H, W).

    Raises:
        UnsupportedPixelsError: If some lie outside.
    """
    values = np.asarray(image)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > LARGEST_OF_16_BITS:
        raise UnsupportedPixelsError(f"integer pixels from {low} to {high} have no defined range; {REMEDY}")
    if isinstance(image, TiffImageFile):
        if image.tag_v2[BITSPERSAMPLE] == (12,):
            values = values.astype(np.uint32) * LARGEST_OF_16_BITS // LARGEST_OF_12_BITS
        if image.tag_v2[PHOTOMETRIC_INTERPRETATION] == WHITE_IS_ZERO:
            values = LARGEST_OF_16_BITS - values
    return values


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether an image that is open and not yet decoded has more than 8 bits that can be had."""
    if image.mode in DEEP_GREY_MODES:
        return True
    rawmode = _rawmode(image)
    if rawmode == DEEP_GREY_WITH_OPACITY:
        return image.format == "PNG"
    return rawmode.startswith(DEEP_COLOURS) and "transparency" not in image.info


def colours_of_16_bits(high: ImageFile.ImageFile, low: ImageFile.ImageFile) -> NDArray[np.uint16]:
    """Return channels of 16 bits, of which Pillow gives 8: shape (H, W, 3), (H, W, 1), or one more with opacity.

    Args:
        high: The image, open and not yet decoded.
        low: The same, opened a second time.

    Raises:
        UnsupportedPixelsError: If a BigTIFF has them in compressed planes.
    """
    if _rawmode(high) == DEEP_GREY_WITH_OPACITY:
        return _four_bytes(high, low)
    if _has_planes(high):
        return _planes(high) if _lies_in_strips(high) else _packed_planes(high)
    # The lower byte of each is the upper one in the other order.
    low.tile = [tile._replace(args=_with_other_order(tile.args)) for tile in low.tile]
    values = np.asarray(high).astype(np.uint16) << np.uint16(8)
    values |= np.asarray(low)
    return values


def _four_bytes(high: ImageFile.ImageFile, low: ImageFile.ImageFile) -> NDArray[np.uint16]:
    """Return greys with their opacity, (H, W, 2): their four bytes are read as those of a colour with opacity."""
    low._mode = "RGBA"
    low.tile = [tile._replace(args="RGBA") for tile in low.tile]
    values = np.ascontiguousarray(np.asarray(low)).view(">u2").astype(np.uint16)
    # What lies behind the pixels is found as they are decoded.
    high.load()
    return values


def _rawmode(image: ImageFile.ImageFile) -> str:
    """Return what Pillow calls the order of the bytes in the file."""
    args = image.tile[0].args if image.tile else None
    return str(args[0] if isinstance(args, tuple) else args)


def _with_other_order(args: Any) -> Any:
    rawmode = args[0] if isinstance(args, tuple) else args
    native = "B" if sys.byteorder == "big" else "L"
    order = native if rawmode[-1] == "N" else rawmode[-1]
    other = rawmode[:-1] + ("L" if order == "B" else "B")
    return (other, *args[1:]) if isinstance(args, tuple) else other


def _has_planes(image: ImageFile.ImageFile) -> bool:
    return isinstance(image, TiffImageFile) and image.tag_v2.get(PLANAR_CONFIGURATION) == IN_PLANES


def _lies_in_strips(image: ImageFile.ImageFile) -> bool:
    return isinstance(image, TiffImageFile) and STRIPOFFSETS in image.tag_v2 and image.tag_v2.get(COMPRESSION, 1) == 1


def _planes(image: ImageFile.ImageFile) -> NDArray[np.uint16]:
    """Read planes of 16 bits that are not compressed."""
    assert isinstance(image, TiffImageFile)
    assert image.fp is not None
    tags, strips = image.tag_v2, []
    for offset, size in zip(tags[STRIPOFFSETS], tags[STRIPBYTECOUNTS], strict=True):
        image.fp.seek(offset)
        strips.append(image.fp.read(size))
    planes = np.frombuffer(b"".join(strips), ">u2" if tags.prefix.startswith(b"MM") else "<u2")
    in_file = planes.reshape(-1, tags[IMAGELENGTH], tags[IMAGEWIDTH]).transpose(1, 2, 0)
    return in_file[..., : len(image.getbands())].astype(np.uint16)


def _packed_planes(image: ImageFile.ImageFile) -> NDArray[np.uint16]:
    """Read compressed planes of 16 bits: each as the grey image that it is, since libtiff's greys keep their depth."""
    assert isinstance(image, TiffImageFile)
    assert image.fp is not None
    tags = image.tag_v2
    if tags._bigtiff:
        raise UnsupportedPixelsError(f"compressed planes of 16 bits in a BigTIFF are not read; {REMEDY}")
    image.fp.seek(0)
    whole = image.fp.read()
    places, sizes = (STRIPOFFSETS, STRIPBYTECOUNTS) if STRIPOFFSETS in tags else (TILEOFFSETS, TILEBYTECOUNTS)
    number = len(tags[places]) // len(tags[BITSPERSAMPLE])
    kept = {tag: [tags[tag]] for tag in LAYOUT if tag in tags}
    planes = []
    for plane in range(len(image.getbands())):
        own = {tag: list(tags[tag][plane * number : (plane + 1) * number]) for tag in (places, sizes)}
        grey = {BITSPERSAMPLE: [16], PHOTOMETRIC_INTERPRETATION: [BLACK_IS_ZERO], SAMPLESPERPIXEL: [1]}
        with Image.open(BytesIO(_with_directory(whole, tags.prefix, {**kept, **own, **grey}))) as read:
            planes.append(np.asarray(read).astype(np.uint16))
    return np.stack(planes, axis=2)


def _with_directory(whole: bytes, prefix: bytes, tags: Mapping[int, Sequence[int]]) -> bytes:
    """Return a TIFF whose first image is another, of parts of the same file."""
    order = ">" if prefix == b"MM" else "<"
    start = len(whole) + len(whole) % 2
    behind = start + 6 + 12 * len(tags)
    entries = longer = b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            packed, longer = struct.pack(f"{order}I", behind + len(longer)), longer + packed
        entries += struct.pack(f"{order}HHI", tag, 4, len(values)) + packed
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + longer
    return whole[:4] + struct.pack(f"{order}I", start) + whole[8:].ljust(start - 8, b"\0") + directory


def unsupported_pixels(file: IO[bytes]) -> str | None:
    """Say which pixels a whole file has that Pillow does not know.

    Args:
        file: That Pillow takes for no image.

    Returns:
        What it is and what to do; None for a file that is damaged, or no image.
    """
    file.seek(0)
    head = file.read(16)
    if head[:4] not in PREFIXES:
        return None
    file.seek(0)
    try:
        TiffImageFile(file)
    except SyntaxError as error:
        if "unknown pixel mode" not in str(error):
            return None
    is_big = 43 in head[2:4]
    tags = ImageFileDirectory_v2(head if is_big else head[:8])
    file.seek(tags.next)
    tags.load(file)
    number = tags.get(SAMPLESPERPIXEL, 1)
    bits, kind = tags.get(BITSPERSAMPLE, (1,))[0], SAMPLES.get(tags.get(SAMPLEFORMAT, (1,))[0], "numbers")
    white = ", 0 being white" if tags.get(PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO else ""
    order = ", big-endian" if head.startswith(b"MM") else ""
    return f"TIFF of {number} × {bits}-bit {kind}{white}{order} is not read; {REMEDY}"
