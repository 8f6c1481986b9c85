"""One image file of any common kind, as grey or colour of 8 or 16 bits without transparency."""

from __future__ import annotations

import math
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError

from ae_lightning.data.image_folder.pixel_formats import (
    DEEP_GREY_MODES,
    LARGEST_OF_16_BITS,
    REMEDY,
    UnsupportedPixelsError,
    colours_of_16_bits,
    greys_of_16_bits,
    is_deep,
    mend,
    require_unsigned_bytes,
    unsupported_pixels,
)
from ae_lightning.data.image_folder.stored_image import ImagePath
from ae_lightning.errors import DataError, UnreadableError, first_line

Resize = Literal["squash", "crop", "pad"]
"""Of another aspect ratio than wanted: change it, cut off what is too much of its middle, or add black borders."""

EXIF_ORIENTATION = 0x0112
EXIF_QUARTER_TURNS = (5, 6, 7, 8)
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns an image upright, by its orientation; 1 is upright."""

ORIENTATION_KEYS = ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp")
"""Where Pillow keeps what may say it."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_TEXTS = (b"iTXt", b"zTXt", b"tEXt")
PNG_KEYWORDS = (b"XML:com.adobe.xmp", b"Raw profile type exif")
GREY_MODES = ("1", "L", "LA", "La")


class ImageHeader(NamedTuple):
    """What an image file says of itself before its pixels are read.

    Attributes:
        size: Width and height in pixels, as displayed.
        is_grey: Whether its kind has no colour; False for palettes, which may turn out to be grey.
        is_deep: Whether it has more than 8 bits.
    """

    size: tuple[int, int]
    is_grey: bool
    is_deep: bool


def read_header(path: ImagePath) -> ImageHeader:
    """Read the size and kind of an image file.

    Args:
        path: The file.

    Returns:
        Its size, and whether it is grey and deep.

    Raises:
        DataError: If it is no image, damaged, or too large to be decoded safely.
    """
    with _opened(path) as image:
        width, height = image.size
        is_grey = image.mode in GREY_MODES + DEEP_GREY_MODES
        return ImageHeader((height, width) if _is_turned(image) else (width, height), is_grey, is_deep(image))


def read_image(path: ImagePath, size: tuple[int, int], resize: Resize = "squash") -> Image.Image:
    """Decode an image file.

    A JPEG much larger than wanted is decoded at half, a quarter or an eighth of its size, as long as that is twice what
    is wanted. It is turned upright as its EXIF orientation or XMP says, its transparency is laid over white, palettes
    are resolved, 16 bits are rounded to 8, and it is resized with antialiasing.

    Args:
        path: The file.
        size: Width and height wanted, in pixels.
        resize: What becomes of another aspect ratio.

    Returns:
        An image of that size, of mode ``L`` (grey) or ``RGB``.

    Raises:
        DataError: If it is no image, damaged, of a pixel format without a defined range, or too large to be
            decoded safely.
    """
    with _opened(path) as image:
        least = size[::-1] if _is_turned(image) else size
        drafted = image.draft(None, (2 * least[0], 2 * least[1]))
        image.load()
        # A size that is no multiple of the scale leaves the last pixels of a draft half empty: its box ends before.
        width, height = image.size if drafted is None else drafted[1][2:]
        # Of the decoded image: Pillow has turned a TIFF by now, and has found what lies behind a PNG's pixels.
        orientation = image.getexif().get(EXIF_ORIENTATION, 1)
        wanted = size[::-1] if orientation in EXIF_QUARTER_TURNS else size
        resized = _resized(_flatten(image), (width, height), wanted, resize)
        turn = TURNS.get(orientation)
        return resized if turn is None else resized.transpose(turn)


def read_deep_image(path: ImagePath, size: tuple[int, int], resize: Resize = "squash") -> NDArray[np.uint16]:
    """Decode an image file with 16 bits; those of 8 are stretched.

    Args:
        path: The file.
        size: Width and height wanted, in pixels.
        resize: What becomes of another aspect ratio.

    Returns:
        Shape (1, H, W) of a grey image, else (3, H, W).

    Raises:
        DataError: As `read_image`.
    """
    with _opened(path) as image:
        if is_deep(image):
            planes, orientation = _deep_planes(path, image)
            wanted = size[::-1] if orientation in EXIF_QUARTER_TURNS else size
            return np.stack([_upright(plane, wanted, resize, orientation) for plane in planes])
    values = np.asarray(read_image(path, size, resize)).astype(np.uint16) * 257
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def _upright(plane: NDArray[np.uint16], size: tuple[int, int], resize: Resize, orientation: int) -> NDArray[np.uint16]:
    image = Image.fromarray(np.ascontiguousarray(plane))
    resized = _resized(image, image.size, size, resize)
    return np.asarray(resized.transpose(TURNS[orientation]) if orientation in TURNS else resized)


def _deep_planes(path: ImagePath, image: ImageFile.ImageFile) -> tuple[list[NDArray[np.uint16]], int]:
    """Return the channels of a deep image over white, each (H, W), and the orientation that they still have."""
    if image.mode in DEEP_GREY_MODES:
        image.load()
        greys = greys_of_16_bits(image).astype(np.uint16)
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            greys[greys == transparent] = LARGEST_OF_16_BITS
        return [greys], image.getexif().get(EXIF_ORIENTATION, 1)
    with _opened(path) as again:
        colours = colours_of_16_bits(image, again)
    orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    planes = list(np.moveaxis(colours, 2, 0))
    if image.mode in ("RGBA", "LA"):
        opacity = planes.pop().astype(np.float32) / LARGEST_OF_16_BITS
        planes = [np.rint(plane * opacity + LARGEST_OF_16_BITS * (1 - opacity)).astype(np.uint16) for plane in planes]
    return planes, orientation


def _resized(image: Image.Image, extent: tuple[float, float], size: tuple[int, int], resize: Resize) -> Image.Image:
    """Resize what lies in the upper left of an image, of so much width and height."""
    width, height = extent
    if extent == size:
        return image
    if resize == "crop":
        shrunk = min(width / size[0], height / size[1])
        left, top = (width - shrunk * size[0]) / 2, (height - shrunk * size[1]) / 2
        return image.resize(size, Image.Resampling.BICUBIC, box=(left, top, width - left, height - top))
    if resize == "squash":
        return image.resize(size, Image.Resampling.BICUBIC, box=(0, 0, width, height))
    shrunk = max(width / size[0], height / size[1])
    inner = max(1, round(width / shrunk)), max(1, round(height / shrunk))
    padded = Image.new(image.mode, size)
    middle = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    padded.paste(image.resize(inner, Image.Resampling.BICUBIC, box=(0, 0, width, height)), middle)
    return padded


def _is_turned(image: ImageFile.ImageFile) -> bool:
    """Whether an image is displayed with rows for columns."""
    # The size of a TIFF with this tag is that of the upright image already.
    if image.format == "TIFF" and EXIF_ORIENTATION in image.tag_v2:  # type: ignore[attr-defined]
        return False
    if image.format == "PNG" and image.fp is not None and _has_late_orientation(image.fp):
        image.load()
    if not any(key in image.info for key in ORIENTATION_KEYS):
        return False
    # Not PNG's own, which would decode the whole image to look for a chunk behind the pixels.
    return Image.Image.getexif(image).get(EXIF_ORIENTATION) in EXIF_QUARTER_TURNS


def _has_late_orientation(file: IO[bytes]) -> bool:
    """Whether a PNG may have its orientation behind its pixels, where Pillow comes upon it when it decodes them."""
    before = file.tell()
    file.seek(len(PNG_SIGNATURE))
    has_pixels, found = False, False
    while not found and len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        has_pixels |= kind == b"IDAT"
        keyword = file.read(min(length, len(max(PNG_KEYWORDS, key=len)))) if kind in PNG_TEXTS else b""
        found = has_pixels and (kind == b"eXIf" or keyword.startswith(PNG_KEYWORDS))
        file.seek(length - len(keyword) + 4, os.SEEK_CUR)
    file.seek(before)
    return found


@contextmanager
def bombs_refused() -> Iterator[None]:
    """Let Pillow raise where it would warn of too many pixels: around threads, which share Python's filters."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _opened(path: ImagePath) -> Iterator[ImageFile.ImageFile]:
    if not path.is_file():  # a pipe would be waited for, a device has no end
        raise DataError(f"{path} is no file" if path.exists() else f"{path} leads to no file")
    try:
        # by a file object: given a name, Pillow maps an uncompressed TIFF into memory and scrambles it if turned
        with path.open("rb") as file, _identified(file) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):
                raise Image.DecompressionBombError
            mend(image)
            yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = f"more than the {Image.MAX_IMAGE_PIXELS:,} pixels that are decoded"
        raise DataError(f"{path} may be a decompression bomb: {limit}") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{path} is corrupt, or not an image") from error
    except (UnsupportedPixelsError, NotImplementedError) as error:
        raise DataError(f"{path}: {first_line(error)}") from error
    except MemoryError:
        raise
    except Exception as error:  # a damaged file raises whatever its decoder stumbles over
        reason = first_line(error)
        if isinstance(error, OSError) and error.errno is not None:  # a decoder's own OSErrors have no number
            raise UnreadableError(f"{path} cannot be read: {reason}") from error
        raise DataError(f"{path} is truncated or corrupt: {reason}") from error


def _identified(file: IO[bytes]) -> ImageFile.ImageFile:
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        unsupported = unsupported_pixels(file)
        if unsupported is None:
            raise
        raise UnsupportedPixelsError(unsupported) from None


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode in DEEP_GREY_MODES:
        return _round_to_8_bits(image)
    if image.mode == "F":
        raise UnsupportedPixelsError(f"32-bit floating-point pixels have no defined range; {REMEDY}")
    require_unsigned_bytes(image)
    is_grey = image.mode in GREY_MODES or (image.mode in ("P", "PA") and _is_grey_palette(image))
    if image.has_transparency_data:
        return _lay_over_white(image).convert("L" if is_grey else "RGB")
    return image.convert("L" if is_grey else "RGB")


def _round_to_8_bits(image: Image.Image) -> Image.Image:
    values = greys_of_16_bits(image)
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
