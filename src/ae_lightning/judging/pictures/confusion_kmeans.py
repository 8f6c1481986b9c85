"""Which classes share a cluster of k-means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ae_lightning.judging.drawing.confusion import confusion
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ConfusionKMeans(Picture):
    """Which classes share a cluster of k-means."""

    name = "confusion_kmeans"
    needs = frozenset({"labels"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        _, labels = case.evaluated.labelled()
        title = "Classes by cluster of k-means, in per cent of the class"
        return confusion(labels, case.case.kmeans_clusters, case.class_names, title)
