"""Everything that a picture may look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.clustering import num_classes
from ae_lightning.judging.drawing.plane import Plane, to_plane
from ae_lightning.judging.drawing.projection import ProjectionName
from ae_lightning.judging.drawing.style import names_of
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Curve
from ae_lightning.judging.mixture import CodeMixture, fit_mixture
from ae_lightning.judging.numpy_model import NumpyModel, Rows
from ae_lightning.labels import MISSING_LABEL

NUM_COMPONENTS = 10


@dataclass(frozen=True)
class Corruption:
    """What damages images.

    Attributes:
        description: What it is called in a title.
        apply: From images (N, C, H, W) in [0, 1] and a seed to damaged ones.
    """

    description: str
    apply: Callable[[Rows, int], Rows]


@dataclass(frozen=True)
class NumpyConvolution:
    """One convolution of an encoder, as functions on arrays.

    Attributes:
        kernels: Shape (F, C, k, k).
        peaks: From images (N, C, H, W) to the strongest activation of each filter in each, shape (N, F).
        project_back: From images and the number of a filter to what it sees in them, of the shape of the images.
    """

    kernels: NDArray[np.float32]
    peaks: Callable[[Rows], Rows]
    project_back: Callable[[Rows, int], Rows]


@dataclass(frozen=True)
class PictureCase:
    """A trained model and what it makes of the data.

    Attributes:
        case: What its measures look at.
        model_name: What the model is called.
        corruption: The model's own, or the one that all others are tried with.
        convolutions: Gives those of the encoder, the one next to the image first; none for many a network.
        class_names: Names of the data set's classes, if it has any.
        codecs: Rate and distortion by codec; empty where compression was not measured.
        pca: Gives PCA, as many numbers to a code; None where nothing stands beside the model.
        projection: How codes of more than two dimensions are laid out in the plane.
        convolution: Which convolution of the encoder is shown, from 1; None for each picture's own choice.
        key_of: Gives what a sample of the judged split is called at its source, as the path of its file; None where
            that is not known.
        feature_names: What each value of a vector is called; None where they have no names.
    """

    case: Case
    model_name: str
    corruption: Corruption
    convolutions: Callable[[], Sequence[NumpyConvolution]]
    class_names: tuple[str, ...] | None
    codecs: Mapping[str, Curve]
    pca: Callable[[], NumpyModel] | None = None
    projection: ProjectionName = "pca"
    convolution: int | None = None
    key_of: Callable[[int], str] | None = None
    feature_names: Sequence[str] | None = None

    @property
    def evaluated(self) -> EncodedSplit:
        """The split that is judged."""
        return self.case.evaluated

    @property
    def seed(self) -> int:
        """Fixes whatever is drawn."""
        return self.case.seed

    @property
    def model(self) -> NumpyModel:
        """The model as functions on arrays."""
        return self.case.given_model

    def decode(self, codes: NDArray[np.float32], given: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return the images of codes: from (…, d) to (…, C, H, W).

        Args:
            codes: Shape (…, d).
            given: Classes, for a model that is given them: shape (…), or what can be broadcast to it.
        """
        known = None if given is None else np.broadcast_to(given, codes.shape[:-1]).reshape(-1)
        images = self.model.decode(codes.reshape(-1, codes.shape[-1]), known)
        return images.reshape(*codes.shape[:-1], *images.shape[1:])

    def classes_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return the classes of images of the judged split, for a model that is given them; None for any other."""
        if not self.model.num_given:
            return None
        labels = self.evaluated.labels
        return np.full(len(rows), MISSING_LABEL) if labels is None else labels[rows]

    @cached_property
    def mixture(self) -> CodeMixture:
        """Gaussians fitted to the training codes: as many as classes, ten where there are none."""
        if num_classes(self.case.train, self.case.evaluated):
            return self.case.mixture
        return fit_mixture(self.case.train.codes, NUM_COMPONENTS, self.seed)

    @cached_property
    def plane(self) -> Plane:
        """The codes of the judged split in the plane."""
        return to_plane(self.evaluated.codes, self.projection)

    def names_of_images(self, rows: NDArray[np.int64]) -> list[str]:
        """Say what images of the judged split are called: their classes, or their numbers."""
        labels = self.evaluated.labels
        names = names_of(None if labels is None else labels[rows], self.class_names)
        return names or [f"image {row}" for row in rows]
