"""Samples in a NumPy archive or a single array, as they are published, with labels and factors if there are any."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ae_lightning.data.arrays.labels import LARGEST, Labels, check_label_header, places_of
from ae_lightning.data.arrays.names import ArrayNames, find_arrays
from ae_lightning.data.arrays.samples import (
    Header,
    SampleArray,
    check_sample_header,
    converted,
    stretched,
    with_channels_first,
)
from ae_lightning.data.holding_out import TEST_SHARE, hold_out_test, told_of_test
from ae_lightning.data.memory import COPIES, require_memory
from ae_lightning.data.sample_keys import keys_of_array
from ae_lightning.data.splits import DataSet, Split, SplitName
from ae_lightning.errors import DataError, first_line
from ae_lightning.spec import Factors

BOMB_BYTES = 1 << 30
BOMB_RATIO = 200
"""More than so many bytes out of each one in the file, and more than a gibibyte, are no samples."""

NAMES = "factor_names"
SINGLE = ".npy"


class _Member(NamedTuple):
    """An array in the file.

    Attributes:
        header: What it declares.
        num_bytes: What it holds.
        num_packed: What of the file that takes.
    """

    header: Header
    num_bytes: int
    num_packed: int


def read_npz(path: Path, split_seed: int = 0) -> DataSet:
    """Read samples, and labels and factors where there are any, from an ``.npz`` or ``.npy`` file.

    Args:
        path: The file. ``x_train``, ``x_val`` and ``x_test``, or what else publishers call them (``train_images``,
            ``X_train``; ``x``, ``imgs`` or a single array for all), are images of shape (N, H, W), (N, H, W, C),
            (N, C, H, W) or (H, W, C, N), uint8, uint16, bool, floating point or other integers from 0 to 65,535, or
            vectors of shape (N, D) of any real type. The channels are the axis of 1 or 3, else the shorter one. What
            holds 0 and 1 alone is stretched to 0 and 255. uint8 and uint16 are kept as they are, integers as the
            smaller of these that takes them, all else in 32-bit floating point. ``y_train`` … are integers or words of
            shape (N,) or (N, 1), −1 or no word being a label that is missing, or a column of 0 and 1 for each class.
            ``factors_train`` … are integers of shape (N, F); ``factor_names`` are F words. Each of both kinds comes
            for every split or for none. Sequences (N, T, D) would be taken for grey images: there is no way yet to say
            that they are none.
        split_seed: Fixes which tenth is the test split, where the file has none.

    Returns:
        The splits. The classes are the labels that occur, in ascending order; without any the samples are unlabelled.
        The values of a factor are numbered likewise.

    Raises:
        DataError: If the file is missing or damaged, which array is what cannot be told, or an array is not as above.
    """
    members = _read_members(path)
    headers = {name: member.header for name, member in members.items()}
    names = find_arrays(path, headers)
    _check_members(path, members, names)
    samples = _sample_arrays(path, headers, names)
    _check_headers(path, headers, names, samples)
    x = _read_samples(path, samples)
    notes = []
    if stretched(list(x.values())):
        notes.append(f"{names.samples['train']} holds 0 and 1, taken for 0 and 255")
    labels = _read_labels(path, names)
    factors, described = _read_factors(path, names, headers)
    splits = {
        part: Split(x[part], labels.places.get(part), factors.get(part), keys_of_array(name, len(x[part])))
        for part, name in names.samples.items()
    }
    train, test = splits["train"], splits.get("test")
    if test is None:
        train, test = hold_out_test(train, TEST_SHARE, split_seed)
        notes.append(told_of_test(names.samples["train"]))
    left_out = [name for name in names.left_out if name != NAMES]
    notes += [*labels.notes, *([f"left out: {', '.join(left_out)}"] if left_out else [])]
    return DataSet(train, test, labels.class_names or None, described, val=splits.get("val"), notes=tuple(notes))


def _read_members(path: Path) -> dict[str, _Member]:
    """Read what the arrays declare to be, so that nothing is allocated on a damaged file's word."""
    if not path.is_file():
        raise DataError(f"data.path: there is no file {path}")
    try:
        if path.suffix == SINGLE:
            size = path.stat().st_size
            with path.open("rb") as single:
                return {path.stem: _Member(_read_header(single), size, size)}
        with zipfile.ZipFile(path) as archive:
            found = {}
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    with archive.open(info) as file:
                        header = _read_header(file)
                    found[info.filename.removesuffix(".npy")] = _Member(header, info.file_size, info.compress_size)
            return found
    except Exception as error:  # a damaged archive raises whatever its decoder stumbles over
        raise DataError(f"{_cannot_be_read(path)}: {first_line(error)}") from error


def _read_header(file: IO[bytes]) -> Header:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return Header(shape, dtype)


def _check_members(path: Path, members: Mapping[str, _Member], names: ArrayNames) -> None:
    used = [name for own in (names.samples, names.labels, names.factors) for name in own.values()]
    for name in [*used, *([NAMES] if NAMES in members else [])]:
        (shape, dtype), num_bytes, num_packed = members[name]
        declared = math.prod(shape) * dtype.itemsize
        fault = None
        if num_bytes > max(BOMB_BYTES, BOMB_RATIO * num_packed):
            fault = f"may be a decompression bomb: {num_packed} bytes for {num_bytes}"
        elif declared > num_bytes and not dtype.hasobject:
            fault = f"declares {declared} bytes but holds {num_bytes}"
        if fault is not None:
            raise DataError(f"{_cannot_be_read(path)}: {name}.npy {fault}")


def _sample_arrays(path: Path, headers: Mapping[str, Header], names: ArrayNames) -> dict[SplitName, SampleArray]:
    found = {}
    for part, name in names.samples.items():
        num_labels = headers[names.labels[part]].shape[:1] if part in names.labels else ()
        found[part] = SampleArray.of(name, headers[name], num_labels[0] if num_labels else None)
        check_sample_header(f"{path}: {name}", found[part].checked)
    return found


def _check_headers(
    path: Path, headers: Mapping[str, Header], names: ArrayNames, samples: Mapping[SplitName, SampleArray]
) -> None:
    for own, what, check in (
        (names.labels, "labels", check_label_header),
        (names.factors, "rows", _check_factor_header),
    ):
        for part, name in own.items():
            check(f"{path}: {name}", headers[name])
            num_samples, num_found = samples[part].header.shape[0], headers[name].shape[0]
            if num_found != num_samples:
                raise DataError(f"{path}: {name} has {num_found} {what} for {num_samples} samples")
    if names.factors:
        _check_factor_names(path, headers, names.factors)
    train = samples["train"]
    for other in samples.values():
        if other.header.shape[1:] != train.header.shape[1:]:
            shapes = f"{train.header.shape} and {other.header.shape}"
            raise DataError(f"{path}: the samples of {train.name} and {other.name} differ in shape: {shapes}")
        if len(other.header.shape) > 2 and other.checked.kept_as != train.checked.kept_as:
            given = f"{train.name} is {train.header.dtype}, {other.name} {other.header.dtype}"
            raise DataError(f"{path}: {given}; images must be of one type")


def _check_factor_header(where: str, header: Header) -> None:
    shape, dtype = header
    if dtype.kind not in "iu":
        raise DataError(f"{where} has dtype {dtype}; factors must be integers")
    if len(shape) != 2 or not shape[1]:
        raise DataError(f"{where} has shape {shape}; factors must have (N, F)")


def _check_factor_names(path: Path, headers: Mapping[str, Header], factors: Mapping[SplitName, str]) -> None:
    first, *others = factors.values()
    num_factors = headers[first].shape[1]
    for other in others:
        if headers[other].shape[1] != num_factors:
            raise DataError(f"{path}: {first} has {num_factors} factors, {other} {headers[other].shape[1]}")
    if NAMES in headers and (headers[NAMES].shape != (num_factors,) or headers[NAMES].dtype.kind != "U"):
        shape, dtype = headers[NAMES]
        raise DataError(f"{path}: {NAMES} has dtype {dtype} and shape {shape}; {num_factors} words are needed")


def _peak_bytes(samples: Mapping[SplitName, SampleArray], kept_as: np.dtype[Any]) -> int:
    """Return what is held at most: an array as stored beside what is kept of it, or all while train is divided."""
    held = peak = 0
    for one in samples.values():
        num_values = math.prod(one.header.shape)
        peak = max(peak, held + num_values * (one.header.dtype.itemsize + kept_as.itemsize))
        held += num_values * kept_as.itemsize
    of_train = math.prod(samples["train"].header.shape) * kept_as.itemsize
    return max(peak, held + (COPIES - 1) * of_train)


def _read_array(path: Path, name: str) -> npt.NDArray[Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded as archive:
            array: npt.NDArray[Any] = archive[name]
    except Exception as error:  # as above: any decoder's error
        raise DataError(f"{path}: {name} cannot be read: {first_line(error)}") from error
    return array


def _read_samples(path: Path, samples: Mapping[SplitName, SampleArray]) -> dict[SplitName, Tensor]:
    """Read samples, images into shape (N, C, H, W), contiguous, all of one type."""
    kept_as = np.result_type(*(one.checked.kept_as for one in samples.values()))
    named = " and ".join(one.name for one in samples.values())
    require_memory(_peak_bytes(samples, kept_as), f"{path}: {named} together:")
    found = {}
    for part, one in samples.items():
        where = f"{path}: {one.name}"
        array = one.samples_first(_read_array(path, one.name))
        smallest = one.smallest_type(array, where)
        found[part] = with_channels_first(converted(array, smallest or kept_as, where))
    deepest = np.result_type(*found.values())
    return {part: torch.from_numpy(values.astype(deepest, copy=False)) for part, values in found.items()}


def _read_labels(path: Path, names: ArrayNames) -> Labels:
    if not names.labels:
        return Labels({}, ())
    return places_of({part: (f"{path}: {name}", _read_array(path, name)) for part, name in names.labels.items()})


def _read_factors(
    path: Path, names: ArrayNames, headers: Mapping[str, Header]
) -> tuple[dict[SplitName, Tensor], Factors | None]:
    """Read factors as places among the values that each takes."""
    if not names.factors:
        return {}, None
    found = {part: _read_integers(path, name) for part, name in names.factors.items()}
    values = [np.unique(column) for column in np.concatenate(list(found.values())).T]
    places = {
        part: torch.from_numpy(np.stack([np.searchsorted(*pair) for pair in zip(values, array.T, strict=True)], axis=1))
        for part, array in found.items()
    }
    given = _read_array(path, NAMES).tolist() if NAMES in headers else range(len(values))
    return places, Factors(tuple(str(name) for name in given), tuple(len(taken) for taken in values))


def _read_integers(path: Path, name: str) -> npt.NDArray[np.int64]:
    """Read integers as one type: NumPy would join unsigned ones and others to floating point."""
    array = _read_array(path, name)
    if array.max() > LARGEST:
        raise DataError(f"{path}: {name} has the value {array.max()}; {LARGEST} is the largest allowed")
    return array.astype(np.int64)


def _cannot_be_read(path: Path) -> str:
    return f"{path} cannot be read as {SINGLE if path.suffix == SINGLE else '.npz'}"
