"""Which files of a folder are tables, and what one holds: columns by name, without the index that pandas writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ae_lightning.data.data_line import first_few
from ae_lightning.data.split_names import parts_of, split_by_names, told_of_splits
from ae_lightning.data.splits import SPLITS, SplitName
from ae_lightning.errors import DataError, first_line

SUFFIXES = (".csv", ".parquet")
BY_HAND = "data.splits: {train: FILE, test: FILE} names them"

UNNAMED = ("", "Unnamed: 0")
"""What pandas calls the first column of a table whose index was written, and after it was read once more."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


class TableFiles(NamedTuple):
    """The tables of a data set.

    Attributes:
        paths: Of each split; `train` alone where they are in one piece.
        notes: How the folder was understood.
    """

    paths: dict[SplitName, Path]
    notes: list[str]


class Table(NamedTuple):
    """A table in memory.

    Attributes:
        path: Where it is from.
        columns: As `pyarrow.Table` has them, without an index.
        keys: What its rows are called; None where they are numbered.
        notes: What was taken for what.
    """

    path: Path
    columns: Any
    keys: list[str] | None
    notes: list[str]


def find_tables(path: Path, splits: Mapping[SplitName, str] | None) -> TableFiles:
    """Find the table of each split.

    Args:
        path: A table, or a folder of some that are called after splits.
        splits: Names of the files in the folder; None where they say what they are.

    Raises:
        DataError: If there are none, or what they are cannot be told.
    """
    if splits is not None:
        named = {split: path / splits[split] for split in SPLITS if split in splits}
        for split, file in named.items():
            if not file.is_file():
                raise DataError(f"data.splits: {split}: there is no file {file}")
        return TableFiles(named, told_of_splits({split: file.name for split, file in named.items()}))
    if path.is_file():
        return TableFiles({"train": path}, [])
    if not path.is_dir():
        raise DataError(f"data.path: there is no file or folder {path}")
    tables = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES and not one.name.startswith("."))
    if not tables:
        raise DataError(f"data.path: there is no {' or '.join(SUFFIXES)} file in {path}")
    if len(tables) == 1:
        return TableFiles({"train": tables[0]}, [f"read from {tables[0].name}"])
    return _named_after_splits(path, tables)


def _named_after_splits(path: Path, tables: list[Path]) -> TableFiles:
    parts = parts_of(one.stem for one in tables)
    if parts is None:
        names = first_few([one.name for one in tables])
        raise DataError(f"data.path: {path} has {names}, which are not all called after splits; {BY_HAND}")
    named = split_by_names({one.name: parts[one.stem] for one in tables}, f"data.path: {path}", BY_HAND)
    left_out = [one.name for one in tables if one.name not in named.values()]
    return TableFiles({split: path / name for split, name in named.items()}, told_of_splits(named, left_out))


def read_file(path: Path) -> Table:
    """Read a table.

    Raises:
        DataError: If it is damaged, of another kind, or its columns cannot be told from each other.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"data.path: {path} is neither {' nor '.join(SUFFIXES)}")
    try:
        table, notes = _read_csv(path) if suffix == ".csv" else (_read_parquet(path), [])
    except DataError:
        raise
    except (OSError, ValueError) as error:  # what pyarrow raises is one of them
        raise DataError(f"{path} cannot be read as {suffix}: {first_line(error)}") from error
    names = table.column_names
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise DataError(f"{path}: several columns are called {first_few([repr(name) for name in repeated])}")
    if not table.num_rows:
        raise DataError(f"{path} has no rows")
    index = _index_of(table)
    if index is None:
        return Table(path, table, None, notes)
    keys = [str(key) for key in table.column(index).to_pylist()]
    is_counted = keys == list(map(str, range(len(keys))))
    what = f"the index ({'its first column, which has no name' if index in UNNAMED else index})"
    notes.append(f"left out: {what}{'' if is_counted else ', by which rows are called'}")
    return Table(path, table.drop_columns([index]), None if is_counted else keys, notes)


def _read_csv(path: Path) -> tuple[Any, list[str]]:
    from pyarrow import csv  # type: ignore[import-untyped]

    with path.open(encoding="utf-8-sig") as file:
        head = file.readline().rstrip("\r\n")
    separator = "," if "," in head else max(SEPARATORS, key=head.count)
    names = [name.strip().strip('"') for name in head.split(separator)]
    if _are_values(names):
        raise DataError(f"{path} begins with numbers, where the names of its columns should be")
    options = csv.ConvertOptions(strings_can_be_null=True)
    parse = csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    table = csv.read_csv(path, parse_options=parse, convert_options=options)
    return table, [f"separated by {SEPARATORS[separator]}"] if separator != "," else []


def _are_values(names: list[str]) -> bool:
    """Whether a first line is no line of names: numbers, and not those that count columns."""
    try:
        numbers = [float(name) for name in names if name]
    except ValueError:
        return False
    first = numbers[0] if numbers else 0.0
    return first not in (0.0, 1.0) or numbers != [first + place for place in range(len(numbers))]


def _read_parquet(path: Path) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(path).read()


def _index_of(table: Any) -> str | None:
    """Return the column that is pandas' index; None where there is none."""
    if table.column_names[0] in UNNAMED:
        return str(table.column_names[0])
    written = (table.schema.pandas_metadata or {}).get("index_columns", [])
    # An index that counts is no column: its first and last number are written.
    names = [one for one in written if isinstance(one, str) and one in table.column_names]
    return names[0] if names else None
