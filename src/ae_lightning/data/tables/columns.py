"""The columns of tables: features as numbers, and the labels of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ae_lightning.data.arrays.labels import Labels, places_of
from ae_lightning.data.data_line import first_few
from ae_lightning.data.splits import SplitName
from ae_lightning.data.tables.files import Table
from ae_lightning.errors import ConfigError, DataError, unknown_name
from ae_lightning.labels import MISSING_LABEL

KEY = "data.target"

Tables = Mapping[SplitName, Table]


def feature_names(tables: Tables, target: str | None) -> list[str]:
    """Return the names of the columns that are features, in the order of the train split.

    Args:
        tables: Of each split.
        target: The column that is none.

    Raises:
        ConfigError: If there is no such column.
        DataError: If the splits have other columns, or some that hold no numbers.
    """
    train = tables["train"]
    names: list[str] = train.columns.column_names
    if target is not None and target not in names:
        raise ConfigError(unknown_name(KEY, target, names))
    features = [name for name in names if name != target]
    if not features:
        raise DataError(f"{train.path} has no column beside {target}")
    for other in tables.values():
        theirs = other.columns.column_names
        lacking = [name for name in features if name not in theirs]
        own = [name for name in theirs if name not in names]
        if lacking or own:
            said = f"lacks {first_few(lacking)} of" if lacking else f"has {first_few(own)} beside the columns of"
            raise DataError(f"{other.path} {said} {train.path.name}")
        _refuse_words(other, features, target)
    return features


def _refuse_words(table: Table, features: Sequence[str], target: str | None) -> None:
    words = [name for name in features if not _is_numeric(table.columns.column(name).type)]
    if words:
        them, hold = ("them", "columns hold") if len(words) > 1 else ("it", "column holds")
        remedy = f"take {them} out of the file" if target else f"{KEY} names a column of labels; take others out"
        raise DataError(f"{table.path}: {len(words):,} {hold} no numbers: {first_few(words)}; {remedy}")


def _is_numeric(kind: Any) -> bool:
    from pyarrow import types  # type: ignore[import-untyped]

    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    # A column without any value has no type.
    return bool(is_number or types.is_boolean(kind) or types.is_null(kind))


def features_of(table: Table, names: Sequence[str]) -> NDArray[np.float32]:
    """Return features of a table, NaN where a value is missing.

    Args:
        table: The table.
        names: Of the columns.

    Returns:
        Shape (N, D); truth values are 0 and 1.

    Raises:
        DataError: If values are infinite, or too large for 32 bits.
    """
    import pyarrow as pa

    values = np.empty((table.columns.num_rows, len(names)), np.float32)
    for place, name in enumerate(names):
        column = table.columns.column(name)
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.uint8())
        with np.errstate(over="ignore"):
            values[:, place] = column.cast(pa.float64(), safe=False).to_numpy()
    infinite = [name for place, name in enumerate(names) if np.isinf(values[:, place]).any()]
    if infinite:
        raise DataError(f"{table.path}: values are infinite or too large for 32 bits: {first_few(infinite)}")
    return values


def labels_of(tables: Tables, target: str) -> Labels:
    """Return the labels that a column holds.

    Args:
        tables: Of each split; one that lacks the column has no labels.
        target: The column: words, or whole numbers from 0 on; −1 or none is a label that is missing.

    Raises:
        DataError: If it holds anything else.
    """
    found = {
        split: (f"{table.path}: {target}", _column_of_labels(table, target))
        for split, table in tables.items()
        if _has_values(table, target)
    }
    if "train" not in found:
        raise DataError(f"{KEY}: {target} has no value in {tables['train'].path}")
    labels = places_of(found)
    unknown = {split: torch.full((table.columns.num_rows,), MISSING_LABEL) for split, table in tables.items()}
    notes = [f"{split} has no labels, as it has no {target}" for split in tables if split not in found]
    num_missing = sum(int((places == MISSING_LABEL).sum()) for places in labels.places.values())
    notes += [f"{num_missing:,} without a label"] if num_missing else []
    return labels._replace(places={**unknown, **labels.places}, notes=(*labels.notes, *notes))


def _has_values(table: Table, target: str) -> bool:
    is_there = target in table.columns.column_names
    return is_there and table.columns.column(target).null_count < table.columns.num_rows


def _column_of_labels(table: Table, target: str) -> NDArray[Any]:
    import pyarrow as pa

    column = table.columns.column(target)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return np.array(column.cast(pa.string()).fill_null("").to_pylist(), dtype=np.str_)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int64())
    elif pa.types.is_floating(kind):
        # pandas turns whole numbers to floating point where one is missing.
        values = column.cast(pa.float64()).to_numpy()
        broken = values[np.isfinite(values) & (values != np.trunc(values))]
        if len(broken) or np.isinf(values).any():
            given = f"{target} holds {broken[0]:g}" if len(broken) else f"{target} holds an infinite value"
            raise DataError(
                f"{KEY}: {given}, and labels are whole numbers or words; without {KEY} it is taken for a feature"
            )
        return np.where(np.isnan(values), MISSING_LABEL, values).astype(np.int64)
    elif not pa.types.is_integer(kind):
        raise DataError(f"{KEY}: {target} holds {kind}, and labels are whole numbers or words")
    return np.asarray(column.cast(pa.int64(), safe=False).fill_null(MISSING_LABEL).to_numpy())
