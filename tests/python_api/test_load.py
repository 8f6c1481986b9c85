"""What was trained before, from a checkpoint, a run of MLflow, or its model."""

from __future__ import annotations

import numpy as np
import pytest
from conditional_vae import ConditionalVAE
from two_moons import TwoMoons

import ae_lightning as ael
from ae_lightning.tracking.addresses import absolute_uri


def model_of(workspace):
    """The address of the model that the run logged."""
    (model,) = workspace.client.search_logged_models([workspace.run().info.experiment_id])
    return f"models:/{model.model_id}"


@pytest.mark.parametrize("place", ["checkpoint", "folder", "run", "model"])
def test_it_is_what_the_training_returned(small, faces, place):
    result, workspace = small
    places = {
        "checkpoint": lambda: result.checkpoint,
        "folder": lambda: result.checkpoint.parent,
        "run": lambda: result.run_id,
        "model": lambda: model_of(workspace),
    }
    loaded = ael.load(places[place]())
    assert loaded.measures == result.measures
    assert loaded.run_id == result.run_id
    np.testing.assert_array_equal(loaded.encode(faces), result.codes)
    with pytest.raises(ael.UserError, match=r"^the data are not at hand"):
        _ = loaded.codes


def test_a_model_is_looked_for_in_the_store_that_is_named(small, tmp_path, monkeypatch):
    result, workspace = small
    address, uri = model_of(workspace), absolute_uri(workspace.uri)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/other.db")
    assert ael.load(address, tracking_uri=uri).run_id == result.run_id
    with pytest.raises(ael.UserError, match="has no such model"):
        ael.load(address)


def test_the_arrays_can_be_given_again(small, faces, names):
    result, _ = small
    loaded = ael.load(result.checkpoint, faces, names)
    np.testing.assert_array_equal(loaded.codes, result.codes)
    assert loaded.data.spec == result.data.spec
    assert loaded.plot("samples") is not None


@pytest.mark.parametrize("given", ["test", "all"])
def test_other_samples_are_judged_anew(small, faces, names, given):
    result, _ = small
    other = 255 - faces // 4
    loaded = (
        ael.load(result.run_id, faces, names, x_test=other, y_test=names)
        if given == "test"
        else ael.load(result.run_id, other, names)
    )
    x = other if given == "test" else loaded.data.split("test").x[:, 0].numpy()
    y = names if given == "test" else None
    assert loaded.measures["mse"] == pytest.approx(((loaded.reconstruct(x, y) - x / 255) ** 2).mean(), rel=1e-4)
    assert loaded.measures["mse"] > 1.5 * result.measures["mse"]
    assert ael.load(result.run_id, faces, names).measures == result.measures


def test_other_classes_of_the_same_samples_are_judged_anew(quick_fit, faces, names):
    judged = {"every_n_epochs": 0, "measures": ["mse", "gmm"], "pictures": []}
    result = quick_fit(
        *("vanilla", faces, names), x_test=faces, y_test=names, latent_dim=2, network=ael.Linear(), evaluation=judged
    )
    other = np.array(["cat", "dog", "bird"])[np.arange(60) // 20]
    loaded = ael.load(result.run_id, faces, names, x_test=faces, y_test=other)
    assert loaded.measures["mse"] == pytest.approx(result.measures["mse"])
    assert loaded.measures["gmm_accuracy"] != pytest.approx(result.measures["gmm_accuracy"])
    rows = [row for row in ael.compare([result, loaded]).rows if row["variant"] == "VanillaAE"]
    assert len(rows) == 2


def test_another_module_is_judged_anew(quick_fit):
    of_run, other = (TwoMoons(num_points=40, noise=noise) for noise in (0.1, 0.6))
    result = quick_fit("vanilla", of_run, latent_dim=1, network=ael.Linear())
    assert ael.load(result.run_id, TwoMoons(num_points=40, noise=0.1)).measures == result.measures
    assert ael.load(result.run_id, other).measures["mse"] != pytest.approx(result.measures["mse"])


def test_arrays_of_what_was_trained_on_something_else_are_refused(quick_fit, faces):
    result = quick_fit("vanilla", "digits", latent_dim=1, network=ael.Linear(), tracking=False)
    with pytest.raises(ael.UserError, match=r"^x: the model was trained on 'digits', which is read from there; leave "):
        ael.load(result.checkpoint, faces)


def test_other_values_than_were_trained_on_are_refused_where_they_would_be_scaled_to_others(small, faces, quick_fit):
    result, _ = small
    with pytest.raises(ael.UserError, match=r"^data.scaling: unit takes values from 0 to 1 .* from 0 to 255"):
        result.encode(faces.astype(np.float32))
    np.testing.assert_allclose(result.encode(faces / 255), result.codes, atol=1e-5)
    with pytest.warns(UserWarning, match=r"^x has values up to 255 of 65,535, which are nearly black"):
        result.encode(faces.astype(np.uint16))
    standard = quick_fit("vanilla", faces, latent_dim=1, network=ael.Linear(), data={"scaling": "standard"})
    said = r"has images in float32, and those that the model was trained on are in uint8, which data.scaling standard"
    for take in (standard.reconstruct, lambda x: ael.load(standard.checkpoint).encode(x)):
        with pytest.raises(ael.UserError, match=f"^x {said}"):
            take(faces / 255)
    with pytest.raises(ael.UserError, match=said):
        ael.load(standard.checkpoint, faces / 255)


def test_other_classes_than_a_conditional_model_was_given_are_refused(faces, names, quick_fit):
    options = {"latent_dim": 1, "network": ael.MLP(hidden=(4,))}
    result = quick_fit(ConditionalVAE, faces, names, **options, tracking=False)
    kept = names != "cat"
    said = r"^y: ConditionalVAE was built for 3 classes, and these samples have 2"
    assert len(ael.load(result.checkpoint, faces, names).codes) == len(faces)
    with pytest.raises(ael.UserError, match=said):
        ael.load(result.checkpoint, faces[kept], names[kept])
    built = ConditionalVAE(spec=ael.spec_of(faces, names), **options)
    with pytest.raises(ael.UserError, match=said):
        quick_fit(built, faces[kept], names[kept], tracking=False)


def test_the_command_line_says_what_to_give(small):
    result, workspace = small
    outcome = workspace("test", "--ckpt_path", result.checkpoint)
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith("ae_lightning: error: data.name: arrays were given from Python")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("nowhere", "'nowhere' is no file, and MLflow at 'sqlite:///mlflow.db' has no such run"),
        ("models:/no/1", "models:/no/1: MLflow at 'sqlite:///mlflow.db' has no such model"),
        ("no/where.ckpt", "checkpoint no/where.ckpt: there is no such file or folder"),
        ("~nosuchuser/x", "checkpoint ~nosuchuser/x: there is no such file or folder"),
    ],
)
def test_what_is_not_there_is_said_and_nothing_is_made(bare_workspace, place, said):
    with pytest.raises(ael.UserError) as raised:
        ael.load(place)
    assert str(raised.value) == said
    assert list(bare_workspace.folder.iterdir()) == []
