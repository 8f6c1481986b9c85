"""Whether the code of two images laid over each other shows both classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.case import Case
from ae_lightning.judging.clustering import match_clusters
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.measure import Direction, Measure
from ae_lightning.judging.mixture import CodeMixture
from ae_lightning.labels import MISSING_LABEL


class OverlayAccuracy(Measure):
    """Whether the codes of overlaid images show both classes."""

    name = "overlay"
    goal = "detect"
    metrics: ClassVar[Mapping[str, Direction]] = {"overlay_pair_accuracy": "higher", "overlay_one_accuracy": "higher"}
    needs = frozenset({"model", "labels", "overlaid images"})

    def compute(self, case: Case) -> dict[str, float]:
        """See ``Measure.compute``."""
        assert case.overlaid is not None
        # Which of the two classes an image is of, nobody can say.
        unknown = np.full(len(case.overlaid.images), MISSING_LABEL)
        codes = case.given_model.encode(case.overlaid.images, unknown)
        return overlay_accuracies(case.mixture, case.evaluated, codes, case.overlaid.labels)


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
