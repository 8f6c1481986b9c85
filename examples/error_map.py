"""A picture of one's own: where in the image reconstructions fail.

    python -m ae_lightning fit --model VAE --evaluation.pictures '[reconstructions, error_map.ErrorMap]'

with this file's folder on PYTHONPATH. It is logged as `plots/error_map.png`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ae_lightning.judging.drawing.style import LABEL_SIZE, new_figure
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ErrorMap(Picture):
    """The mean squared error at each place of the image, over the split and its channels."""

    name = "error_map"
    cost = "cheap"
    needs = frozenset({"reconstructions", "images"})

    def draw(self, case: PictureCase) -> Figure:
        """Draw it with a scale."""
        images, reconstructions = case.case.pixels
        errors = ((images - reconstructions) ** 2).mean(axis=(0, 1))
        figure = new_figure(5.5, 5.0, "Where reconstructions fail")
        axes = figure.subplots()
        shown = axes.imshow(errors, cmap="magma", vmin=0)
        axes.set_axis_off()
        figure.colorbar(shown, ax=axes).set_label("mean squared error of a pixel", fontsize=LABEL_SIZE)
        return figure
