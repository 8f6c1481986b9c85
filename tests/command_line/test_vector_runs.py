"""Features of very different size from a table: trained, judged and served from the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer

from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.data import DataModule

pytestmark = pytest.mark.slow

MEASURES = {
    *("mse", "kmeans_accuracy", "kmeans_nmi", "kmeans_ari", "gmm_accuracy", "nearest_centroid_accuracy"),
    *("class_gaussian_accuracy", "active_units", "linear_probe_accuracy", "knn_accuracy", "retrieval_map", "hash_map"),
    *("few_shot_accuracy_1", "few_shot_accuracy_5", "few_shot_accuracy_10", "prior_mmd", "prior_swd"),
}
PICTURES = {
    *("features.png", "latent_scatter.png", "latent_scatter.html", "code_histograms.png"),
    *("confusion_kmeans.png", "confusion_gmm.png"),
}
JUDGED = ("--evaluation.measures", "all", "--evaluation.pictures", "all", "--evaluation.pca", "true")
SMALL = ("--model.network", "MLP", "--model.network.hidden", "[16]")


@pytest.fixture(scope="module")
def trained(open_workspace):
    """A working directory after an epoch of a VAE; tests only read it."""
    table = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(table.data))
    x, y = table.data[order], table.target[order]
    with open_workspace() as workspace:
        np.savez(workspace.folder / "cancer.npz", x_train=x[:450], x_test=x[450:], y_train=y[:450], y_test=y[450:])
        # The same tumours in other units, as if another laboratory had measured them.
        np.savez(workspace.folder / "other.npz", x_train=3 * x[:20] + 1, x_test=3 * x[450:] + 1)
        data = ("--data.name", "npz", "--data.path", workspace.folder / "cancer.npz")
        with pytest.warns(UserWarning, match="not for these data, and so neither measured nor drawn") as said:
            outcome = workspace.fit(*data, *SMALL, *JUDGED)
        assert outcome.code == 0, outcome.err
        assert sum("not for these data" in str(one.message) for one in said) == 1
        # What predicts from exported weights opens a run of its own, the newest then.
        workspace.fitted = workspace.run()
        yield workspace


@pytest.fixture(scope="module")
def best(trained):
    """The VAE's best checkpoint."""
    return trained.folder / "checkpoints" / trained.fitted.info.run_id / "best.ckpt"


@pytest.fixture(scope="module")
def original(trained):
    return DataModule("npz", path=str(trained.folder / "cancer.npz"))


def standardised(original, x):
    train = original.split("train").x.double()
    return ((torch.as_tensor(x).double() - train.mean(dim=0)) / train.std(dim=0, correction=0)).float()


def require_judged(workspace, run, terms):
    found = {name.removeprefix("test/") for name in run.data.metrics if name.startswith("test/")}
    assert found == MEASURES | {f"pca_{name}" for name in MEASURES} | terms
    assert all(np.isfinite(value) for value in run.data.metrics.values())
    assert workspace.artifacts(run.info.run_id, "plots") == PICTURES
    assert workspace.artifacts(run.info.run_id, "evaluation/test") == {"seconds.json"}


def test_everything_that_vectors_allow_is_measured_and_drawn(trained):
    require_judged(trained, trained.fitted, {"loss", "reconstruction", "kl"})


def test_a_plain_autoencoder_is_judged_likewise(trained, workspace):
    data = ("--data.name", "npz", "--data.path", trained.folder / "cancer.npz")
    with pytest.warns(UserWarning, match="not for these data"):
        outcome = workspace.fit(*data, "--model", "VanillaAE", *SMALL, *JUDGED)
    assert outcome.code == 0, outcome.err
    require_judged(workspace, workspace.run(), {"loss", "reconstruction"})


def test_pca_reconstructs_standardised_features(trained, original):
    from sklearn.decomposition import PCA

    train, test = (standardised(original, original.split(name).x).numpy() for name in ("train", "test"))
    pca = PCA(2).fit(train)
    expected = np.square(pca.inverse_transform(pca.transform(test)) - test).mean()
    assert trained.fitted.data.metrics["test/pca_mse"] == pytest.approx(expected, rel=1e-4)


def predicted(trained, *options):
    output = trained.folder / "predicted.npz"
    output.unlink(missing_ok=True)
    outcome = trained("predict", *options, "--output", output)
    assert outcome.code == 0, outcome.err
    return dict(np.load(output))


@pytest.fixture(scope="module")
def exported(trained, best):
    output = trained.folder / "model.safetensors"
    assert trained("export", "--ckpt_path", best, "--output", output).code == 0
    return output


@pytest.mark.parametrize("kept_in", ["checkpoint", "export"])
def test_other_data_are_scaled_as_the_training_data_were(trained, best, original, exported, kept_in):
    path = best if kept_in == "checkpoint" else exported
    found = predicted(trained, "--ckpt_path", path, "--data.path", trained.folder / "other.npz")
    x = standardised(original, 3 * original.split("test").x.double() + 1)
    model = load_autoencoder(path).eval()
    with torch.no_grad():
        assert found["codes"] == pytest.approx(model.encode(x).numpy(), rel=1e-3, abs=1e-3)
        assert found["reconstructions"] == pytest.approx(model.reconstruct(x).numpy(), rel=1e-3, abs=1e-3)


def test_an_explicit_scaling_beats_the_checkpoints(trained, best, original):
    found = predicted(trained, "--ckpt_path", best, "--data.scaling", "none")
    with torch.no_grad():
        codes = load_autoencoder(best).eval().encode(original.split("test").x)
    assert found["codes"] == pytest.approx(codes.numpy(), rel=1e-3)


def test_a_table_of_predictions_says_their_shape(trained, best):
    from pyarrow import parquet

    output = trained.folder / "predicted.parquet"
    assert trained("predict", "--ckpt_path", best, "--output", output).code == 0
    table = parquet.read_table(output)
    assert table.schema.metadata[b"reconstructions_shape"] == b"30"
    assert len(table["reconstructions"][0]) == 30


def test_a_checkpoint_is_judged_again(trained, best):
    run = trained.fitted
    outcome = trained("test", "--ckpt_path", best, "--evaluation.measures", "[mse]", "--evaluation.pictures", "[]")
    assert outcome.code == 0, outcome.err
    judged_again = trained.history(run.info.run_id, "test/mse")
    assert [metric.value for metric in judged_again] == pytest.approx([run.data.metrics["test/mse"]] * 2, rel=1e-5)


def test_the_logged_model_takes_vectors(trained, original):
    import mlflow

    run = trained.fitted
    (logged,) = [
        one
        for one in trained.client.search_logged_models([run.info.experiment_id])
        if one.source_run_id == run.info.run_id
    ]
    mlflow.set_tracking_uri(trained.uri)
    try:
        loaded = mlflow.pyfunc.load_model(logged.model_uri)
    finally:
        mlflow.set_tracking_uri(None)
    assert loaded.metadata.signature.inputs.inputs[0].shape == (-1, 30)
    x = standardised(original, original.split("train").x[:2]).numpy()
    assert np.asarray(loaded.input_example) == pytest.approx(x, abs=1e-4)
    assert loaded.predict(x)["reconstructions"].shape == (2, 30)


def test_runs_are_compared(trained):
    outcome = trained("compare", "--experiment", "cancer", "--output", trained.folder / "report")
    assert outcome.code == 0, outcome.err
    assert "VAE" in (trained.folder / "report" / "table.md").read_text()
    report = (trained.folder / "report" / "report.html").read_text()
    assert "Traceback" not in report
    assert "sample" in report


def test_a_checkpoint_holds_plain_values(best, original):
    state = torch.load(best, weights_only=True)["DataModule"]
    assert json.loads(json.dumps(state)) == state
    assert state["mean"] == pytest.approx(original.split("train").x.double().mean(dim=0).tolist(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--model VAE", "model.network: Conv takes images, not vectors of 5 values; MLP takes these"),
        ("--model VAE --model.network MLP --data.overlay true", "data.overlay lays images over each other"),
        ("--model VAE --model.network MLP --data.scaling image_max", "data.scaling: image_max is for images"),
        ("--model VAE --model.network MLP --data.scaling unit", "data.scaling: unit takes values from 0 to 1"),
        (
            "--model DenoisingAE --model.network MLP --model.corruption salt_and_pepper",
            "model.corruption: salt_and_pepper sets values to the ends of their range",
        ),
        ("--model VAE --model.network MLP --model.reconstruction bce", "model.reconstruction: 'bce' takes values from"),
    ],
)
def test_what_vectors_do_not_allow_is_refused_before_training(refuse, npz, options, said):
    values = np.random.default_rng(0).normal(size=(40, 5))
    path = npz(x_train=values, x_test=values[:9])
    assert said in refuse("fit", "--data.name", "npz", "--data.path", path, *options.split())
