"""What pictures are made from: a model, encoded splits, and what several pictures share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.callbacks.encoding import CHUNK_SIZE
from ae_lightning.evaluation.encoded import EncodedSplit
from ae_lightning.plots.projection import ProjectionName

if TYPE_CHECKING:
    from ae_lightning.plots.interpolations import Paths
    from ae_lightning.plots.plane import Plane
    from ae_lightning.plots.traversals import Traversals

NUM_PATHS = 8
NUM_STEPS = 11
OFFSETS = np.linspace(-3, 3, 11)


@dataclass(frozen=True)
class Subject:
    """A trained model and what it makes of the data.

    Attributes:
        model: In eval mode.
        train: The training split, encoded, without reconstructions.
        evaluated: The split that is judged, encoded.
        class_names: Names of the data set's classes, if it has any.
        seed: Fixes what is drawn.
        projection: How codes of more than two dimensions are laid out in the plane.
        convolution: Which convolution of the encoder is shown, from 1; None for each picture's own choice.
    """

    model: Autoencoder
    train: EncodedSplit
    evaluated: EncodedSplit
    class_names: tuple[str, ...] | None
    seed: int
    projection: ProjectionName = "pca"
    convolution: int | None = None

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean codes of images: from (N, C, H, W) to (N, d)."""
        return self._in_chunks(self.model.encode, images)

    def decode(self, codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the images of codes: from (…, d) to (…, C, H, W)."""
        images = self._in_chunks(self.model.decode, codes.reshape(-1, codes.shape[-1]))
        return images.reshape(*codes.shape[:-1], *images.shape[1:])

    def restore(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the reconstructions of images, of the same shape."""
        return self._in_chunks(self.model.reconstruct, images)

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
        starts, ends = choose_pairs(len(split), split.labels, NUM_PATHS, self.seed)
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

    @torch.no_grad()
    def _in_chunks(self, function: Callable[[Tensor], Tensor], rows: NDArray[np.float32]) -> NDArray[np.float32]:
        chunks = torch.split(torch.from_numpy(rows), CHUNK_SIZE)
        results = [function(chunk.to(self.model.device)).float().cpu().numpy() for chunk in chunks]
        return np.concatenate(results)
