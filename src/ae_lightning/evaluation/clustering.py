"""How well clusters, found in the codes without labels, agree with the classes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from ae_lightning.evaluation.encoded import MISSING_LABEL, EncodedSplit
from ae_lightning.evaluation.gaussian import COVARIANCE_FLOOR, to_unit_variance

MAX_FULL_BATCH_CODES = 200_000
"""Training codes above which k-means goes through them in mini-batches."""

MAX_MIXTURE_CODES = 50_000
"""Training codes that the Gaussian mixture is fitted to; of larger sets a fixed random sample."""

_KMEANS_STARTS = 10
_MINI_BATCH = 4_096
_MINI_BATCH_STARTS = 3
# In nats per image: MNIST at 32 dimensions gets there in 10 to 20 rounds, and its accuracy stays where it is.
_MIXTURE_TOLERANCE = 1e-2
_MIXTURE_ROUNDS = 30


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
    (_, rows), (_, columns) = (np.unique(names, return_inverse=True) for names in (labels, clusters))
    counts = np.zeros((rows.max() + 1, columns.max() + 1), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    classes, matched = linear_sum_assignment(counts, maximize=True)
    return float(counts[classes, matched].sum() / len(labels))


def kmeans(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> dict[str, float]:
    """Cluster the training codes by k-means and compare the clusters of evaluated codes with their classes.

    k is the number of classes in the labels of both splits. Lloyd's algorithm runs from ten k-means++ starts
    (Arthur and Vassilvitskii 2007), the least inertia wins; above ``MAX_FULL_BATCH_CODES`` codes it runs in
    mini-batches of 4,096 (Sculley 2010).

    Args:
        train: Codes to cluster, with or without labels.
        evaluated: Labelled codes; unlabelled images are left out.
        seed: Fixes the starts.

    Returns:
        ``kmeans_accuracy`` (see ``cluster_accuracy``) and ``kmeans_nmi``, in [0, 1]; ``kmeans_ari``, 0 for
        chance, 1 at best, and slightly negative below chance.

    Raises:
        ValueError: If ``evaluated`` has no labels.
    """
    codes, labels = evaluated.labelled()
    with _unconverged_is_fine():
        clusters = _kmeans(train, _num_clusters(train, labels), seed).fit(train.codes).predict(codes)
    return {
        "kmeans_accuracy": cluster_accuracy(labels, clusters),
        "kmeans_nmi": float(normalized_mutual_info_score(labels, clusters)),
        "kmeans_ari": float(adjusted_rand_score(labels, clusters)),
    }


def gmm(train: EncodedSplit, evaluated: EncodedSplit, seed: int) -> dict[str, float]:
    """Fit a Gaussian mixture to the training codes and match its components to the classes.

    As many full-covariance components as classes, started from k-means; ``COVARIANCE_FLOOR`` of the codes'
    mean variance on every diagonal keeps collapsed dimensions from making a covariance singular. Expectation
    maximisation (Dempster, Laird and Rubin 1977) sees at most ``MAX_MIXTURE_CODES`` codes and stops at a gain
    below 0.01 nats per image, or after 30 rounds.

    Args:
        train: Codes to fit to, with or without labels.
        evaluated: Labelled codes, each given to its most probable component; unlabelled images are left out.
        seed: Fixes the sample and the start.

    Returns:
        ``gmm_accuracy`` in [0, 1], see ``cluster_accuracy``.

    Raises:
        ValueError: If ``evaluated`` has no labels.
    """
    codes, labels = evaluated.labelled()
    fitted, scaled = to_unit_variance(_sample(train.codes, MAX_MIXTURE_CODES, seed), codes)
    mixture = GaussianMixture(
        min(_num_clusters(train, labels), len(fitted)),
        covariance_type="full",
        tol=_MIXTURE_TOLERANCE,
        reg_covar=COVARIANCE_FLOOR,
        max_iter=_MIXTURE_ROUNDS,
        random_state=seed,
    )
    # Its products are too small to gain from threads, and where other processes want the same cores, as in a
    # sweep, threads that wait for one another take it from 4 to 20 seconds on MNIST.
    with _unconverged_is_fine(), threadpool_limits(1, user_api="blas"):
        clusters = mixture.fit(fitted).predict(scaled)
    return {"gmm_accuracy": cluster_accuracy(labels, clusters)}


def _kmeans(train: EncodedSplit, num_clusters: int, seed: int) -> KMeans | MiniBatchKMeans:
    num_clusters = min(num_clusters, len(train))
    if len(train) > MAX_FULL_BATCH_CODES:
        return MiniBatchKMeans(num_clusters, batch_size=_MINI_BATCH, n_init=_MINI_BATCH_STARTS, random_state=seed)
    return KMeans(num_clusters, n_init=_KMEANS_STARTS, random_state=seed)


def _num_clusters(train: EncodedSplit, labels: NDArray[np.int64]) -> int:
    known = labels if train.labels is None else np.concatenate([train.labels, labels])
    return len(np.unique(known[known != MISSING_LABEL]))


def _sample(codes: NDArray[np.float32], num: int, seed: int) -> NDArray[np.float32]:
    if len(codes) <= num:
        return codes
    return codes[np.random.default_rng(seed).choice(len(codes), num, replace=False)]


@contextmanager
def _unconverged_is_fine() -> Iterator[None]:
    """Keep scikit-learn from warning of fewer distinct codes than clusters, or of a stop at the last round.

    Collapsed codes are what a measure is there to show, and the rounds are bounded on purpose.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
