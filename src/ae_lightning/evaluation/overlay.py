"""Whether the code of two images laid over each other shows both classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ae_lightning.evaluation.clustering import match_clusters
from ae_lightning.evaluation.encoded import EncodedSplit
from ae_lightning.evaluation.mixture import CodeMixture

MAX_OVERLAID = 10_000
"""Images that are overlaid; of larger splits a fixed random sample."""


@dataclass(frozen=True)
class OverlaidImages:
    """Images that each show two images of different classes, their pixelwise maximum.

    Attributes:
        images: Shape (N, C, H, W), in [0, 1].
        labels: The two classes of each, shape (N, 2), int64.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def overlay_accuracies(
    mixture: CodeMixture, evaluated: EncodedSplit, codes: NDArray[np.float32], pairs: NDArray[np.int64]
) -> dict[str, float]:
    """Compare the two classes of overlaid images with the mixture's two highest responsibilities.

    Components are matched to classes as in ``gmm_accuracy``, on the evaluated split as it is. Of k equally frequent
    classes, chance gives 2 / (k (k − 1)) of the pairs and 2 / k of the single classes.

    Args:
        mixture: As many components as classes, fitted to training codes without labels.
        evaluated: Labelled codes of single images.
        codes: Codes of the overlaid images, shape (N, d).
        pairs: Their two different classes, shape (N, 2).

    Returns:
        ``overlay_pair_accuracy``, the share of images whose two strongest components are the two classes, and
        ``overlay_one_accuracy``, that of images whose strongest component is one of them; both in [0, 1].

    Raises:
        ValueError: If ``evaluated`` has no labels.
    """
    single, labels = evaluated.labelled()
    names = match_clusters(labels, mixture.components(single), mixture.num_components)
    strongest = np.argsort(-mixture.log_responsibilities(codes), axis=1)[:, :2]
    named = names[strongest]
    return {
        "overlay_pair_accuracy": float((np.sort(named, axis=1) == np.sort(pairs, axis=1)).all(axis=1).mean()),
        "overlay_one_accuracy": float((named[:, :1] == pairs).any(axis=1).mean()),
    }
