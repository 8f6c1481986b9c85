"""A tree of image files."""

from __future__ import annotations

from ae_lightning.data.image_folder.settings import OF_A_TREE, OF_FILES
from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet


class Folder(Source):
    """Images below a folder, whose subfolders are splits and classes."""

    name = "folder"
    takes = frozenset({"path"}) | OF_FILES | OF_A_TREE

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        # What describes kept images takes a tenth of a second to import.
        from ae_lightning.data.image_folder.folder import read_folder

        return read_folder(place.path, place.split_seed, place.settings, place.cache)
