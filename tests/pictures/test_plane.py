"""Codes in the plane: principal components against scikit-learn, and UMAP against what it must keep together."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from ae_lightning.errors import ConfigError
from ae_lightning.judging.drawing.plane import PrincipalPlane, groups_of, to_plane
from ae_lightning.judging.drawing.projection import require_projection


def clusters(num: int, latent_dim: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(num) % 4
    return (10 * np.eye(4, latent_dim)[labels] + rng.normal(size=(num, latent_dim))).astype(np.float32), labels


def test_a_principal_plane_is_affine_and_sees_other_codes() -> None:
    codes, _ = clusters(200, 6)
    plane, reference = PrincipalPlane.of(codes[:100]), PCA(2).fit(codes[:100])
    np.testing.assert_allclose(np.abs(plane.project(codes[100:])), np.abs(reference.transform(codes[100:])), atol=1e-4)
    middle = plane.project((codes[:1] + codes[1:2]) / 2)
    np.testing.assert_allclose(middle, (plane.project(codes[:1]) + plane.project(codes[1:2])) / 2, atol=1e-5)


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_a_plane_is_left_as_it_is(latent_dim: int) -> None:
    codes, _ = clusters(50, latent_dim)
    for projection in ("pca", "umap"):
        np.testing.assert_allclose(to_plane(codes, projection).points, codes, rtol=1e-6)


@pytest.mark.slow  # it compiles first
@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="umap-learn is not installed")
def test_umap_keeps_clusters_together_and_repeats_itself() -> None:
    codes, labels = clusters(120, 8)
    plane = to_plane(codes, "umap")
    assert plane.points.shape == (120, 2)
    assert plane.names == ("UMAP 1", "UMAP 2")
    assert silhouette_score(plane.points, labels) > 0.7
    np.testing.assert_array_equal(plane.points, to_plane(codes, "umap").points)


def test_too_few_codes_for_umap_are_laid_out_by_pca() -> None:
    assert to_plane(clusters(5, 8)[0], "umap").names[0].startswith("PC 1")


def test_umap_is_refused_where_it_is_missing(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert require_projection("pca") == "pca"
    with pytest.raises(ConfigError, match=r"evaluation\.projection: umap needs .* pip install 'ae_lightning\[umap\]'"):
        require_projection("umap")


def test_points_are_divided_by_class() -> None:
    plane = to_plane(clusters(8, 2)[0])
    groups = groups_of(plane, np.array([1, 0, -1, 1, 0, -1, 1, 12]), ["cat", "dog"])
    assert [group.name for group in groups] == ["unlabelled", "cat", "dog", "12"]
    assert [group.rows.tolist() for group in groups] == [[2, 5], [1, 4], [0, 3, 6], [7]]
    assert len({(group.colour, group.marker) for group in groups}) == 4
