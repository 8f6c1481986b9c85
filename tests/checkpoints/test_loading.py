"""Checkpoints that are whole and yet hold no training, or no weights: one line, whoever reads them."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from safetensors.torch import save_file

from ae_lightning import __version__
from ae_lightning.checkpoints.checked_safetensors import digest_of
from ae_lightning.checkpoints.loading import describe, load_autoencoder, load_state, require_training_state
from ae_lightning.checkpoints.weights_file import write_weights
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import CheckpointError
from ae_lightning.networks import Linear
from ae_lightning.testing.training import build_trainer
from ae_lightning.variants.vae import VAE
from ae_lightning.versions import STATE_KEY

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


@pytest.fixture
def trained(bare_workspace):
    """A Trainer after a step, in the working directory."""
    data = DataModule(name="digits", batch_size=512)
    trainer = build_trainer(1, max_steps=1)
    trainer.fit(VAE(spec=data.spec, network=Linear(), latent_dim=2), data)
    return trainer


@pytest.fixture
def of_the_first_release(trained):
    """A checkpoint and an exported file as 0.1 wrote them: no version, and `input_shape` where there is a spec now."""
    trained.save_checkpoint("now.ckpt")
    state = torch.load("now.ckpt", weights_only=True)
    del state["hyper_parameters"]["spec"]
    state["hyper_parameters"]["input_shape"] = (1, 8, 8)
    state[STATE_KEY] = {"run_id": "0" * 32, "config": {}}
    torch.save(state, "old.ckpt")
    contents = json.dumps({key: state[key] for key in ("hyper_parameters", "datamodule_hyper_parameters")})
    weights = {name: tensor.contiguous() for name, tensor in state["state_dict"].items()}
    save_file(
        weights, "old.safetensors", {"ae_lightning": contents, "ae_lightning.sha256": digest_of(contents, weights)}
    )


def refusal(outcome):
    assert outcome.code == 2, outcome.err
    (line,) = outcome.err.splitlines()
    return line


def test_fit_does_not_go_on_from_weights_alone(bare_workspace, trained):
    trained.save_checkpoint("weights.ckpt", weights_only=True)
    assert "weights.ckpt: holds weights alone" in refusal(bare_workspace("fit", "--ckpt_path", "weights.ckpt"))


def test_why_a_variant_of_ones_own_cannot_be_imported_is_said(bare_workspace, trained):
    trained.save_checkpoint("own.ckpt")
    state = torch.load("own.ckpt", weights_only=True)
    state["hyper_parameters"]["_class_path"] = "broken.OwnAE"
    torch.save(state, "own.ckpt")
    (bare_workspace.folder / "broken.py").write_text("class OwnAE:\n    gamma = gama\n")
    sys.path.insert(0, str(bare_workspace.folder))
    with pytest.raises(CheckpointError, match=r"'broken.OwnAE' cannot be imported: NameError: name 'gama' is not def"):
        load_autoencoder("own.ckpt")


@pytest.mark.parametrize("name", ["old.ckpt", "old.safetensors"])
@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict", "export"])
def test_what_the_first_release_wrote_is_refused(bare_workspace, of_the_first_release, command, name):
    said = refusal(bare_workspace(command, "--ckpt_path", name))
    words = f"checkpoint {name}: written by ae_lightning 0.1; this is 0.2: train again or use 0.1"
    assert said == f"ae_lightning: error: {words}"
    assert not (bare_workspace.folder / "mlruns").exists()


def test_a_later_release_is_named(bare_workspace, trained):
    trained.save_checkpoint("now.ckpt")
    state = torch.load("now.ckpt", weights_only=True)
    state[STATE_KEY]["version"] = "0.3.1"
    torch.save(state, "later.ckpt")
    assert "written by ae_lightning 0.3; this is 0.2" in refusal(bare_workspace("test", "--ckpt_path", "later.ckpt"))


@pytest.mark.parametrize("weights_only", [False, True])
def test_checkpoints_and_exported_files_say_which_version_wrote_them(trained, tmp_path, weights_only):
    trained.save_checkpoint("now.ckpt", weights_only=weights_only)
    state = load_state("now.ckpt")
    write_weights(state, tmp_path / "now.safetensors")
    assert state[STATE_KEY]["version"] == __version__
    assert load_state(tmp_path / "now.safetensors")[STATE_KEY] == {"version": __version__}


@pytest.mark.parametrize("weights", [[1, 2], {"encoder.0.weight": 3}], ids=["list", "numbers"])
@pytest.mark.parametrize("command", ["test", "fit", "export"])
def test_what_holds_no_weights_is_refused(bare_workspace, trained, command, weights):
    trained.save_checkpoint("odd.ckpt")
    torch.save({**torch.load("odd.ckpt", weights_only=True), "state_dict": weights}, "odd.ckpt")
    assert "odd.ckpt: holds no autoencoder" in refusal(bare_workspace(command, "--ckpt_path", "odd.ckpt"))


def test_weights_of_another_model_are_named(bare_workspace, trained):
    trained.save_checkpoint("whole.ckpt")
    said = refusal(bare_workspace("test", "--ckpt_path", "whole.ckpt", "--model.latent_dim", "5"))
    assert "whole.ckpt: its weights do not fit the model (size mismatch for " in said


def test_of_the_weights_of_another_network_the_first_are_named(bare_workspace, trained):
    trained.save_checkpoint("odd.ckpt")
    weights = {f"encoder.{number}.weight": torch.zeros(1) for number in range(100)}
    torch.save({**torch.load("odd.ckpt", weights_only=True), "state_dict": weights}, "odd.ckpt")
    said = refusal(bare_workspace("test", "--ckpt_path", "odd.ckpt"))
    assert "do not fit the model (Unexpected key(s) in state_dict: " in said
    assert said.endswith(" ...)")
    assert len(said) < 400


ODD = {
    "a sparse tensor": lambda weight: weight.to_sparse(),
    "a nested tensor": lambda weight: torch.nested.nested_tensor([weight[0], weight[1]]),
    "quantized": lambda weight: torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8),
    "without its data": lambda weight: weight.to("meta"),
    "complex": lambda weight: weight.to(torch.complex64),
    "larger than what is stored": lambda weight: torch.zeros(1).as_strided((10**5, 10**5), (0, 0)),
    "holds NaN": lambda weight: torch.full_like(weight, torch.nan),
}


@pytest.mark.filterwarnings("ignore:::torch")
@pytest.mark.parametrize("kind", ODD)
def test_weights_that_are_no_plain_numbers_are_named(bare_workspace, trained, kind):
    """Whatever reads them, before memory is filled or anything is computed with them."""
    trained.save_checkpoint("whole.ckpt")
    state = torch.load("whole.ckpt", weights_only=True)
    name = next(iter(state["state_dict"]))
    torch.save({**state, "state_dict": {**state["state_dict"], name: ODD[kind](state["state_dict"][name])}}, "odd.ckpt")
    for command in ("export", "predict"):
        said = refusal(bare_workspace(command, "--ckpt_path", "odd.ckpt"))
        assert f"checkpoint odd.ckpt: the weight {name} " in said
        assert kind in said


def test_whole_numbers_are_no_weights(bare_workspace, trained):
    """torch would take them as they are, rounded."""
    trained.save_checkpoint("odd.ckpt")
    state = torch.load("odd.ckpt", weights_only=True)
    name = next(iter(state["state_dict"]))
    state["state_dict"][name] = state["state_dict"][name].to(torch.int64)
    torch.save(state, "odd.ckpt")
    said = refusal(bare_workspace("test", "--ckpt_path", "odd.ckpt"))
    assert f"its weights do not fit the model ({name} is of int64, and not of float32)" in said


@pytest.mark.parametrize("key", [3, ("a", 1)])
def test_a_weight_without_a_name_is_refused(bare_workspace, trained, key):
    """Names are strings."""
    trained.save_checkpoint("whole.ckpt")
    state = torch.load("whole.ckpt", weights_only=True)
    torch.save({**state, "state_dict": {**state["state_dict"], key: torch.zeros(1)}}, "odd.ckpt")
    assert f"a weight is called {key!r}" in refusal(bare_workspace("export", "--ckpt_path", "odd.ckpt"))


@pytest.mark.parametrize("odd", [None, "3", -1, True, 1.5, 10**30], ids=str)
@pytest.mark.parametrize("place", ["epoch", "loops.fit_loop.epoch_progress.current.completed"])
def test_what_counts_nothing_is_refused_before_training_goes_on(bare_workspace, trained, place, odd):
    trained.save_checkpoint("odd.ckpt")
    state = torch.load("odd.ckpt", weights_only=True)
    *way, last = place.split(".")
    inner = state
    for key in way:
        inner = inner[key]
    inner[last] = odd
    with pytest.raises(CheckpointError, match=f"^checkpoint odd.ckpt: its {place} is .*, which counts nothing$"):
        require_training_state("odd.ckpt", state)


@pytest.mark.parametrize("version", [None, "of one's own"])
def test_a_checkpoint_that_lightning_does_not_take_over(bare_workspace, trained, version):
    trained.save_checkpoint("odd.ckpt")
    state = torch.load("odd.ckpt", weights_only=True)
    del state["pytorch-lightning_version"]
    torch.save(state if version is None else {**state, "pytorch-lightning_version": version}, "odd.ckpt")
    outcome = bare_workspace("test", "--ckpt_path", "odd.ckpt", "--trainer.logger", "false")
    assert outcome.code == 2, outcome.err
    assert "error: the checkpoint's state cannot be restored (" in outcome.err.splitlines()[-1]


@pytest.mark.parametrize("part", ["hyper_parameters", "datamodule_hyper_parameters", STATE_KEY])
def test_a_setting_without_a_name_is_refused(bare_workspace, trained, part):
    trained.save_checkpoint("odd.ckpt")
    state = torch.load("odd.ckpt", weights_only=True)
    state[part][None] = 3
    with pytest.raises(CheckpointError, match=f"its {part} has a setting called None, which is no string$"):
        describe("odd.ckpt", state)


@pytest.mark.parametrize(
    "call", [("export", "--ckpt_path"), ("sync", "--spool"), ("test", "--ckpt_path")], ids=" ".join
)
def test_a_name_that_no_file_can_have(bare_workspace, call):
    assert "xxx'… is too long for the name of a file" in refusal(bare_workspace(*call, "x" * 5000))
