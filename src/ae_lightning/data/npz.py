"""Samples in a NumPy archive: ``x_train`` and ``x_test``, optionally their labels and factors."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ae_lightning.data.array_samples import Header, check_sample_header, converted, with_channels_first
from ae_lightning.data.memory import COPIES, require_memory
from ae_lightning.data.splits import DataSet, Split
from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL
from ae_lightning.spec import Factors

BOMB_BYTES = 1 << 30
BOMB_RATIO = 200
"""More than so many bytes out of each one in the file, and more than a gibibyte, are no samples."""

LARGEST_LABEL = int(np.iinfo(np.int64).max)
NAMES = "factor_names"
ARRAYS = ("x_train", "x_test", "y_train", "y_test", "factors_train", "factors_test", NAMES)

_Integers = npt.NDArray[np.int64]


def read_npz(path: Path) -> DataSet:
    """Read samples, and labels and factors where there are any, from an ``.npz`` file.

    Args:
        path: The file. ``x_train`` and ``x_test`` are images of shape (N, H, W), (N, H, W, C) or (N, C, H, W), uint8,
            uint16 or floating point, or vectors of shape (N, D) of any real type. The channels are the axis of 1 or 3,
            else the shorter one. uint8 and uint16 are kept as they are, all else in 32-bit floating point.
            ``y_train`` and ``y_test`` are integers of shape (N,), and come together; −1 is a label that is missing.
            ``factors_train`` and ``factors_test`` are integers of shape (N, F), and come together; ``factor_names`` are
            F words. Sequences (N, T, D) would be taken for grey images: there is no way yet to say that they are none.

    Returns:
        The splits as given. The classes are the labels that occur, in ascending order; without any the samples are
        unlabelled. The values of a factor are numbered likewise.

    Raises:
        DataError: If the file is missing, damaged or lacks an array, or an array is not as above.
    """
    headers = _read_headers(path)
    _check_headers(path, headers)
    kept_as = np.result_type(headers["x_train"].kept_as, headers["x_test"].kept_as)
    require_memory(_peak_bytes(headers["x_train"], headers["x_test"], kept_as), f"{path}: x_train and x_test together:")
    x = {part: torch.from_numpy(_read_samples(path, f"x_{part}", kept_as)) for part in ("train", "test")}
    if x["train"].shape[1:] != x["test"].shape[1:]:
        shapes = f"{headers['x_train'].shape} and {headers['x_test'].shape}"
        raise DataError(f"{path}: the samples of x_train and x_test differ in shape: {shapes}")
    labels, classes = _read_labels(path) if "y_train" in headers else ({}, ())
    factors, described = _read_factors(path, headers) if "factors_train" in headers else ({}, None)
    train, test = (Split(x[part], labels.get(part), factors.get(part)) for part in ("train", "test"))
    return DataSet(train, test, classes or None, described)


def _read_headers(path: Path) -> dict[str, Header]:
    """Read what the arrays declare to be, so that nothing is allocated on a damaged file's word."""
    if not path.is_file():
        raise DataError(f"data.path: there is no file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            return {name: _read_header(archive, members[name]) for name in ARRAYS if name in members}
    except Exception as error:  # a damaged archive raises whatever its decoder stumbles over
        raise DataError(f"{path} cannot be read as .npz: {_one_line(error)}") from error


def _read_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Header:
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
    return Header(shape, dtype)


def _check_headers(path: Path, headers: dict[str, Header]) -> None:
    needed = ["x_train", "x_test"]
    for kind in ("y", "factors"):
        if f"{kind}_train" in headers or f"{kind}_test" in headers:
            needed += [f"{kind}_train", f"{kind}_test"]
    for name in needed:
        if name not in headers:
            found = ", ".join(headers) or "none that is read"
            raise DataError(f"{path}: the array {name} is missing (there: {found})")
        check = {"x": check_sample_header, "y": _check_label_header, "factors": _check_factor_header}
        check[name.partition("_")[0]](f"{path}: {name}", headers[name])
    for name in (name for name in needed if not name.startswith("x")):
        kind, _, part = name.partition("_")
        num_samples, num_found = headers[f"x_{part}"].shape[0], headers[name].shape[0]
        if num_found != num_samples:
            what = "labels" if kind == "y" else "rows"
            raise DataError(f"{path}: {name} has {num_found} {what} for {num_samples} samples")
    if "factors_train" in headers:
        _check_factor_names(path, headers)
    train, test = headers["x_train"], headers["x_test"]
    if len(train.shape) > 2 and train.kept_as != test.kept_as:
        raise DataError(f"{path}: x_train is {train.dtype}, x_test {test.dtype}; images must be of one type")


def _check_label_header(where: str, header: Header) -> None:
    shape, dtype = header
    if dtype.kind not in "iu":
        raise DataError(f"{where} has dtype {dtype}; labels must be integers")
    if len(shape) != 1:
        raise DataError(f"{where} has shape {shape}; labels must have (N,)")


def _check_factor_header(where: str, header: Header) -> None:
    shape, dtype = header
    if dtype.kind not in "iu":
        raise DataError(f"{where} has dtype {dtype}; factors must be integers")
    if len(shape) != 2 or not shape[1]:
        raise DataError(f"{where} has shape {shape}; factors must have (N, F)")


def _check_factor_names(path: Path, headers: dict[str, Header]) -> None:
    train, test = headers["factors_train"].shape[1], headers["factors_test"].shape[1]
    if train != test:
        raise DataError(f"{path}: factors_train has {train} factors, factors_test {test}")
    if NAMES in headers and (headers[NAMES].shape != (train,) or headers[NAMES].dtype.kind != "U"):
        shape, dtype = headers[NAMES]
        raise DataError(f"{path}: {NAMES} has dtype {dtype} and shape {shape}; {train} words are needed")


def _peak_bytes(train: Header, test: Header, kept_as: np.dtype[Any]) -> int:
    """Return what is held at most: an array as stored beside what is kept of it, or all while train is divided."""
    num_train, num_test, size = math.prod(train.shape), math.prod(test.shape), kept_as.itemsize
    reading_train = num_train * (train.dtype.itemsize + size)
    reading_test = num_train * size + num_test * (test.dtype.itemsize + size)
    return max(reading_train, reading_test, (COPIES * num_train + num_test) * size)


def _read_array(path: Path, name: str) -> npt.NDArray[Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            array: npt.NDArray[Any] = archive[name]
    except Exception as error:  # as above: any decoder's error
        raise DataError(f"{path}: {name} cannot be read: {_one_line(error)}") from error
    return array


def _read_labels(path: Path) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Read labels as places among the classes, and the names of these; nothing where every label is missing."""
    labels = {part: _read_integers(path, f"y_{part}") for part in ("train", "test")}
    for part, array in labels.items():
        if array.min() < MISSING_LABEL:
            where = f"{path}: y_{part}"
            raise DataError(f"{where} has the negative label {array.min()}; −1 alone is allowed, for a missing one")
    classes = np.unique(np.concatenate([labels["train"], labels["test"]]))
    classes = classes[classes != MISSING_LABEL]
    if not len(classes):
        return {}, ()
    places = {part: torch.from_numpy(_places(array, classes)) for part, array in labels.items()}
    return places, tuple(str(name) for name in classes)


def _read_factors(path: Path, headers: dict[str, Header]) -> tuple[dict[str, torch.Tensor], Factors]:
    """Read factors as places among the values that each takes."""
    found = {part: _read_integers(path, f"factors_{part}") for part in ("train", "test")}
    values = [np.unique(column) for column in np.concatenate([found["train"], found["test"]]).T]
    places = {
        part: torch.from_numpy(np.stack([np.searchsorted(*pair) for pair in zip(values, array.T, strict=True)], axis=1))
        for part, array in found.items()
    }
    given = _read_array(path, NAMES).tolist() if NAMES in headers else range(len(values))
    return places, Factors(tuple(str(name) for name in given), tuple(len(taken) for taken in values))


def _read_integers(path: Path, name: str) -> _Integers:
    """Read integers as one type: NumPy would join unsigned ones and others to floating point."""
    array = _read_array(path, name)
    if array.max() > LARGEST_LABEL:
        what = "label" if name.startswith("y") else "value"
        raise DataError(f"{path}: {name} has the {what} {array.max()}; {LARGEST_LABEL} is the largest allowed")
    return array.astype(np.int64)


def _read_samples(path: Path, name: str, kept_as: np.dtype[Any]) -> npt.NDArray[Any]:
    """Read samples, images into shape (N, C, H, W), contiguous."""
    return with_channels_first(converted(_read_array(path, name), kept_as, f"{path}: {name}"))


def _places(labels: _Integers, classes: _Integers) -> _Integers:
    """Return where each label is among the classes, which are in ascending order; a missing one stays missing."""
    places = np.where(labels == MISSING_LABEL, MISSING_LABEL, np.searchsorted(classes, labels))
    return places.astype(np.int64)


def _one_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
