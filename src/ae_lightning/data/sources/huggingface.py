"""A data set of Hugging Face's."""

from __future__ import annotations

from ae_lightning.data.huggingface_sets import check_huggingface, read_huggingface
from ae_lightning.data.image_folder.settings import OF_FILES
from ae_lightning.data.source import Place, Source
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.splits import DataSet


class HuggingFace(Source):
    """Images that `datasets` loads: saved to disk, from Parquet files, or from the hub."""

    name = "huggingface"
    takes = frozenset({"path", "splits", "dataset_options", "image_column", "label_column"}) | OF_FILES

    def check(self, settings: SourceSettings) -> None:
        """See ``Source.check``."""
        check_huggingface(settings)

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_huggingface(place)
