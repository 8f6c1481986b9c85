"""Results side by side, whether MLflow has them or not."""

from __future__ import annotations

import pytest
from two_moons import TwoMoons

import ae_lightning as ael


@pytest.fixture
def untracked(small, faces, quick_fit):
    """A result that MLflow does not have, of other settings than the one that it has."""
    return quick_fit("vanilla", faces, latent_dim=2, network=ael.Linear(), tracking=False, seed=1)


def test_results_and_runs_are_set_side_by_side(small, untracked):
    result, workspace = small
    compared = ael.compare([result, untracked])
    by_variant = {row["variant"]: row for row in compared.rows}
    assert by_variant["VAE"]["mse"] == result.measures["mse"]
    assert by_variant["VanillaAE"]["mse"] == untracked.measures["mse"]
    assert by_variant["PCA"]["mse"] == pytest.approx(result.measures["pca_mse"])
    assert compared.to_frame().loc[by_variant["VAE"]["run"], "mse"] == result.measures["mse"]
    assert "Best to reconstruct" in compared._repr_markdown_() == repr(compared)
    (alone,) = [row for row in ael.compare([result.run_id], tracking_uri=workspace.uri).rows if row["run_ids"]]
    assert alone["run_ids"] == [result.run_id]
    of_experiment = ael.compare("arrays", tracking_uri=workspace.uri)
    assert [row["run_ids"] for row in of_experiment.rows] == [[result.run_id], []]


def test_a_training_that_is_named_twice_is_no_second_seed(small, untracked):
    result, workspace = small
    again = ael.load(untracked.checkpoint)
    given = [result, result.run_id, untracked, result, untracked, again, result.run_id]
    compared = ael.compare(given, tracking_uri=workspace.uri)
    assert {row["variant"]: len(row["run_ids"]) for row in compared.rows} == {"VAE": 1, "VanillaAE": 1, "PCA": 0}
    assert "±" not in repr(compared)
    assert len(ael.compare(iter(given), tracking_uri=workspace.uri).rows) == len(compared.rows)
    (row,) = [row for row in ael.compare([result.run_id] * 2, tracking_uri=workspace.uri).rows if row["run_ids"]]
    assert row["run_ids"] == [result.run_id]


@pytest.mark.parametrize("has_mlflow", [False, True], ids=["results", "ids"])
def test_other_samples_are_no_second_seed_and_judge_on_their_own(quick_fit, faces, has_mlflow):
    options = {"network": ael.Linear(), "latent_dim": 2}
    given = [(faces, 0), (faces.copy(), 1), (255 - faces // 8, 0)]
    results = [quick_fit("vanilla", x, seed=seed, tracking=has_mlflow, **options) for x, seed in given]
    compared = ael.compare([result.run_id for result in results] if has_mlflow else results)
    rows = [row for row in compared.rows if row["variant"] == "VanillaAE"]
    first, again, other = (result.measures["mse"] for result in results)
    assert [row["mse"] for row in rows] == pytest.approx([(first + again) / 2, other])
    assert len({row["run"] for row in rows}) == 2
    baselines = [row["mse"] for row in compared.rows if row["variant"] == "PCA"]
    assert baselines == pytest.approx([results[0].measures["pca_mse"], results[2].measures["pca_mse"]])
    again = ael.load(results[2].checkpoint, given[2][0])
    assert len(ael.compare([results[0], again]).rows) == 4


def test_modules_that_no_configuration_makes_are_told_apart_by_what_they_judge_on(quick_fit):
    given = [(0.1, 0), (0.1, 1), (0.6, 0)]
    results = [
        quick_fit(ael.VAE, TwoMoons(num_points=80, noise=noise), seed=seed, latent_dim=1, network=ael.Linear())
        for noise, seed in given
    ]
    for runs in (results, [result.run_id for result in results]):
        rows = [row for row in ael.compare(runs).rows if row["variant"] == "VAE"]
        assert [len(row["run_ids"]) for row in rows] == [2, 1]


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ("clusters", "goal: 'clusters' is not known; did you mean 'cluster'? Allowed: classify, cluster, compress, "),
        ("other", "goal: 'other' is not known; "),
        ("detect", "goal detect: no run has novelty_auroc, "),
    ],
)
def test_what_cannot_be_ranked_by_is_said(small, goal, said):
    with pytest.raises(ael.UserError) as raised:
        ael.compare([small[0]], goal=goal)
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([3], "runs: int is not taken; give results of ael.fit, or ids of runs"),
        ("nowhere", "compare: there is no sqlite:///mlflow.db yet; `fit` makes it"),
    ],
)
def test_what_cannot_be_compared_is_said(bare_workspace, runs, said):
    with pytest.raises(ael.UserError) as raised:
        ael.compare(runs)
    assert str(raised.value) == said
    assert list(bare_workspace.folder.iterdir()) == []
