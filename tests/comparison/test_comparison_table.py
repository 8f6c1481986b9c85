"""Rows, columns and the best of a comparison, on runs made by hand."""

from __future__ import annotations

import re

import pytest
from handmade_runs import measured, tracked

from ae_lightning.comparison.markdown import to_markdown
from ae_lightning.comparison.report import Illustrations, to_html
from ae_lightning.comparison.table import compare_runs
from ae_lightning.errors import ConfigError


def best_in(comparison, measure):
    return [row.label for contest in comparison.contests(by_latent_dim=True) for row in contest.winners(measure)]


def row_of(comparison, label):
    (found,) = [row for row in comparison.rows if row.label == label]
    return found


def test_seeds_share_a_row_with_mean_and_sample_deviation():
    runs = [
        tracked("VAE", measured(mse, 0.5), seed_everything=seed) for mse, seed in [(0.1, "0"), (0.2, "1"), (0.3, "2")]
    ]
    row = row_of(compare_runs(runs), "VAE-2")
    assert len(row.runs) == 3
    assert row.values["mse"].mean == pytest.approx(0.2)
    assert row.values["mse"].spread == pytest.approx(0.1)
    assert str(row.values["mse"]) == "0.2000 ± 0.1000"


def test_a_single_seed_has_no_spread():
    assert str(row_of(compare_runs([tracked("VAE", measured(0.1, 0.5))]), "VAE-2").values["mse"]) == "0.1000"


def test_rows_are_told_apart_by_the_settings_that_differ():
    runs = [
        tracked("VAE", measured(0.1, 0.5), model__beta="1.0", model__network__filters="[32, 64]"),
        tracked("VAE", measured(0.1, 0.5), model__beta="4.0", model__network__filters="[32, 64]"),
        tracked("VanillaAE", measured(0.1, 0.5), model__network__filters="[32, 64]"),
    ]
    comparison = compare_runs(runs)
    assert comparison.setting_names() == ["model.beta"]
    assert {row.label for row in comparison.rows} == {"VAE-2, beta 1.0", "VAE-2, beta 4.0", "VanillaAE-2", "PCA-2"}


def test_long_numbers_are_shortened_and_rows_that_look_alike_then_are_numbered():
    betas = ("0.08163265306122448", "0.08163265306122449", "0.25")
    runs = [tracked("VAE", measured(0.1, 0.5), model__beta=beta) for beta in betas]
    labels = [row.label for row in compare_runs(runs).rows]
    assert labels == ["VAE-2, beta 0.0816327", "VAE-2, beta 0.0816327 (2)", "VAE-2, beta 0.25", "PCA-2"]


def test_settings_that_end_alike_are_told_by_their_whole_keys():
    runs = [
        tracked(
            "AdversarialAE",
            measured(0.1, 0.5),
            model__beta=beta,
            model__optimizer__lr=lr,
            model__discriminator_optimizer__lr=other,
        )
        for beta, lr, other in [("1.0", "0.1", "0.2"), ("2.0", "0.2", "0.1")]
    ]
    assert [row.label for row in compare_runs(runs).rows] == [
        "AdversarialAE-2, beta 1.0, model.discriminator_optimizer.lr 0.2, model.optimizer.lr 0.1",
        "AdversarialAE-2, beta 2.0, model.discriminator_optimizer.lr 0.1, model.optimizer.lr 0.2",
        "PCA-2",
    ]


def test_names_of_runs_and_loggers_make_no_rows_distinct():
    runs = [
        tracked(
            "VAE",
            measured(mse, 0.5),
            seed_everything=seed,
            trainer__logger__run_name=f"seed {seed}",
            checkpoint__directory=f"checkpoints/{seed}",
            keep_memory=str(seed == "0"),
        )
        for mse, seed in [(0.1, "0"), (0.2, "1"), (0.3, "2")]
    ]
    comparison = compare_runs(runs)
    assert [row.label for row in comparison.rows] == ["VAE-2", "PCA-2"]
    assert row_of(comparison, "VAE-2").values["mse"].mean == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("compile", "False"),
        ("num_skipped_images", "0"),
        ("data__on_error", "raise"),
        ("model__beta", "auto"),
        ("model__scheduler_interval", "epoch"),
        ("model__network__activate_dense", "False"),
        ("checkpoint__mode", "min"),
    ],
)
def test_runs_of_before_a_setting_did_what_its_default_does(key, default):
    base = {"model__network": "Conv", "model__network__stride": "2"}
    runs = [
        tracked("VAE", measured(0.1, 0.5), **base),
        tracked("VAE", measured(0.3, 0.5), **base, seed_everything="1", **{key: default}),
        tracked("VAE", measured(0.5, 0.5), **base, **{key: "another"}),
    ]
    name = key.rsplit("__", 1)[-1]
    before, after = (row for row in compare_runs(runs).rows if row.variant == "VAE")
    assert (before.label, after.label) == (f"VAE-2, {name} {default}", f"VAE-2, {name} another")
    assert before.values["mse"].mean == pytest.approx(0.2)


def test_what_only_some_runs_say_of_a_class_of_ones_own_tells_them_apart():
    """But not runs whose settings belong to classes that differ."""
    runs = [
        tracked("VAE", measured(0.1, 0.5), model__network="mine.Own"),
        tracked("VAE", measured(0.1, 0.5), model__network="mine.Own", model__network__width="3"),
        tracked("VAE", measured(0.1, 0.5), model__network="MLP"),
    ]
    labels = [row.label for row in compare_runs(runs).rows]
    assert labels == ["VAE-2, network mine.Own", "VAE-2, network mine.Own, width 3", "VAE-2, network MLP", "PCA-2"]


@pytest.mark.parametrize("key", ["checkpoint__monitor", "trainer__callbacks", "model__beta"])
def test_what_decides_which_weights_are_judged_makes_rows_distinct(key):
    runs = [tracked("VAE", measured(0.1, 0.5), **{key: value}) for value in ("first", "second")]
    labels = [row.label for row in compare_runs(runs).rows]
    name = key.rsplit("__", 1)[-1]
    assert labels == [f"VAE-2, {name} first", f"VAE-2, {name} second", "PCA-2"]


def test_pca_stands_beside_the_autoencoders_of_each_latent_dim():
    runs = [
        tracked("VAE", measured(0.1, 0.5)),
        tracked("VAE", measured(0.1, 0.5, pca_mse=0.05), model__latent_dim="8"),
    ]
    comparison = compare_runs(runs)
    assert row_of(comparison, "PCA-2").values["mse"].mean == 0.2
    assert row_of(comparison, "PCA-8").values["mse"].mean == 0.05
    assert "pca_mse" not in comparison.measures


def test_pca_clipped_beside_some_networks_and_not_beside_others_is_two_rows():
    runs = [
        tracked("VAE", measured(0.15, 0.5), pca_decodes="clipped"),
        tracked("VanillaAE", measured(0.22, 0.5, pca_mse=0.21), pca_decodes="unclipped"),
    ]
    comparison = compare_runs(runs)
    found = {row.label: row.values["mse"].mean for row in comparison.rows}
    assert found == {"VAE-2": 0.15, "VanillaAE-2": 0.22, "PCA-2, clipped": 0.2, "PCA-2, unclipped": 0.21}
    assert best_in(comparison, "mse") == ["VAE-2"]
    assert [row.label for row in compare_runs(runs[:1]).rows] == ["VAE-2", "PCA-2"]


def test_pca_of_other_data_is_another_row():
    runs = [
        tracked("VAE", measured(0.1, 0.5), data__scaling="unit"),
        tracked("VAE", measured(0.1, 0.5, pca_mse=0.3), data__scaling="image_max"),
    ]
    found = {row.label: row.values["mse"].mean for row in compare_runs(runs).rows if row.variant == "PCA"}
    assert found == {"PCA-2, scaling unit": 0.2, "PCA-2, scaling image_max": 0.3}


def test_the_best_of_a_latent_dim_knows_which_way_a_measure_is_better():
    comparison = compare_runs([tracked("VAE", measured(0.1, 0.4)), tracked("VanillaAE", measured(0.3, 0.9))])
    assert best_in(comparison, "mse") == ["VAE-2"]
    assert best_in(comparison, "kmeans_accuracy") == ["VanillaAE-2"]


def test_objectives_are_not_held_against_one_another():
    comparison = compare_runs([tracked("VAE", measured(0.1, 0.4)), tracked("VanillaAE", measured(0.3, 0.9))])
    assert "loss" in comparison.measures
    assert best_in(comparison, "loss") == []


@pytest.mark.parametrize("logged", [{"test/kl": 3.0, "train/kl": 3.0}, {"test/kl": 3.0}])
def test_a_term_of_one_variant_alone_has_no_best(logged):
    """Whether steps were logged too or not."""
    metrics = {**measured(0.1, 0.4), **logged}
    comparison = compare_runs([tracked("VAE", metrics), tracked("VanillaAE", measured(0.3, 0.9))])
    assert best_in(comparison, "kl") == []


def test_each_data_set_has_a_best_of_its_own():
    runs = [
        tracked("VAE", measured(0.01, 0.5, pca_mse=0.02), data__name="mnist"),
        tracked("VAE", measured(0.03, 0.5, pca_mse=0.04), data__name="fashion_mnist"),
    ]
    assert best_in(compare_runs(runs), "mse") == ["VAE-2, name mnist", "VAE-2, name fashion_mnist"]


@pytest.mark.parametrize(
    ("name", "values"), [("batch_size", ("64", "128")), ("augment", ("['GaussianNoise']", "None"))]
)
def test_what_concerns_training_alone_is_judged_alike(name, values):
    runs = [
        tracked("VAE", measured(0.1, 0.5), **{f"data__{name}": values[0]}),
        tracked("VAE", measured(0.3, 0.5), **{f"data__{name}": values[1]}),
    ]
    comparison = compare_runs(runs)
    assert best_in(comparison, "mse") == [f"VAE-2, {name} {values[0]}"]
    assert [row.label for row in comparison.rows if row.variant == "PCA"] == ["PCA-2"]


def test_the_best_needs_no_baseline():
    runs = [tracked(name, {"mse": mse}) for name, mse in (("VAE", 0.1), ("VanillaAE", 0.3))]
    assert best_in(compare_runs(runs), "mse") == ["VAE-2"]


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_what_is_no_number_is_not_the_best_and_hides_no_other(bad):
    runs = [
        tracked("SparseAE", measured(bad, 0.1)),
        tracked("VAE", measured(0.1, 0.4)),
        tracked("VanillaAE", measured(0.3, 0.9)),
    ]
    assert best_in(compare_runs(runs), "mse") == ["VAE-2"]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1.7976931348623157e308])
def test_a_seed_without_a_number_leaves_its_row_without_one(bad):
    runs = [tracked("VAE", measured(mse, 0.5), seed_everything=str(seed)) for seed, mse in enumerate([bad, bad, 0.1])]
    row = row_of(compare_runs(runs), "VAE-2")
    assert str(row.values["mse"]) == "nan"
    assert str(row.values["kmeans_accuracy"]) == "0.5000 ± 0.0000"


def test_what_is_measured_on_fewer_images_has_a_baseline_of_its_own():
    runs = [
        tracked("VAE", measured(0.1, 0.5, pca_mse=0.1), evaluation__max_train_images="100"),
        tracked("VAE", measured(0.1, 0.5, pca_mse=0.2), evaluation__max_train_images="60000"),
    ]
    found = {row.label: row.values["mse"].mean for row in compare_runs(runs).rows if row.variant == "PCA"}
    assert found == {"PCA-2, max_train_images 100": 0.1, "PCA-2, max_train_images 60000": 0.2}


def test_where_the_baseline_differs_its_spread_is_told():
    """As its denoising does, by each variant's own corruption."""
    runs = [
        tracked("DenoisingAE", {**measured(0.1, 0.5), "pca_denoising_psnr_gain": 9.0}),
        tracked("VAE", {**measured(0.1, 0.5), "pca_denoising_psnr_gain": 3.0}),
    ]
    values = row_of(compare_runs(runs), "PCA-2").values
    assert str(values["denoising_psnr_gain"]) == "6.0000 ± 4.2426"
    assert values["mse"].spread is None


def test_runs_that_were_not_judged_are_left_out():
    assert compare_runs([tracked("VAE", {})]).rows == ()


@pytest.mark.parametrize("status", ["RUNNING", "FAILED", "KILLED"])
def test_what_has_not_finished_is_marked_and_never_the_best(status):
    runs = [
        tracked("VAE", measured(0.1, 0.4)),
        tracked("VAE", measured(0.12, 0.4), seed_everything="1"),
        tracked("VAE", measured(0.01, 0.99), seed_everything="2", status=status),
        tracked("VanillaAE", measured(0.3, 0.9)),
    ]
    comparison = compare_runs(runs)
    assert best_in(comparison, "mse") == ["VAE-2"]
    assert best_in(comparison, "kmeans_accuracy") == ["VanillaAE-2"]
    assert row_of(comparison, "VAE-2").values["mse"].mean == pytest.approx(0.11), "of those that have finished"
    assert [run.status for run in row_of(comparison, f"VAE-2, {status}").runs] == [status]
    text, page = (
        to_markdown(comparison, "reconstruct"),
        to_html(comparison, Illustrations(), "title", "reconstruct"),
    )
    assert f"|  | VAE-2, {status} | 0.0100 | 0.9900 |" in text
    (row,) = re.findall(r"<tr class=\"unfinished\">.*?</tr>", page, re.DOTALL)
    assert f"VAE ({status})" in row
    assert "▲" not in row
    for shown in (text, page):
        assert f"Not finished, and so not ranked: VAE-2, {status}." in shown


def test_the_baseline_is_there_though_nothing_has_finished():
    comparison = compare_runs([tracked("VAE", measured(0.1, 0.9), status="RUNNING")])
    assert [row.label for row in comparison.rows] == ["VAE-2, RUNNING", "PCA-2"]
    assert best_in(comparison, "kmeans_accuracy") == ["PCA-2"]


@pytest.mark.parametrize("setting", ["evaluation__num_images", "data__overlay"])
def test_what_does_not_touch_the_measures_of_the_test_split_parts_no_rivals(setting):
    runs = [
        tracked("VAE", measured(0.1, 0.5), **{setting: "1"}),
        tracked("VanillaAE", measured(0.3, 0.6), **{setting: "2"}),
    ]
    comparison = compare_runs(runs)
    assert len(best_in(comparison, "mse")) == 1
    assert [row.label for row in comparison.rows if row.variant == "PCA"] == ["PCA-2"]


def test_fit_judges_a_sample_of_the_validation_split_that_its_size_is_part_of():
    runs = [
        tracked("VAE", {"val/mse": 0.1, "val/pca_mse": 0.3}, evaluation__num_images="1000"),
        tracked("VanillaAE", {"val/mse": 0.2, "val/pca_mse": 0.4}, evaluation__num_images="2000"),
    ]
    comparison = compare_runs(runs, "val")
    assert best_in(comparison, "mse") == ["VAE-2, num_images 1000", "VanillaAE-2, num_images 2000"]


def test_a_run_that_does_not_say_its_latent_dim_is_named():
    run = tracked("Own", measured(0.1, 0.5))
    del run.params["model.latent_dim"]
    with pytest.raises(ConfigError, match=rf"^compare: run {run.run_id} \(Own-2\) has no parameter model\.latent_dim"):
        compare_runs([run])
