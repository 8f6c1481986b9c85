"""What is measured and drawn during `fit` and after it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from ae_lightning.callbacks.encoding import collect, encode_split, fixed_sample
from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.data import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.judging.chunks import CHUNK_SIZE, chunk_size, num_within
from ae_lightning.judging.measures.compression import OPERATING_BITS
from ae_lightning.variants.vae import VAE

pytestmark = pytest.mark.slow

MEASURES = {
    "mse",
    "psnr",
    "ssim",
    "kmeans_accuracy",
    "kmeans_nmi",
    "kmeans_ari",
    "gmm_accuracy",
    "nearest_centroid_accuracy",
    "class_gaussian_accuracy",
    "active_units",
    "linear_probe_accuracy",
    "knn_accuracy",
    "few_shot_accuracy_1",
    "few_shot_accuracy_5",
    "few_shot_accuracy_10",
    "retrieval_map",
    "hash_map",
    "denoising_psnr_gain",
    "prior_mmd",
    "prior_swd",
    "bits_per_pixel",
    "compression_psnr",
}
CHEAP_MEASURES = {
    *("mse", "psnr", "kmeans_accuracy", "kmeans_nmi", "kmeans_ari"),
    *("nearest_centroid_accuracy", "class_gaussian_accuracy", "active_units"),
}
UNLABELLED_MEASURES = {
    *("mse", "psnr", "ssim", "active_units", "denoising_psnr_gain", "prior_mmd", "prior_swd"),
    *("bits_per_pixel", "compression_psnr"),
}
TERMS = {"loss", "reconstruction", "kl"}
NUM_IMAGES = 60


@pytest.fixture(scope="module")
def trained(open_workspace):
    """A run of four epochs, judged on a sample after the second and the fourth, and in full at the end."""
    with open_workspace() as workspace:
        outcome = workspace.fit(
            *("--trainer.max_epochs", "4"),
            *("--evaluation.every_n_epochs", "2", "--evaluation.num_images", str(NUM_IMAGES)),
            *("--evaluation.measures", "all", "--evaluation.pca", "true"),
        )
        assert outcome.code == 0, outcome.err
        yield workspace


def names(workspace, stage):
    metrics = workspace.run().data.metrics
    return {name.removeprefix(f"{stage}/") for name in metrics if name.startswith(f"{stage}/")}


def with_pca(measures):
    return measures | {f"pca_{name}" for name in measures}


def test_cheap_measures_run_during_fit_under_their_names(trained):
    assert names(trained, "val") == TERMS | with_pca(CHEAP_MEASURES)


def test_measures_run_every_few_epochs(trained):
    run_id = trained.run().info.run_id
    assert [metric.step for metric in trained.history(run_id, "val/mse")] == [21, 43]
    assert [metric.step for metric in trained.history(run_id, "val/pca_mse")] == [21, 43]
    assert len(trained.history(run_id, "val/loss")) == 4


def test_measures_during_fit_see_a_fixed_sample(trained):
    run_id = trained.run().info.run_id
    logged = trained.history(run_id, "val/mse")[-1].value
    data = DataModule()
    assert logged == pytest.approx(
        mse(trained, "last.ckpt", data, fixed_sample(data.split("val"), NUM_IMAGES)), rel=1e-4
    )
    assert logged != pytest.approx(mse(trained, "last.ckpt", data, data.split("val")), rel=1e-4)


def test_pca_is_fitted_to_all_training_images_during_fit_too(trained):
    """By scikit-learn's own, whatever part of them gives the codes."""
    data = DataModule()
    train, seen = data.split("train"), fixed_sample(data.split("val"), NUM_IMAGES)
    pixels, judged = (data.scale(split.x).flatten(1).numpy() for split in (train, seen))
    pca = PCA(2).fit(pixels)
    expected = np.square(pca.inverse_transform(pca.transform(judged)) - judged).mean()
    # Beside an affine map nothing is clipped.
    assert trained.run().data.params["pca_decodes"] == "unclipped"
    history = trained.history(trained.run().info.run_id, "val/pca_mse")
    assert [metric.value for metric in history] == pytest.approx([expected] * 2, rel=1e-4)


@torch.no_grad()
def mse(workspace, checkpoint, data, split):
    model = load_autoencoder(workspace.checkpoint(checkpoint)).eval()
    images = data.scale(split.x)
    return float((model.reconstruct(images) - images).square().mean())


def test_every_measure_runs_after_fit_with_pca_beside_it(trained):
    assert names(trained, "test") == TERMS | with_pca(MEASURES)


def test_measures_judge_the_whole_test_split_once(trained):
    (logged,) = trained.history(trained.run().info.run_id, "test/mse")
    data = DataModule()
    assert logged.value == pytest.approx(mse(trained, "best.ckpt", data, data.split("test")), rel=1e-4)


def test_accuracies_are_shares(trained):
    metrics = trained.run().data.metrics
    accuracies = {name: value for name, value in metrics.items() if name.endswith("_accuracy")}
    assert len(accuracies) == 2 * (6 + 3)
    assert all(0 <= value <= 1 for value in accuracies.values())


def test_the_seconds_of_each_measure_and_the_codecs_curves_are_kept(trained):
    run_id = trained.run().info.run_id
    seconds = json.loads(trained.artifact(run_id, "evaluation/test/seconds.json").read_text())
    assert {"mse", "pca_mse", "retrieval", "pca_prior"} <= set(seconds)
    assert all(value >= 0 for value in seconds.values())
    codecs = json.loads(trained.artifact(run_id, "evaluation/test/codecs.json").read_text())
    assert set(codecs) == {"autoencoder", "pca", "jpeg", "jpeg_mosaic", "webp", "webp_mosaic"}
    metrics = trained.run().data.metrics
    for name, column in (("bits_per_pixel", "bits_per_pixel"), ("compression_psnr", "psnr")):
        assert codecs["autoencoder"][column][OPERATING_BITS - 1] == pytest.approx(metrics[f"test/{name}"], rel=1e-5)
    # During `fit` there would be a file every few epochs.
    assert trained.artifacts(run_id, "evaluation") == {"test"}


def test_pcas_measures_are_kept_for_the_next_run(trained):
    kept = {path.name: path.stat().st_mtime_ns for path in (trained.folder / "cache").iterdir()}
    assert kept
    before = trained.run().data.metrics
    outcome = trained("test", "--ckpt_path", trained.checkpoint(), "--evaluation.pictures", "[]")
    assert outcome.code == 0, outcome.err
    assert {path.name: path.stat().st_mtime_ns for path in (trained.folder / "cache").iterdir()} == kept
    after = trained.run().data.metrics
    assert {name: value for name, value in after.items() if name.startswith("test/pca_")} == {
        name: value for name, value in before.items() if name.startswith("test/pca_")
    }


def test_unlabelled_images_have_no_label_metrics(workspace):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 8, 8), dtype=np.uint8)
    np.savez(workspace.folder / "images.npz", x_train=pixels[:70], x_test=pixels[70:])
    outcome = workspace.fit(
        *("--data.name", "npz", "--data.path", "images.npz"),
        *("--evaluation.measures", "all", "--evaluation.pca", "true"),
        *("--evaluation.every_n_epochs", "1"),
    )
    assert outcome.code == 0, outcome.err
    assert names(workspace, "test") == TERMS | with_pca(UNLABELLED_MEASURES)
    assert names(workspace, "val") == TERMS | with_pca({"mse", "psnr", "active_units"})


def test_every_measure_can_run_during_fit(workspace):
    outcome = workspace.fit(
        *("--evaluation.training_measures", "all", "--evaluation.every_n_epochs", "1"),
        *("--evaluation.num_images", str(NUM_IMAGES), "--evaluation.pca", "true"),
    )
    assert outcome.code == 0, outcome.err
    assert names(workspace, "val") == TERMS | with_pca(MEASURES)


def test_a_class_left_out_and_overlays_have_measures_of_their_own(workspace):
    outcome = workspace.fit(
        *("--data.leave_out_class", "3", "--data.overlay", "true", "--evaluation.cache", "null"),
        *("--evaluation.measures", "[novelty, overlay]", "--evaluation.pca", "true"),
    )
    assert outcome.code == 0, outcome.err
    expected = {"novelty_auroc", "novelty_auroc_code", "overlay_pair_accuracy", "overlay_one_accuracy"}
    assert names(workspace, "test") == TERMS | with_pca(expected)
    metrics = workspace.run().data.metrics
    assert all(0 <= metrics[f"test/{name}"] <= 1 for name in with_pca(expected))
    assert not (workspace.folder / "cache").exists()
    # Validation has no image of that class, so that nothing there is novel.
    outcome = workspace("validate", "--ckpt_path", workspace.checkpoint(), "--evaluation.pictures", "[]")
    assert outcome.code == 0, outcome.err
    measured = names(workspace, "val")
    assert "overlay_pair_accuracy" in measured
    assert not {"novelty_auroc", "novelty_auroc_code"} & measured


def test_too_few_images_are_compared_with_no_samples_and_that_is_said(workspace):
    there = "there are 1,295 to train on and 359 of the test split"
    with pytest.warns(UserWarning, match=f"not measured, for want of 1,000 images: sample_frechet; {there}"):
        assert workspace.fit("--evaluation.measures", "[sample_frechet]").code == 0
    assert names(workspace, "test") == TERMS


def test_a_choice_of_measures_and_no_pca(workspace):
    assert workspace.fit("--evaluation.measures", "[mse, kmeans]", "--evaluation.pictures", "[samples]").code == 0
    assert names(workspace, "test") == TERMS | {"mse", "kmeans_accuracy", "kmeans_nmi", "kmeans_ari"}
    assert workspace.artifacts(workspace.run().info.run_id, "plots") == {"samples.png"}
    assert names(workspace, "val") == TERMS


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"measures": ["kmean"]}, "did you mean 'kmeans'?"),
        ({"training_measures": ["psn"]}, "did you mean 'psnr'?"),
        ({"num_images": 0}, "at least 1"),
        ({"seed": -1}, "evaluation.seed: -1 is not allowed"),
        ({"every_n_epochs": -1}, "at least 0"),
        ({"max_train_images": 0}, "at least 1"),
        ({"max_gib": 0.0}, "above 0"),
    ],
)
def test_unusable_settings_are_refused_at_once(options, said):
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        Evaluation(**options)


def test_a_split_is_encoded_in_its_own_order():
    data = DataModule()
    model = VAE(spec=data.spec, latent_dim=2).eval()
    encoded = encode_split(None, model, data, "train")
    images = data.scale(data.split("train").x)
    assert len(images) > CHUNK_SIZE
    assert torch.equal(torch.from_numpy(encoded.x), images)
    assert encoded.labels.tolist() == data.split("train").labels.tolist()
    with torch.no_grad():
        assert torch.from_numpy(encoded.codes) == pytest.approx(model.encode(images), abs=1e-5)
        assert torch.from_numpy(encoded.reconstructions) == pytest.approx(model.reconstruct(images), abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1, 28, 28), CHUNK_SIZE), ((3, 64, 64), CHUNK_SIZE), ((3, 224, 224), 111), ((3, 5000, 5000), 1)],
)
def test_large_images_come_in_small_chunks(shape, expected):
    assert chunk_size(shape) == expected


def test_pieces_are_put_together_in_32_bit_on_the_cpu():
    rows = torch.randn(7, 2, 3)
    collected = collect(7, torch.split(rows.bfloat16().requires_grad_(), 3))
    assert torch.equal(collected, rows.bfloat16().float())
    assert not collected.requires_grad


def test_images_that_take_more_memory_than_allowed_are_sampled(workspace):
    gib = (NUM_IMAGES * 4 * 64 + 1) / 2**30
    assert num_within(int(gib * 2**30), (1, 8, 8)) == NUM_IMAGES
    with pytest.warns(UserWarning, match=f"max_gib: {NUM_IMAGES} of 359 images of the test split are looked at"):
        assert workspace.fit("--evaluation.max_gib", str(gib), "--evaluation.measures", "[mse]").code == 0
    data = DataModule()
    sample = fixed_sample(data.split("test"), NUM_IMAGES)
    (logged,) = workspace.history(workspace.run().info.run_id, "test/mse")
    assert logged.value == pytest.approx(mse(workspace, "best.ckpt", data, sample), rel=1e-4)


def test_a_sample_is_fixed_ordered_and_bounded():
    split = DataModule().split("train")
    first, second = fixed_sample(split, 50), fixed_sample(split, 50)
    assert len(first) == 50
    assert torch.equal(first.x, second.x)
    assert torch.equal(first.labels, second.labels)
    assert len(fixed_sample(split, None)) == len(fixed_sample(split, 10**6)) == len(split)
