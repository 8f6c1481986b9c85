"""Images in a NumPy archive: ``x_train`` and ``x_test``, optionally ``y_train`` and ``y_test``."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ae_lightning.data.memory import COPIES, require_memory
from ae_lightning.data.splits import ImageSet, ImageSplit
from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL

CHANNELS = (1, 3)
CHUNK = 4096
BOMB_BYTES = 1 << 30
BOMB_RATIO = 200
"""More than so many bytes out of each one in the file, and more than a gibibyte, are no images."""

LARGEST_LABEL = int(np.iinfo(np.int64).max)
ARRAYS = ("x_train", "x_test", "y_train", "y_test")


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_npz(path: Path) -> ImageSet:
    """Read images, and labels where there are any, from an ``.npz`` file.

    Args:
        path: The file. ``x_train`` and ``x_test`` have shape (N, H, W), (N, H, W, C) or (N, C, H, W) with C 1
            or 3, and are uint8, or floating point in [0, 1], which is rounded to 256 steps. ``y_train`` and
            ``y_test`` are integers of shape (N,), and come together; −1 is a label that is missing.

    Returns:
        The splits as given. The classes are the labels that occur, in ascending order; without any the images are
        unlabelled.

    Raises:
        DataError: If the file is missing, damaged or lacks an array, or an array is not as above.
    """
    headers = _read_headers(path)
    _check_headers(path, headers)
    require_memory(_peak_bytes(headers["x_train"], headers["x_test"]), f"{path}: x_train and x_test together:")
    images = {part: _read_images(path, f"x_{part}") for part in ("train", "test")}
    if images["train"].shape[1:] != images["test"].shape[1:]:
        shapes = f"{headers['x_train'].shape} and {headers['x_test'].shape}"
        raise DataError(f"{path}: the images of x_train and x_test differ in shape: {shapes}")
    if "y_train" not in headers:
        return ImageSet(_split(images["train"]), _split(images["test"]))
    labels = {part: _read_labels(path, f"y_{part}") for part in ("train", "test")}
    classes = np.unique(np.concatenate([labels["train"], labels["test"]]))
    classes = classes[classes != MISSING_LABEL]
    if not len(classes):
        return ImageSet(_split(images["train"]), _split(images["test"]))
    train, test = (_split(images[part], _places(labels[part], classes)) for part in ("train", "test"))
    return ImageSet(train, test, tuple(str(name) for name in classes))


def _read_headers(path: Path) -> dict[str, _Header]:
    """Read what the arrays declare to be, so that nothing is allocated on a damaged file's word."""
    if not path.is_file():
        raise DataError(f"data.path: there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            return {name: _read_header(archive, members[name]) for name in ARRAYS if name in members}
    except Exception as error:  # a damaged archive raises whatever its decoder stumbles over
        raise DataError(f"{path} cannot be read as .npz: {_one_line(error)}") from error


def _read_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Header:
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    if info.file_size > max(BOMB_BYTES, BOMB_RATIO * info.compress_size):
        raise ValueError(
            f"{info.filename} may be a decompression bomb: {info.compress_size} bytes for {info.file_size}"
        )
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes > info.file_size and not dtype.hasobject:
        raise ValueError(f"{info.filename} declares {num_bytes} bytes but holds {info.file_size}")
    return _Header(shape, dtype)


def _check_headers(path: Path, headers: dict[str, _Header]) -> None:
    needed = ["x_train", "x_test"]
    if "y_train" in headers or "y_test" in headers:
        needed += ["y_train", "y_test"]
    for name in needed:
        if name not in headers:
            found = ", ".join(headers) or "none of the four"
            raise DataError(f"{path}: the array {name} is missing (there: {found})")
        check = _check_image_header if name.startswith("x") else _check_label_header
        check(f"{path}: {name}", headers[name])
    for name in (name for name in needed if name.startswith("y")):
        num_images, num_labels = headers[f"x{name[1:]}"].shape[0], headers[name].shape[0]
        if num_labels != num_images:
            raise DataError(f"{path}: {name} has {num_labels} labels for {num_images} images")


def _check_image_header(where: str, header: _Header) -> None:
    shape, dtype = header
    if dtype != np.uint8 and dtype.kind != "f":
        raise DataError(f"{where} has dtype {dtype}; images must be uint8, or floating point in [0, 1]")
    if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in CHANNELS and shape[1] not in CHANNELS):
        layouts = "(N, H, W), (N, H, W, C) or (N, C, H, W) with C 1 or 3"
        raise DataError(f"{where} has shape {shape}; images must have {layouts}")
    if math.prod(shape) == 0:
        raise DataError(f"{where} is empty: its shape is {shape}")


def _check_label_header(where: str, header: _Header) -> None:
    shape, dtype = header
    if dtype.kind not in "iu":
        raise DataError(f"{where} has dtype {dtype}; labels must be integers")
    if len(shape) != 1:
        raise DataError(f"{where} has shape {shape}; labels must have (N,)")


def _peak_bytes(train: _Header, test: _Header) -> int:
    """Return what is held at most: an array as it is stored beside its bytes, or all of them while train is divided."""
    num_train, num_test = math.prod(train.shape), math.prod(test.shape)
    reading_train = num_train * (train.dtype.itemsize + 1)
    reading_test = num_train + num_test * (test.dtype.itemsize + 1)
    return max(reading_train, reading_test, COPIES * num_train + num_test)


def _read_array(path: Path, name: str) -> npt.NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            array: npt.NDArray[Any] = archive[name]
    except Exception as error:  # as above: any decoder's error
        raise DataError(f"{path}: {name} cannot be read: {_one_line(error)}") from error
    return array


def _read_labels(path: Path, name: str) -> npt.NDArray[np.int64]:
    """Read labels as one type: NumPy would join unsigned ones and others to floating point."""
    array = _read_array(path, name)
    if array.min() < MISSING_LABEL:
        raise DataError(f"{path}: {name} has the negative label {array.min()}; −1 alone is allowed, for a missing one")
    if array.max() > LARGEST_LABEL:
        raise DataError(f"{path}: {name} has the label {array.max()}; {LARGEST_LABEL} is the largest allowed")
    return array.astype(np.int64)


def _read_images(path: Path, name: str) -> npt.NDArray[np.uint8]:
    """Read an image array into shape (N, C, H, W), uint8, contiguous."""
    pixels = _to_bytes(_read_array(path, name), f"{path}: {name}")
    if pixels.ndim == 3:
        pixels = pixels[:, None]
    elif pixels.shape[3] in CHANNELS:
        pixels = pixels.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pixels)


def _to_bytes(array: npt.NDArray[Any], where: str) -> npt.NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array
    pixels = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), CHUNK):  # in chunks: the float32 copy would double the memory needed
        values = array[start : start + CHUNK].astype(np.float32)
        if np.isnan(values).any():
            raise DataError(f"{where} contains NaN")
        if values.min() < 0 or values.max() > 1:
            span = f"from {values.min():g} to {values.max():g}"
            raise DataError(f"{where} has values {span}; floating-point images must lie in [0, 1]")
        pixels[start : start + CHUNK] = np.rint(values * 255)
    return pixels


def _places(labels: npt.NDArray[np.int64], classes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where each label is among the classes, which are in ascending order; a missing one stays missing."""
    places = np.where(labels == MISSING_LABEL, MISSING_LABEL, np.searchsorted(classes, labels))
    return places.astype(np.int64)


def _split(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64] | None = None) -> ImageSplit:
    return ImageSplit(torch.from_numpy(images), None if labels is None else torch.from_numpy(labels))


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
