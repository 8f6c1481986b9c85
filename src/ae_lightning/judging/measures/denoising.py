"""How much of a corruption the bottleneck takes away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ae_lightning.judging.altered_images import CorruptedImages
from ae_lightning.judging.case import Case
from ae_lightning.judging.measure import Direction, Measure
from ae_lightning.judging.numpy_model import NumpyModel
from ae_lightning.judging.pixels import psnr


class DenoisingGain(Measure):
    """What reconstruction gains over the corrupted images."""

    name = "denoising"
    goal = "reconstruct"
    metrics: ClassVar[Mapping[str, Direction]] = {"denoising_psnr_gain": "higher"}
    needs = frozenset({"model", "corrupted images", "bounded values"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        assert case.corrupted is not None
        return {"denoising_psnr_gain": denoising_psnr_gain(case.corrupted, case.given_model)}


def denoising_psnr_gain(images: CorruptedImages, model: NumpyModel) -> float:
    """PSNR of the reconstructions of corrupted images minus that of the corrupted images themselves.

    Args:
        images: Clean and corrupted images.
        model: Restores the corrupted ones; where a loss fixes their pixels up to a factor alone, as `softmax` does, at
            the brightness of the clean ones, which noise must not change.

    Returns:
        The gain in dB, see ``psnr``; negative where the reconstruction is further from the clean image.
    """
    restored = model.restore(images.corrupted, images.labels, images.clean)
    return psnr(images.clean, restored) - psnr(images.clean, images.corrupted)
