"""Classes matched to clusters, against every other way to match them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics.cluster import contingency_matrix

from ae_lightning.judging.cluster_matching import match_classes


@pytest.mark.parametrize(("num_classes", "num_clusters"), [(4, 4), (3, 5), (5, 3)])
def test_no_other_match_has_more_images_right(num_classes: int, num_clusters: int) -> None:
    rng = np.random.default_rng(num_clusters)
    labels, clusters = rng.integers(0, num_classes, 90), 7 * rng.integers(0, num_clusters, 90)
    match = match_classes(labels, clusters)
    np.testing.assert_array_equal(match.counts, contingency_matrix(labels, clusters))
    wide = match.counts if num_classes <= num_clusters else match.counts.T
    others = permutations(range(wide.shape[1]), len(wide))
    assert match.num_right == max(sum(wide[row, column] for row, column in enumerate(way)) for way in others)
    right = dict(zip(match.classes[match.rows], match.clusters[match.columns], strict=True))
    assert match.num_right == sum(right.get(label) == cluster for label, cluster in zip(labels, clusters, strict=True))
