"""What JPEG and WebP make of the same images, to hold the code against."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFile

from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Curve
from ae_lightning.judging.pixels import psnr

QUALITIES = (1, 5, 10, 20, 35, 50, 75, 90)

MAX_IMAGES = 256
"""Images that are compressed, one by one and as one mosaic; of larger splits a fixed random sample."""

MAX_SIDE = 16_383
"""Pixels of a mosaic's side: WebP takes no more."""

MAX_PIXELS = 89_478_485
"""Pixels of a mosaic: beyond, Pillow takes a picture for an attack on the memory of whoever opens it."""

MAX_FILE_BYTES_PER_VALUE = 4
"""Bytes of a file per value of its picture at most: baseline JPEG writes a coefficient in 27 bits, code and value."""

Format = Literal["jpeg", "webp"]


def image_codec_curves(evaluated: EncodedSplit, seed: int) -> dict[str, Curve]:
    """Rate and distortion of JPEG and WebP, on the images one by one and on a mosaic of as many as one picture holds.

    A file's header costs more than a small image's pixels; the mosaic, a near-square grid in which it costs next to
    nothing, is the fairer comparison with a code whose decoder is shared beforehand.

    Args:
        evaluated: Its images are compressed, at most ``MAX_IMAGES`` of them.
        seed: Fixes the sample.

    Returns:
        For ``jpeg``, ``jpeg_mosaic``, ``webp`` and ``webp_mosaic``, the columns ``quality``, ``bits_per_pixel`` (a
        pixel's channels together) and ``psnr`` in dB. Empty for images that are neither grey nor RGB.
    """
    images = evaluated.sample(MAX_IMAGES, seed).x
    if images.shape[1] not in (1, 3):
        return {}
    pixels = np.round(images.clip(0, 1).transpose(0, 2, 3, 1) * 255).astype(np.uint8)
    formats: tuple[Format, ...] = ("jpeg", "webp")
    mosaic = _mosaic(pixels)
    curves: dict[str, Curve] = {}
    # Pillow computes without Python's lock.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        for name in formats:
            curves[name] = _curve(name, list(pixels), pixels.shape[1:3], pool)
            curves[f"{name}_mosaic"] = _curve(name, [mosaic], pixels.shape[1:3], pool)
    return curves


def _curve(name: Format, pictures: list[NDArray[np.uint8]], tile: tuple[int, ...], pool: ThreadPoolExecutor) -> Curve:
    """Compress pictures of one size; the PSNR is averaged over the images of size ``tile`` in them, as everywhere."""
    num_pixels = sum(picture.shape[0] * picture.shape[1] for picture in pictures)
    original = _tiles(pictures, tile)
    curve: Curve = {"quality": [], "bits_per_pixel": [], "psnr": []}
    with _buffer_of(MAX_FILE_BYTES_PER_VALUE * pictures[0].nbytes):
        found = list(pool.map(partial(_coded, name, pictures), QUALITIES))
    for quality, coded in zip(QUALITIES, found, strict=True):
        curve["quality"].append(float(quality))
        curve["bits_per_pixel"].append(8 * sum(len(file) for file, _ in coded) / num_pixels)
        curve["psnr"].append(psnr(original, _tiles([decoded for _, decoded in coded], tile)))
    return curve


def _coded(name: Format, pictures: list[NDArray[np.uint8]], quality: int) -> list[tuple[bytes, NDArray[np.uint8]]]:
    """Return the file of each picture, and what is decoded from it."""
    files = [_encode(name, picture, quality) for picture in pictures]
    return [(file, _decode(file, picture.shape)) for file, picture in zip(files, pictures, strict=True)]


def _encode(name: Format, picture: NDArray[np.uint8], quality: int) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture)
    # Each as small as it can be made: Huffman tables of the picture's own, the most thorough search.
    image.save(file, name, quality=quality, **({"optimize": True} if name == "jpeg" else {"method": 6}))
    return file.getvalue()


@contextmanager
def _buffer_of(num_bytes: int) -> Iterator[None]:
    """Give Pillow's encoders, of all threads, that much room: JPEG's fails where noise in colour takes over a byte."""
    before = ImageFile.MAXBLOCK
    ImageFile.MAXBLOCK = max(before, num_bytes)
    try:
        yield
    finally:
        ImageFile.MAXBLOCK = before


def _decode(file: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(file)) as picture:
        # WebP knows no grey images and gives RGB back.
        return np.asarray(picture.convert("L" if shape[-1] == 1 else "RGB")).reshape(shape)


def mosaic_size(num_images: int, height: int, width: int) -> tuple[int, int]:
    """Return rows and columns of a near-square grid that images fill and codecs take.

    Args:
        num_images: Images there are, at least 1.
        height: Of an image, in pixels.
        width: Of an image, in pixels.

    Returns:
        At least 1 each: no more than ``MAX_SIDE`` and ``MAX_PIXELS`` allow unless a single image is larger.
    """
    num_tiles = max(1, min(num_images, MAX_PIXELS // (height * width)))
    columns = max(1, min(math.isqrt(num_tiles), MAX_SIDE // width))
    return max(1, min(num_tiles // columns, MAX_SIDE // height)), columns


def _mosaic(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay images (N, H, W, C) out in a grid, as many as fill it."""
    _, height, width, channels = pixels.shape
    rows, columns = mosaic_size(len(pixels), height, width)
    grid = pixels[: rows * columns].reshape(rows, columns, height, width, channels)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def _tiles(pictures: list[NDArray[np.uint8]], tile: tuple[int, ...]) -> NDArray[np.float32]:
    """Cut pictures into images of height and width ``tile``, shape (N, C, H, W), in [0, 1]."""
    height, width = tile
    stacked = np.stack(pictures)
    num, rows, columns, channels = len(stacked), stacked.shape[1] // height, stacked.shape[2] // width, stacked.shape[3]
    grid = stacked.reshape(num, rows, height, columns, width, channels).transpose(0, 1, 3, 5, 2, 4)
    return grid.reshape(-1, channels, height, width).astype(np.float32) / np.float32(255)
