"""Samples and labels that a Python program holds in arrays, as a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.data.arrays.samples import Header, check_sample_header, converted, with_channels_first
from ae_lightning.data.holding_out import hold_out_test
from ae_lightning.data.sample_keys import keys_of_array
from ae_lightning.data.splits import DataSet, Split
from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL

TEST_SHARE = 0.2
"""Of the samples that come without others to test on, how many are held out for that."""


@dataclass(frozen=True, eq=False)
class GivenArrays:
    """What a program gave.

    Attributes:
        samples: All to train on and, where `test` is missing, to hold a test split out of, in their order.
        test: Those to test on; None to hold out a share of the others.
        class_names: Of the labels, in ascending order; None where there are none.
    """

    samples: Split
    test: Split | None
    class_names: tuple[str, ...] | None

    def divided(self, seed: int) -> DataSet:
        """Return the data set; a seed fixes what is held out for the test split.

        Raises:
            DataError: If the splits do not fit together, or there is nothing to divide.
        """
        if self.test is not None:
            return DataSet(self.samples, self.test, self.class_names)
        train, test = hold_out_test(self.samples, TEST_SHARE, seed)
        return DataSet(train, test, self.class_names, notes=(f"test is {TEST_SHARE:.0%} of x, held out (no x_test)",))


_GIVEN: ContextVar[GivenArrays | None] = ContextVar("given_arrays", default=None)


@contextmanager
def arrays_given(arrays: GivenArrays | None) -> Iterator[None]:
    """Let the source `arrays` read these for a while."""
    token = _GIVEN.set(arrays)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def given_arrays() -> GivenArrays:
    """Return the arrays of this moment.

    Raises:
        DataError: If there are none: no file holds them.
    """
    arrays = _GIVEN.get()
    if arrays is None:
        raise DataError(
            "data.name: arrays were given from Python, and no file holds them; from there give them again, as in "
            "ael.load(CHECKPOINT, x), or name a file: --data.name npz --data.path FILE"
        )
    return arrays


def gather_arrays(x: Any, y: Any = None, x_test: Any = None, y_test: Any = None) -> GivenArrays:
    """Take arrays for a data set.

    Args:
        x: Samples to train on: images of shape (N, H, W), (N, H, W, C) or (N, C, H, W), uint8, uint16, floating point
            or truth values, or vectors (N, D) of any real type; a NumPy array, a tensor, or what NumPy makes one of.
        y: Their classes, shape (N,): whole numbers, −1 where missing, or words, an empty one where missing; None
            where there are none.
        x_test: Samples to test on; None to hold out a fifth of the others.
        y_test: Their classes; where `y` is given, so must these be.

    Raises:
        DataError: If they are not of these kinds, or do not fit together.
    """
    if x_test is None and y_test is not None:
        raise DataError("y_test: there is no x_test that it belongs to")
    if x_test is not None and (y is None) != (y_test is None):
        raise DataError("y and y_test: give both of them or neither")
    samples, test = as_stored("x", x), None if x_test is None else as_stored("x_test", x_test)
    parts = [samples] if test is None else [samples, test]
    if (
        all(part.ndim == 4 and part.dtype == torch.uint8 for part in parts)
        and max(int(part.max()) for part in parts) == 1
    ):
        raise DataError("x holds bytes of 0 and 1 alone, and white is 255; give x.astype(bool), or x * 255")
    given = {name: _as_labels(name, values) for name, values in (("y", y), ("y_test", y_test)) if values is not None}
    if len({labels.dtype.kind == "U" for labels in map(np.asarray, given.values())}) > 1:
        raise DataError("y and y_test: one has words, the other whole numbers")
    classes = sorted(set[Any]().union(*(set(_known(labels).tolist()) for labels in given.values())))
    names = tuple(map(str, classes)) or None
    places = {name: positions(name, labels, names) for name, labels in given.items()} if names else {}
    if test is not None and test.dtype != samples.dtype:
        raise DataError(f"x is {_called(samples)}, x_test {_called(test)}; they must be of one type")
    return GivenArrays(
        Split(samples, places.get("y"), keys=keys_of_array("x", len(samples))),
        None if test is None else Split(test, places.get("y_test"), keys=keys_of_array("x_test", len(test))),
        names,
    )


def as_stored(name: str, x: Any) -> Tensor:
    """Return samples as data modules keep them: shape (N, C, H, W) or (N, D); uint8, uint16 or float32.

    Images of truth values are black and white.

    Args:
        name: Begins messages.
        x: As `gather_arrays` takes them.

    Raises:
        DataError: If they are no such samples.
    """
    array = _as_array(name, x)
    header = Header(array.shape, array.dtype)
    if array.dtype.kind == "i" and array.ndim > 2:
        raise DataError(f"{name} has dtype {array.dtype}; if its values are bytes, give {name}.astype('uint8')")
    check_sample_header(name, header)
    values = converted(array, header.kept_as, name)
    if array.dtype.kind == "b" and array.ndim > 2:
        values *= 255
    return torch.from_numpy(with_channels_first(values))


def positions(name: str, labels: Any, class_names: Sequence[str] | None) -> Tensor:
    """Return labels as positions among the names of the classes, int64, shape (N,); a missing one stays missing.

    Args:
        name: Begins messages.
        labels: Whole numbers, −1 where missing, or words, an empty one where missing.
        class_names: The data set's.

    Raises:
        DataError: If they are neither, or one names no class.
    """
    array = _as_labels(name, labels)
    places = {class_name: place for place, class_name in enumerate(class_names or ())}
    missing = {"" if array.dtype.kind == "U" else str(MISSING_LABEL): MISSING_LABEL}
    values, inverse = np.unique(array, return_inverse=True)
    unknown = [str(value) for value in values if str(value) not in {**places, **missing}]
    if unknown:
        raise DataError(f"{name}: {unknown[0]!r} is no class; there are {', '.join(places) or 'none'}")
    found = np.array([{**places, **missing}[str(value)] for value in values], np.int64)
    return torch.from_numpy(found[inverse.reshape(-1)])


def _known(labels: NDArray[Any]) -> NDArray[Any]:
    known: NDArray[Any] = labels[labels != ("" if labels.dtype.kind == "U" else MISSING_LABEL)]
    return known


def _as_labels(name: str, labels: Any) -> NDArray[Any]:
    array = _as_array(name, labels)
    if array.dtype.kind == "O" and all(isinstance(value, str) for value in array.reshape(-1)):
        array = array.astype(str)
    if array.dtype.kind not in "biuU" or array.ndim != 1:
        raise DataError(
            f"{name} has dtype {array.dtype} and shape {array.shape}; labels are whole numbers or words, shape (N,)"
        )
    if array.dtype.kind == "i" and len(array) and array.min() < MISSING_LABEL:
        raise DataError(f"{name} has the negative label {array.min()}; −1 alone is allowed, for a missing one")
    return array.astype(np.int64) if array.dtype.kind == "b" else array


def _as_array(name: str, given: Any) -> NDArray[Any]:
    if isinstance(given, Tensor):
        given = given.detach().cpu()
        given = given.float() if given.dtype == torch.bfloat16 else given
    # NumPy would take what lies below the mask.
    parts = given if isinstance(given, list | tuple) else [given]
    num_masked = sum(int(part.mask.sum()) for part in parts if isinstance(part, np.ma.MaskedArray))
    if num_masked:
        raise DataError(f"{name} has {num_masked} masked values; fill them or leave their samples out")
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{name}: {type(given).__name__} cannot be taken as an array ({error})") from error
    if array.ndim == 0:
        raise DataError(f"{name}: {type(given).__name__} is no array; give one of NumPy's, or a tensor")
    return array


def _called(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
