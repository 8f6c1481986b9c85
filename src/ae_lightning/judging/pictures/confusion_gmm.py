"""Which classes share a Gaussian of the mixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ae_lightning.judging.drawing.confusion import confusion
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ConfusionMixture(Picture):
    """Which classes share a Gaussian of the mixture."""

    name = "confusion_gmm"
    needs = frozenset({"labels"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        codes, labels = case.evaluated.labelled()
        title = "Classes by cluster of a Gaussian mixture, in per cent of the class"
        return confusion(labels, case.mixture.components(codes), case.class_names, title)
