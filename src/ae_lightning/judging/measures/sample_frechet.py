"""Whether drawn images look like real ones to a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import MANY_IMAGES, Case
from ae_lightning.judging.chunks import chunks, sample_rows
from ae_lightning.judging.measure import Direction, Measure
from ae_lightning.judging.numpy_model import Labels, Rows

MAX_COMPARED = 5_000
"""Images drawn, and real images, for a Fréchet distance at most."""


class SampleFrechet(Measure):
    """Fréchet distances between drawn images, of the sampler and of a mixture, and real ones.

    The estimate is biased: images of one distribution are apart all the same, the more so the fewer they are (Chong and
    Forsyth 2020). ``sample_frechet_floor`` is what real images give, as many of the train split as are drawn; below
    ``MIN_COMPARED`` images of a split nothing is compared.
    """

    name = "sample_frechet"
    goal = "generate"
    metrics: ClassVar[Mapping[str, Direction]] = {
        "sample_frechet": "lower",
        "sample_frechet_gmm": "lower",
        "sample_frechet_floor": "none",
    }
    needs = frozenset({"model", "images", "training labels", MANY_IMAGES})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        real, trained = (
            case.classifier_features(sample_rows(split.x, MAX_COMPARED, case.seed))
            for split in (case.evaluated, case.train)
        )
        num = len(trained)
        given = case.given_model.classes_in_turn(num)
        latents = {"sample_frechet": case.given_model.draw_samples(num, case.seed, given)}
        if "vector codes" in case.given:
            latents["sample_frechet_gmm"] = case.mixture.sample(num, case.seed)
        found = {name: frechet_distance(_decoded_features(case, drawn, given), real) for name, drawn in latents.items()}
        return found | {"sample_frechet_floor": frechet_distance(trained, real)}


def frechet_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Fréchet distance between the Gaussians of two sets of features (Dowson and Landau 1982; Heusel et al. 2017).

    ‖m₁ − m₂‖² + tr(S₁ + S₂ − 2 (S₁ S₂)^½). Singular covariances are no trouble: the trace of the root is that of
    the symmetric S₁^½ S₂ S₁^½, whose eigenvalues are not negative.

    Args:
        first: Shape (N, k), N ≥ 2.
        second: Shape (M, k), M ≥ 2.

    Returns:
        The distance, in squared units of the features, 0 at best.
    """
    (mean, covariance), (other_mean, other_covariance) = (_moments(features) for features in (first, second))
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ other_covariance @ root).clip(min=0)
    spread = np.trace(covariance) + np.trace(other_covariance) - 2 * np.sqrt(product).sum()
    return float(max(0.0, np.square(mean - other_mean).sum() + spread))


def _moments(features: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    features = features.astype(np.float64)
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def _decoded_features(case: Case, latents: Rows, given: Labels | None) -> NDArray[np.float32]:
    """Features of the images of latents, which are never held all together."""
    decode = case.given_model.decode
    pieces = chunks(len(latents), case.evaluated.x[0].size)
    decoded = (decode(latents[rows], None if given is None else given[rows]) for rows in pieces)
    return np.concatenate([case.classifier_features(images) for images in decoded])
