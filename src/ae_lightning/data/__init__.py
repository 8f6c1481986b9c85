"""Samples in, batches out: every source of them behind one data module."""

from ae_lightning.data.batch import Batch
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.loader import BatchLoader
from ae_lightning.data.sampling import BatchSampler
from ae_lightning.data.scaling import Scaler, Scaling
from ae_lightning.data.source import known_sources, load_data
from ae_lightning.data.splits import DataSet, Split

__all__ = [
    "Batch",
    "BatchLoader",
    "BatchSampler",
    "DataModule",
    "DataSet",
    "Scaler",
    "Scaling",
    "Split",
    "known_sources",
    "load_data",
]
