"""Images in, batches out: every source of images behind one data module."""

from ae_lightning.data.batch import Batch
from ae_lightning.data.datamodule import ImageDataModule
from ae_lightning.data.loader import BatchLoader
from ae_lightning.data.sampling import BatchSampler
from ae_lightning.data.scaling import Scaling, scale, scale_image_max, scale_unit
from ae_lightning.data.sources import SOURCES, load_images
from ae_lightning.data.splits import ImageSet, ImageSplit

__all__ = [
    "SOURCES",
    "Batch",
    "BatchLoader",
    "BatchSampler",
    "ImageDataModule",
    "ImageSet",
    "ImageSplit",
    "Scaling",
    "load_images",
    "scale",
    "scale_image_max",
    "scale_unit",
]
