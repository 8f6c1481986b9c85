"""A table of numbers."""

from __future__ import annotations

from pathlib import Path

from ae_lightning.data.source import Place, Source
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.splits import DataSet
from ae_lightning.data.tables.files import SUFFIXES
from ae_lightning.data.tables.table import read_table


class Table(Source):
    """Vectors in the rows of `.csv` and `.parquet` files."""

    name = "table"
    takes = frozenset({"path", "splits", "target", "missing"})

    def called(self, settings: SourceSettings) -> str:
        """Return the file's name without its suffix, or the folder's."""
        name = Path(super().called(settings))
        return name.stem if name.suffix.lower() in SUFFIXES else name.name

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_table(place.path, place.settings, place.split_seed)
