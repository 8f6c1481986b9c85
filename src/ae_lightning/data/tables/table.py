"""Vectors in the rows of `.csv` and `.parquet` files, with labels if a column holds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ae_lightning.data.data_line import first_few
from ae_lightning.data.holding_out import TEST_SHARE, hold_out_test, told_of_test
from ae_lightning.data.memory import COPIES, require_memory
from ae_lightning.data.sample_keys import SampleKeys, keys_of_array
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.splits import DataSet, Split, SplitName
from ae_lightning.data.tables.columns import feature_names, features_of, labels_of
from ae_lightning.data.tables.files import Table, find_tables, read_file
from ae_lightning.errors import DataError

REMEDY = "data.missing: mean puts the mean of the train split there, drop leaves such rows out"


def read_table(path: Path, settings: SourceSettings, split_seed: int = 0) -> DataSet:
    """Read vectors from a table, or from one of each split.

    Args:
        path: A file, or a folder of files that are called after splits.
        settings: `target` is the column of labels, `missing` what becomes of missing values, `splits` names files.
        split_seed: Fixes which tenth is the test split, where there is none.

    Returns:
        Vectors of float32, of all columns but the target and an index that pandas wrote.

    Raises:
        ConfigError: If there is no such column.
        DataError: If a file is missing or damaged, or a column holds no numbers.
    """
    files = find_tables(path, settings.splits)
    tables = {split: read_file(file) for split, file in files.paths.items()}
    notes = [*files.notes, *dict.fromkeys(note for table in tables.values() for note in table.notes)]
    names = feature_names(tables, settings.target)
    num_values = sum(table.columns.num_rows for table in tables.values()) * len(names)
    require_memory(COPIES * num_values * 4, f"data.path: {num_values:,} values")
    values = {split: features_of(table, names) for split, table in tables.items()}
    notes += _told_of_columns(names, values["train"])
    labels = None if settings.target is None else labels_of(tables, settings.target)
    splits = {}
    for split, x in values.items():
        own = None if labels is None else labels.places[split]
        splits[split] = Split(torch.from_numpy(x), own, keys=_keys_of(tables[split], split, len(tables) > 1))
    if labels is not None:
        notes += labels.notes
    if settings.missing == "drop":
        splits = _without_missing(splits, notes)
    if "test" not in splits:
        splits["train"], splits["test"] = hold_out_test(splits["train"], TEST_SHARE, split_seed)
        notes.append(told_of_test())
    _fill(splits, names, tables, notes, with_mean=settings.missing == "mean")
    class_names = None if labels is None else labels.class_names
    return DataSet(
        splits["train"],
        splits["test"],
        class_names,
        val=splits.get("val"),
        notes=tuple(notes),
        feature_names=tuple(names),
    )


def _keys_of(table: Table, split: SplitName, is_divided: bool) -> SampleKeys:
    if table.keys is not None:
        return SampleKeys(tuple(table.keys), torch.arange(len(table.keys)))
    return keys_of_array(split if is_divided else table.path.name, table.columns.num_rows)


def _told_of_columns(names: list[str], x: NDArray[np.float32]) -> list[str]:
    notes = [f"features: {first_few(names)}"]
    counted = np.arange(len(x), dtype=np.float32)[:, None]
    numbering = ((x == counted) | (x == counted + 1)).all(axis=0) & (len(x) > 2)
    rows = [name for name, is_one in zip(names, numbering.tolist(), strict=True) if is_one]
    return [*notes, *([f"{first_few(rows)} numbers the rows, and is a feature"] if rows else [])]


def _without_missing(splits: Mapping[SplitName, Split], notes: list[str]) -> dict[SplitName, Split]:
    kept_rows = {split: (~one.x.isnan().any(dim=1)).nonzero().squeeze(1) for split, one in splits.items()}
    dropped = {split: len(one) - len(kept_rows[split]) for split, one in splits.items()}
    dropped = {split: num for split, num in dropped.items() if num}
    for split, one in kept_rows.items():
        if not len(one):
            raise DataError(f"data.missing: drop leaves no row of {split}")
    if dropped:
        where = ", ".join(f"{num:,} of {split}" for split, num in dropped.items())
        notes.append(f"left out: {where}, as values are missing")
    return {split: one.select(kept_rows[split]) for split, one in splits.items()}


def _fill(
    splits: Mapping[SplitName, Split],
    names: list[str],
    tables: Mapping[SplitName, Table],
    notes: list[str],
    *,
    with_mean: bool,
) -> None:
    """Put means in the place of missing values, in these tensors themselves, or refuse what is missing."""
    missing = {split: one.x.isnan() for split, one in splits.items()}
    by_column = torch.stack([one.sum(dim=0) for one in missing.values()]).sum(dim=0).tolist()
    columns = {name: num for name, num in zip(names, by_column, strict=True) if num}
    if not columns:
        return
    told = first_few([f"{name} ({num:,})" for name, num in columns.items()])
    num_missing = sum(columns.values())
    where = tables["train"].path if len(tables) == 1 else tables["train"].path.parent
    if not with_mean:
        raise DataError(f"{where}: {num_missing:,} values are missing: {told}; {REMEDY}")
    means = splits["train"].x.double().nanmean(dim=0)
    empty = [name for name, mean in zip(names, means.tolist(), strict=True) if np.isnan(mean)]
    if empty:
        raise DataError(f"{where}: no row to train on has a value of {first_few(empty)}, of which there is no mean")
    for split, one in splits.items():
        rows, places = missing[split].nonzero(as_tuple=True)
        one.x[rows, places] = means[places].float()
    notes.append(f"{num_missing:,} missing values are means of train: {told}")
