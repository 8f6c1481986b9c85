"""One image file of any common kind, as 8-bit grey or colour without transparency."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ae_lightning.errors import DataError, UnreadableError, first_line

EXIF_ORIENTATION = 0x0112
EXIF_QUARTER_TURNS = (5, 6, 7, 8)
GREY_MODES = ("1", "L", "LA", "La")
DEEP_GREY_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I")


class ImageHeader(NamedTuple):
    """What an image file says of itself before its pixels are read.

    Attributes:
        size: Width and height in pixels, as displayed.
        is_grey: Whether its kind has no colour; False for palettes, which may turn out to be grey.
    """

    size: tuple[int, int]
    is_grey: bool


def read_header(path: Path) -> ImageHeader:
    """Read the size and kind of an image file.

    Args:
        path: The file.

    Returns:
        Its size and whether it is grey.

    Raises:
        DataError: If it is no image, damaged, or too large to be decoded safely.
    """
    with _opened(path) as image:
        width, height = image.size
        # PNG's getexif would decode the whole image to look for a chunk behind the pixels, and the size of a
        # TIFF is that of the upright image already
        if "exif" in image.info and image.format != "TIFF":
            turned = image.getexif().get(EXIF_ORIENTATION) in EXIF_QUARTER_TURNS
            width, height = (height, width) if turned else (width, height)
        return ImageHeader((width, height), image.mode in GREY_MODES + DEEP_GREY_MODES)


def read_image(path: Path, size: tuple[int, int]) -> Image.Image:
    """Decode an image file.

    It is turned upright as its EXIF orientation says, its transparency is laid over white, palettes are
    resolved, 16 bits are rounded to 8, and it is resized with antialiasing, whatever its aspect ratio.

    Args:
        path: The file.
        size: Width and height wanted, in pixels.

    Returns:
        An image of that size, of mode ``L`` (grey) or ``RGB``.

    Raises:
        DataError: If it is no image, damaged, of a pixel format without a defined range, or too large to be
            decoded safely.
    """
    with _opened(path) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        flat = _flatten(image)
        return flat if flat.size == size else flat.resize(size, Image.Resampling.BICUBIC)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    if not path.is_file():  # a pipe would be waited for, a device has no end
        raise DataError(f"{path} is no file" if path.exists() else f"{path} leads to no file")
    try:
        # by a file object: given a name, Pillow maps an uncompressed TIFF into memory and scrambles it if turned
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = f"more than the {Image.MAX_IMAGE_PIXELS:,} pixels that are decoded"
        raise DataError(f"{path} may be a decompression bomb: {limit}") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is corrupt, or not an image") from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged file raises whatever its decoder stumbles over
        reason = first_line(error)
        if isinstance(error, OSError) and error.errno is not None:  # a decoder's own OSErrors have no number
            raise UnreadableError(f"{path} cannot be read: {reason}") from error
        raise DataError(f"{path} is truncated or corrupt: {reason}") from error


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode in DEEP_GREY_MODES:
        return _round_to_8_bits(image)
    if image.mode == "F":
        raise ValueError("32-bit floating-point pixels have no defined range; convert it to 8 or 16 bits")
    is_grey = image.mode in GREY_MODES or (image.mode in ("P", "PA") and _is_grey_palette(image))
    if image.has_transparency_data:
        return _lay_over_white(image).convert("L" if is_grey else "RGB")
    return image.convert("L" if is_grey else "RGB")


def _round_to_8_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("32-bit integer pixels have no defined range; convert it to 8 or 16 bits")
    # by a table: arithmetic on the pixels themselves would take sixteen bytes for each
    rounded = np.rint(np.arange(65536) * (255 / 65535)).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int) and 0 <= transparent <= 65535:
        rounded[transparent] = 255
    return Image.fromarray(rounded[values])


def _lay_over_white(image: Image.Image) -> Image.Image:
    rgba = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Image.new("RGBA", rgba.size, "white")
    white.alpha_composite(rgba)
    return white


def _is_grey_palette(image: Image.Image) -> bool:
    palette = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    used = np.unique(np.asarray(image if image.mode == "P" else image.getchannel(0)))
    colours = palette[used[used < len(palette)]]
    return bool((colours == colours[:, :1]).all())
