"""scikit-learn's digits."""

from __future__ import annotations

from ae_lightning.data.digits import read_digits
from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet


class Digits(Source):
    """1,797 digits of 8 × 8 pixels, which need no file."""

    name = "digits"

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_digits(place.split_seed)
