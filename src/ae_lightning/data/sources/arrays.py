"""Arrays that a Python program gave."""

from __future__ import annotations

from ae_lightning.data.arrays.given import given_arrays
from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet


class Arrays(Source):
    """Images or vectors as `ael.fit` was given them; the command line knows them from such a run's checkpoint alone."""

    name = "arrays"

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return given_arrays().divided(place.split_seed)
