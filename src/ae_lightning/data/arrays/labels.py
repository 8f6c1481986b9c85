"""Labels as they are published: whole numbers or words, one a sample, or a column of 0 and 1 for each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.data.arrays.samples import Header
from ae_lightning.data.splits import SplitName
from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL

LARGEST = int(np.iinfo(np.int64).max)


class Labels(NamedTuple):
    """Labels of each split as places among the names of the classes.

    Attributes:
        places: int64, shape (N,), −1 where missing; empty where the samples are unlabelled.
        class_names: In ascending order; empty likewise.
        notes: What could not be taken.
    """

    places: dict[SplitName, Tensor]
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check_label_header(where: str, header: Header) -> None:
    """Refuse what are no labels.

    Args:
        where: Begins the message.
        header: Of the array.

    Raises:
        DataError: If they are neither whole numbers nor words, nor a column for each class.
    """
    shape, dtype = header
    is_column = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    if dtype.kind not in ("iubUS" if is_column else "iubf"):
        raise DataError(f"{where} has dtype {dtype}; labels must be integers or words")
    if len(shape) not in (1, 2):
        raise DataError(f"{where} has shape {shape}; labels must have (N,), (N, 1) or a column for each class")


def places_of(arrays: Mapping[SplitName, tuple[str, NDArray[Any]]]) -> Labels:
    """Return labels as places among the classes that occur.

    Args:
        arrays: Of each split, with what begins messages about it, as `check_label_header` takes them.

    Raises:
        DataError: If a value is none, or the splits' are of different kinds.
    """
    if any(array.ndim == 2 and array.shape[1] > 1 for _, array in arrays.values()):
        return _of_columns(arrays)
    labels = {split: _column(where, array) for split, (where, array) in arrays.items()}
    if len({column.dtype.kind for column in labels.values()}) > 1:
        raise DataError(f"{' and '.join(where for where, _ in arrays.values())}: some are words, others whole numbers")
    classes = np.unique(np.concatenate(list(labels.values())))
    classes = classes[classes != _missing(classes)]
    if not len(classes):
        return Labels({}, ())
    return Labels(
        {split: torch.from_numpy(_places(column, classes)) for split, column in labels.items()},
        tuple(str(name) for name in classes),
    )


def _column(where: str, array: NDArray[Any]) -> NDArray[Any]:
    column = array.reshape(len(array))
    if column.dtype.kind == "S":
        return np.array([word.decode(errors="replace") for word in column.tolist()], dtype=np.str_)
    if column.dtype.kind == "U":
        return column
    # As one type: NumPy would join unsigned ones and others to floating point.
    if column.max() > LARGEST:
        raise DataError(f"{where} has the label {column.max()}; {LARGEST} is the largest allowed")
    if column.min() < MISSING_LABEL:
        raise DataError(f"{where} has the negative label {column.min()}; −1 alone is allowed, for a missing one")
    return column.astype(np.int64)


def _of_columns(arrays: Mapping[SplitName, tuple[str, NDArray[Any]]]) -> Labels:
    where, first = next(iter(arrays.values()))
    for other, array in arrays.values():
        if array.ndim != 2 or array.shape[1] != first.shape[1]:
            raise DataError(f"{where} has shape {first.shape}, {other} {array.shape}; they must have as many columns")
        if not np.isin(array, (0, 1)).all():
            raise DataError(f"{other} has shape {array.shape}; of several columns each must hold 0 and 1 alone")
    if any((array.sum(axis=1) != 1).any() for _, array in arrays.values()):
        return Labels(
            {}, (), (f"no labels, as rows of {where.rpartition(': ')[2]} have none of its classes or several",)
        )
    places = {split: torch.from_numpy(array.argmax(axis=1).astype(np.int64)) for split, (_, array) in arrays.items()}
    return Labels(places, tuple(map(str, range(first.shape[1]))))


def _places(labels: NDArray[Any], classes: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each label is among the classes, which are in ascending order; a missing one stays missing."""
    is_missing = labels == _missing(labels)
    return np.where(is_missing, MISSING_LABEL, np.searchsorted(classes, labels)).astype(np.int64)


def _missing(labels: NDArray[Any]) -> int | str:
    return "" if labels.dtype.kind == "U" else MISSING_LABEL
