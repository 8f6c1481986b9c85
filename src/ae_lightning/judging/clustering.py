"""How well clusters, found in the codes without labels, agree with the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.centre import centre_of
from ae_lightning.judging.cluster_matching import match_classes
from ae_lightning.judging.convergence import unconverged_is_fine
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.labels import MISSING_LABEL

if TYPE_CHECKING:
    from sklearn.cluster import KMeans, MiniBatchKMeans

MAX_FULL_BATCH_CODES = 200_000
"""Training codes above which k-means goes through them in mini-batches."""

_KMEANS_STARTS = 10
_MINI_BATCH = 4_096
_MINI_BATCH_STARTS = 3


def cluster_accuracy(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    """Share of images right when clusters are matched one-to-one to classes in the best way.

    The match is the Hungarian method's (Kuhn 1955). Where clusters outnumber classes the images of those left
    over count as wrong, and where classes outnumber clusters so do the images of the classes left over.

    Args:
        labels: Class of each image, shape (N,).
        clusters: Cluster of each image, shape (N,), under any names.

    Returns:
        The accuracy in [0, 1].

    Raises:
        ValueError: If the shapes differ or there are no images.
    """
    if labels.shape != clusters.shape or len(labels) == 0:
        raise ValueError(f"{len(clusters)} clusters for {len(labels)} labels")
    return match_classes(labels, clusters).num_right / len(labels)


def cluster_agreement(name: str, labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> dict[str, float]:
    """Compare clusters with classes.

    Args:
        name: Begins the names of the metrics.
        labels: Class of each sample, shape (N,), none missing.
        clusters: Cluster of each sample, shape (N,), under any names.

    Returns:
        ``NAME_accuracy`` (see ``cluster_accuracy``) and ``NAME_nmi``, in [0, 1]; ``NAME_ari``, 0 for chance, 1 at best,
        and slightly negative below chance.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    return {
        f"{name}_accuracy": cluster_accuracy(labels, clusters),
        f"{name}_nmi": float(normalized_mutual_info_score(labels, clusters)),
        f"{name}_ari": float(adjusted_rand_score(labels, clusters)),
    }


def match_clusters(labels: NDArray[np.int64], clusters: NDArray[np.int64], num_clusters: int) -> NDArray[np.int64]:
    """Name the class that each cluster is matched to, one-to-one, as in ``cluster_accuracy``.

    Args:
        labels: Class of each image, shape (N,).
        clusters: Cluster of each image, shape (N,), from 0 to ``num_clusters`` − 1.
        num_clusters: Clusters there are, with or without images.

    Returns:
        A class for each cluster, shape (num_clusters,); −1 for one that is left over.
    """
    match = match_classes(labels, clusters)
    names = np.full(num_clusters, MISSING_LABEL, dtype=np.int64)
    names[match.clusters[match.columns]] = match.classes[match.rows]
    return names


def kmeans_clusters(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> NDArray[np.int64]:
    """Cluster the training codes by k-means and give each labelled code that is evaluated its cluster.

    k is the number of classes in the labels of both splits. Lloyd's algorithm runs from ten k-means++ starts
    (Arthur and Vassilvitskii 2007), the least inertia wins; above ``MAX_FULL_BATCH_CODES`` codes it runs in
    mini-batches of 4,096 (Sculley 2010).

    Args:
        train: Codes to cluster, with or without labels.
        evaluated: Labelled codes; unlabelled images are left out.
        seed: Fixes the starts.

    Returns:
        Clusters in the order of ``evaluated.labelled()``.

    Raises:
        ValueError: If ``evaluated`` has no labels.
    """
    codes, _ = evaluated.labelled()
    # scikit-learn moves what it fits, and not what it predicts.
    centre = centre_of(train.codes)
    with unconverged_is_fine():
        fitted = _kmeans(train, num_classes(train, evaluated), seed).fit(train.codes - centre)
    return np.asarray(fitted.predict(codes - centre), dtype=np.int64)


def num_classes(train: EncodedSplit, evaluated: EncodedSplit) -> int:
    """Count the classes in the labels of both splits together."""
    known = [split.labelled()[1] for split in (train, evaluated) if split.has_labels]
    return len(np.unique(np.concatenate(known))) if known else 0


def _kmeans(train: EncodedSplit, num_clusters: int, seed: int) -> KMeans | MiniBatchKMeans:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    num_clusters = min(num_clusters, len(train))
    if len(train) > MAX_FULL_BATCH_CODES:
        return MiniBatchKMeans(num_clusters, batch_size=_MINI_BATCH, n_init=_MINI_BATCH_STARTS, random_state=seed)
    return KMeans(num_clusters, n_init=_KMEANS_STARTS, random_state=seed)
