"""A tree of image files."""

from __future__ import annotations

from ae_lightning.data.folder import read_folder
from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet


class Folder(Source):
    """Images below a folder, its subfolders their classes."""

    name = "folder"
    takes_path = True
    takes_size = True

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_folder(place.path, place.image_size, place.split_seed, place.on_error, place.follow_links)
