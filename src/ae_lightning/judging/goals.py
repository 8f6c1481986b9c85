"""Which measures decide what an autoencoder is best for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ae_lightning.judging.measure import Goal

DECIDING: Mapping[Goal, tuple[str, ...]] = {
    "reconstruct": ("mse", "ssim", "denoising_psnr_gain"),
    "cluster": ("kmeans_accuracy", "gmm_accuracy", "model_clusters_accuracy"),
    "classify": ("linear_probe_accuracy", "knn_accuracy", "retrieval_map"),
    "generate": ("sample_frechet", "prior_swd"),
    "compress": ("compression_psnr",),
    "detect": ("novelty_auroc", "novelty_auroc_code", "overlay_pair_accuracy"),
}
"""Metrics of each goal that can be ranked by, the one that says most about it first.

A goal that no metric of this package serves alone (`other`) has none.
"""
