"""Digits on disk, in blocks and windows so small that an epoch goes through many."""

from __future__ import annotations

from ae_lightning.data import DataModule
from ae_lightning.data.store.conversion import convert
from ae_lightning.data.store.writing import Sizes

SIZES = Sizes(block=32, window=5)


def store(folder, sizes=SIZES, **settings):
    """Convert a data set, by default scikit-learn's digits; return the data module of what was written."""
    folder.mkdir()
    convert(DataModule(**settings), folder, sizes)
    return DataModule("stream", path=str(folder))
