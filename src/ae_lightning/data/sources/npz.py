"""A NumPy archive."""

from __future__ import annotations

from ae_lightning.data.npz import read_npz
from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet


class Npz(Source):
    """Images or vectors as arrays ``x_train`` and ``x_test``."""

    name = "npz"
    takes_path = True

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_npz(place.path)
