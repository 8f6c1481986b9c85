"""A NumPy archive."""

from __future__ import annotations

from ae_lightning.data.arrays.npz import read_npz
from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet


class Npz(Source):
    """Images or vectors in arrays, an archive of them or a single one."""

    name = "npz"
    takes_path = True

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_npz(place.path, place.split_seed)
