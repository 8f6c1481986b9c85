"""A NumPy archive."""

from __future__ import annotations

from pathlib import Path

from ae_lightning.data.arrays.npz import read_npz
from ae_lightning.data.source import Place, Source
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.splits import DataSet


class Npz(Source):
    """Images or vectors in arrays, an archive of them or a single one."""

    name = "npz"
    takes = frozenset({"path"})

    def called(self, settings: SourceSettings) -> str:
        """Return the file's name, without what says that it is an archive."""
        return Path(super().called(settings)).stem

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_npz(place.path, place.split_seed)
