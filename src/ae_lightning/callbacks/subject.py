"""What pictures are made from: a model, encoded splits, and what several pictures share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.plots.projection import ProjectionName

if TYPE_CHECKING:
    from ae_lightning.evaluation.case import Case
    from ae_lightning.evaluation.coder import Coder
    from ae_lightning.evaluation.compression import Curve
    from ae_lightning.evaluation.encoded import EncodedSplit
    from ae_lightning.evaluation.mixture import CodeMixture
    from ae_lightning.plots.interpolations import Paths
    from ae_lightning.plots.plane import Plane
    from ae_lightning.plots.traversals import Traversals

NUM_COMPONENTS = 10
NUM_PATHS = 8
NUM_STEPS = 11
OFFSETS = np.linspace(-3, 3, 11)


@dataclass(frozen=True)
class Subject:
    """A trained model and what it makes of the data.

    Attributes:
        model: In eval mode.
        case: What its measures look at.
        class_names: Names of the data set's classes, if it has any.
        codecs: Rate and distortion by codec; empty where compression was not measured.
        projection: How codes of more than two dimensions are laid out in the plane.
        convolution: Which convolution of the encoder is shown, from 1; None for each picture's own choice.
    """

    model: Autoencoder
    case: Case
    class_names: tuple[str, ...] | None
    codecs: Mapping[str, Curve]
    projection: ProjectionName = "pca"
    convolution: int | None = None

    @property
    def evaluated(self) -> EncodedSplit:
        """The split that is judged."""
        return self.case.evaluated

    @property
    def coder(self) -> Coder:
        """The model as functions on arrays."""
        assert self.case.coder is not None
        return self.case.coder

    def decode(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the images of codes: from (…, d) to (…, C, H, W)."""
        images = self.coder.decode(codes.reshape(-1, codes.shape[-1]))
        return images.reshape(*codes.shape[:-1], *images.shape[1:])

    @cached_property
    def mixture(self) -> CodeMixture:
        """Gaussians fitted to the training codes: as many as classes, ten where there are none."""
        from ae_lightning.evaluation.clustering import num_classes
        from ae_lightning.evaluation.mixture import fit_mixture

        if num_classes(self.case.train, self.case.evaluated):
            return self.case.mixture
        return fit_mixture(self.case.train.codes, NUM_COMPONENTS, self.case.seed)

    @cached_property
    def plane(self) -> Plane:
        """The codes of the judged split in the plane."""
        from ae_lightning.plots.plane import to_plane

        return to_plane(self.evaluated.codes, self.projection)

    @cached_property
    def paths(self) -> Paths:
        """Straight lines between the codes of a few images."""
        from ae_lightning.plots.interpolations import Paths, choose_pairs, straight_lines

        split = self.evaluated
        starts, ends = choose_pairs(len(split), split.labels, NUM_PATHS, self.case.seed)
        codes = straight_lines(split.codes[starts], split.codes[ends], NUM_STEPS)
        names = list(zip(self._names(starts), self._names(ends), strict=True))
        return Paths(split.images[starts], split.images[ends], codes, self.decode(codes), names)

    @cached_property
    def traversals(self) -> Traversals:
        """The code nearest the mean, moved along one dimension at a time."""
        from ae_lightning.plots.traversals import Traversals, traversal_codes

        codes = self.evaluated.codes
        nearest = int(np.square(codes - codes.mean(axis=0)).sum(axis=1).argmin())
        dimensions, moved = traversal_codes(codes[nearest], codes, OFFSETS)
        own_class = "" if self.evaluated.labels is None else f" ({self._names(np.array([nearest]))[0]})"
        name = f"image {nearest}{own_class}"
        return Traversals(dimensions, OFFSETS, moved, self.decode(moved), name)

    def _names(self, rows: NDArray[np.int64]) -> list[str]:
        """What images of the judged split are called: their classes, or their numbers."""
        from ae_lightning.plots.style import names_of

        labels = self.evaluated.labels
        names = names_of(None if labels is None else labels[rows], self.class_names)
        return names or [f"image {row}" for row in rows]
