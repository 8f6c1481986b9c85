"""Rate and distortion: the autoencoder as a lossy codec beside others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ae_lightning.judging.drawing.style import LABEL_SIZE, MARKERS, PALETTE, SMALL_SIZE, new_figure
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = Mapping[str, Sequence[float]]
"""Columns `bits_per_pixel` and `psnr`, in dB, of equal length."""

_CODECS = {
    "autoencoder": "autoencoder",
    "pca": "PCA",
    "jpeg": "JPEG, an image a file",
    "jpeg_mosaic": "JPEG, one mosaic",
    "webp": "WebP, an image a file",
    "webp_mosaic": "WebP, one mosaic",
}


class CompressionCurves(Picture):
    """The codecs' rate and distortion, where compression was measured."""

    name = "compression"
    needs = frozenset({"images"})

    def draw(self, case: PictureCase) -> Figure | None:
        """See ``Picture.draw``."""
        if not case.codecs:
            return None
        curves = {_CODECS[name]: curve for name, curve in case.codecs.items()}
        return compression(curves, f"Compression: {case.model_name} beside other codecs")


def compression(curves: Mapping[str, Curve], title: str = "Compression") -> Figure:
    """Show the PSNR that each codec reaches at its bits per pixel.

    Args:
        curves: By the codec's name, such as `VAE`, `PCA`, `JPEG`, `WebP`, at most ten; the first is drawn boldest.
        title: Title of the figure.

    Returns:
        A figure of one axes, the rate on a logarithmic scale: up and to the left is better.

    Raises:
        ValueError: If a curve has no points, a rate that is not positive, or a PSNR for another number of rates.
    """
    from matplotlib.ticker import FuncFormatter

    figure = new_figure(7.5, 5.5, title)
    axes = figure.subplots()
    for number, (name, curve) in enumerate(curves.items()):
        rates, decibels = curve["bits_per_pixel"], curve["psnr"]
        if len(rates) != len(decibels) or not rates or min(rates) <= 0:
            raise ValueError(f"{name}: rates {rates} and PSNR {decibels}; equally many are needed, rates above 0")
        axes.plot(
            rates,
            decibels,
            marker=MARKERS[number % len(MARKERS)],
            color=PALETTE[number],
            linewidth=2.6 if number == 0 else 1.5,
            label=name,
        )
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:.3g}"))
    axes.set_xlabel("bits per pixel", fontsize=LABEL_SIZE)
    axes.set_ylabel("PSNR (dB)", fontsize=LABEL_SIZE)
    axes.tick_params(labelsize=SMALL_SIZE)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=LABEL_SIZE)
    return figure
