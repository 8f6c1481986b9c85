"""Training from a program: the same run as the command line's, and what it gives back."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from two_moons import TwoMoons

import ae_lightning as ael
from ae_lightning.variants import find_variants


def test_the_run_is_that_of_the_command_line(small):
    result, workspace = small
    run = workspace.run()
    assert (run.info.status, run.info.run_id) == ("FINISHED", result.run_id)
    assert result.measures == {
        name.removeprefix("test/"): value for name, value in run.data.metrics.items() if name.startswith("test/")
    }
    assert {"mse", "pca_mse", "loss"} <= result.measures.keys()
    config = yaml.safe_load(workspace.artifact(result.run_id, "config.yaml").read_text())
    assert config["model"]["class_path"] == "ae_lightning.variants.vae.VAE"
    assert config["model"]["init_args"]["network"]["init_args"]["hidden"] == [8]
    assert config["data"]["name"] == "arrays"
    assert result.checkpoint.samefile(workspace.checkpoint())


def test_codes_are_those_of_the_samples_in_their_order(small, faces):
    result, _ = small
    with torch.no_grad():
        codes = result.model.encode(torch.from_numpy(faces[:, None] / np.float32(255)))
    np.testing.assert_allclose(result.codes, codes, atol=1e-6)
    np.testing.assert_array_equal(result.encode(torch.from_numpy(faces[7:9])), result.codes[7:9])


def test_a_fifth_is_held_out_where_no_test_samples_are_given(small, faces, names):
    data = small[0].data
    assert [data.num_samples(name) for name in ("train", "val", "test")] == [44, 4, 12]
    assert data.class_names == ("bird", "cat", "dog")
    test = data.split("test")
    where = [int(np.flatnonzero((faces == image[0].numpy()).all(axis=(1, 2)))[0]) for image in test.x]
    assert [data.class_names[label] for label in test.labels] == names[where].tolist()


@pytest.mark.parametrize("axes", [(0, 1, 2), (0, 1, 2, 3), (0, 3, 1, 2)], ids=["grey", "last", "first"])
def test_reconstructions_have_the_layout_of_what_was_given(small, faces, axes):
    given = faces if len(axes) == 3 else faces[..., None].transpose(axes)
    reconstructed = small[0].reconstruct(given)
    assert reconstructed.shape == given.shape
    np.testing.assert_array_equal(reconstructed.reshape(60, -1), small[0].reconstruct(faces).reshape(60, -1))


def test_samples_follow_their_seed(small):
    result, _ = small
    first, again, other = result.sample(3), result.sample(3), result.sample(3, seed=1)
    assert first.shape == (3, 1, 8, 6)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_picture_is_one_that_a_notebook_shows(small):
    figure = small[0].plot("reconstructions")
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert any("dog" in text.get_text() for text in figure.findobj(lambda one: hasattr(one, "get_text")))


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        ("reconstruction", "plot: 'reconstruction' is not known; did you mean 'reconstructions'?"),
        ("novelty", "plot: novelty needs novel class, which this model and its data lack"),
    ],
)
def test_a_picture_that_there_is_not_is_said(small, picture, said):
    with pytest.raises(ael.UserError) as raised:
        small[0].plot(picture)
    assert str(raised.value).startswith(said)


def test_the_table_marks_the_better_value(small):
    result, _ = small
    better, worse = sorted(result.measures[name] for name in ("mse", "pca_mse"))
    for shown in (repr(result), result._repr_html_()):
        assert f"▲ {better:.4f}" in shown
        assert f"▲ {worse:.4f}" not in shown


def test_a_built_model_is_trained_in_place_and_random_numbers_are_left_alone(quick_fit, faces):
    model = ael.VanillaAE(spec=ael.spec_of(faces), latent_dim=3, network=ael.Linear(), seed=5)
    before = [parameter.clone() for parameter in model.parameters()]
    torch.manual_seed(3)
    drawn = torch.rand(2)
    torch.manual_seed(3)
    result = quick_fit(model, faces, tracking=False)
    assert torch.equal(torch.rand(2), drawn)
    assert result.model is model
    assert not all(map(torch.equal, model.parameters(), before))
    assert (result.run_id, result.config["seed_everything"]) == (None, 5)
    assert ael.load(result.checkpoint, faces).measures == pytest.approx(result.measures)


def test_a_built_model_draws_from_the_seed_that_is_given(quick_fit, faces):
    built = [ael.VAE(spec=ael.spec_of(faces), latent_dim=2, network=ael.Linear(), seed=5) for _ in range(3)]
    for model in built[1:]:
        model.load_state_dict(built[0].state_dict())
    results = [quick_fit(model, faces, tracking=False, seed=seed) for model, seed in zip(built, (1, 2, 2), strict=True)]
    assert [(result.model.seed, result.config["seed_everything"]) for result in results] == [(1, 1), (2, 2), (2, 2)]
    assert ael.load(results[0].checkpoint).model.seed == 1
    first, second, again = (result.measures["loss"] for result in results)
    assert first != second == again


def test_a_data_module_of_others_is_the_one_that_was_given(quick_fit):
    module = TwoMoons(num_points=80, noise=0.3)
    result = quick_fit(ael.VAE, module, latent_dim=2, network=ael.MLP(hidden=(4,)), tracking=False)
    assert result.data.module is module
    assert result.config["data"] == {
        "class_path": "ae_lightning.python_api.given_data.GivenDataModule",
        "init_args": {"of": "two_moons.TwoMoons"},
    }
    assert result.codes.shape == (80, 2)


def test_scalars_of_numpy_are_numbers_like_any_other(quick_fit, faces):
    trainer = {"max_epochs": np.int64(1), "gradient_clip_val": np.float64(0.5), "enable_model_summary": False}
    switches = {"keep_memory": np.True_, "compile": np.False_, "tracking": np.False_}
    result = quick_fit("vanilla", faces, network=ael.Linear(), seed=np.int64(3), trainer=trainer, **switches)
    assert result.run_id is None
    config = result.config
    found = config["seed_everything"], config["keep_memory"], config["compile"], config["trainer"]["gradient_clip_val"]
    assert found == (3, True, False, 0.5)
    model = ael.VanillaAE(spec=ael.spec_of(faces), network=ael.Linear(), seed=np.int64(4))
    assert quick_fit(model, faces, tracking=False).config["seed_everything"] == 4


@pytest.fixture
def _interruptible():
    """Let Ctrl-C be answered: what is started in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_signals_are_left_to_the_program(quick_fit, faces):
    class Interrupt(Callback):
        def on_train_start(self, trainer, pl_module):
            os.kill(os.getpid(), signal.SIGINT)

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    with pytest.raises(KeyboardInterrupt):
        quick_fit("vanilla", faces, network=ael.Linear(), callbacks=[Interrupt()], tracking=False)
    assert {number: signal.getsignal(number) for number in before} == before


@pytest.mark.usefixtures("_interruptible")
@pytest.mark.parametrize("judge", [lambda result: result.measures, lambda result: result.plot("reconstructions")])
def test_signals_are_left_to_the_program_while_it_judges(small, faces, names, monkeypatch, judge):
    result = ael.load(small[0].checkpoint, faces, names, tracking_uri="sqlite:///nowhere.db")
    with monkeypatch.context() as patch:
        patch.setattr(type(result.model), "encode", lambda *arguments: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            judge(result)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert judge(result)


BAD_SEEDS = ("3", True, -1, 1.5)


@pytest.mark.parametrize("seed", BAD_SEEDS)
def test_samples_take_the_seeds_that_a_training_takes(small, seed):
    with pytest.raises(ael.UserError, match=r"^seed: .* is not allowed; it "):
        small[0].sample(2, seed=seed)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"latent_dimm": 3}, "model: 'latent_dimm' is not known; did you mean 'latent_dim'?"),
        ({"trainer": {"logger": object()}}, "trainer.logger: object cannot be written down with the run"),
        ({"y_test": [1]}, "y_test: there is no x_test"),
        *(({"seed": seed}, f"seed: {seed!r} is not allowed; it ") for seed in BAD_SEEDS),
    ],
)
def test_what_is_wrong_is_said_in_one_line(quick_fit, workspace, faces, options, said):
    with pytest.raises(ael.UserError) as raised:
        quick_fit("vae", faces, **options)
    assert str(raised.value).startswith(said)
    assert workspace.runs() == []


def test_wrong_models_and_samples_are_said_in_one_line(quick_fit, faces):
    vectors = faces.reshape(60, -1).astype(float)
    built = ael.VanillaAE(spec=ael.spec_of(vectors), network=ael.Linear())
    cases = {
        "model: 'vea' is no file, and no configuration": ("vea", faces),
        "model: 3 is not taken": (3, faces),
        "model: it was built for vectors of shape (48,)": (built, faces),
        "x has dtype int64; if its values are bytes, give x.astype('uint8')": ("vae", faces.astype(np.int64)),
        "x: object is no array": ("vae", object()),
    }
    for said, (model, x) in cases.items():
        with pytest.raises(ael.UserError) as raised:
            quick_fit(model, x)
        assert str(raised.value).startswith(said)


def test_every_variant_is_offered():
    assert {name: getattr(ael, name) for name in find_variants()} == dict(find_variants())
