"""`export`: weights that come back bit for bit, with no pickle, and are found out where they are damaged."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ae_lightning.checkpoints.checked_safetensors import digest_of
from ae_lightning.checkpoints.loading import load_autoencoder, load_state
from ae_lightning.errors import CheckpointError


@pytest.fixture(scope="module")
def trained(open_workspace):
    """A network with batch norm, whose buffers are part of what must come back."""
    with open_workspace() as workspace:
        network = ("--model.network", "Conv", "--model.network.filters", "[4]", "--model.network.batch_norm", "true")
        outcome = workspace.fit(*network)
        assert outcome.code == 0, outcome.err
    return workspace


@pytest.fixture
def exported(trained, bare_workspace):
    path = bare_workspace.folder / "model.safetensors"
    outcome = bare_workspace("export", "--ckpt_path", trained.checkpoint(), "--output", path)
    assert outcome.code == 0, outcome.err
    assert "VAE, " in outcome.out
    return path


def test_every_tensor_comes_back_bit_for_bit(trained, exported):
    before = load_state(trained.checkpoint())["state_dict"]
    assert any(name.endswith("num_batches_tracked") for name in before)
    assert any(name.endswith("running_var") for name in before)
    for after in (load_file(exported), load_autoencoder(exported).state_dict()):
        assert before.keys() == after.keys()
        for name, tensor in before.items():
            assert after[name].dtype == tensor.dtype
            assert torch.equal(after[name], tensor), name


def test_the_configuration_is_in_the_metadata(trained, exported):
    with safe_open(exported, "pt") as file:
        contents = json.loads(file.metadata()["ae_lightning"])
    assert contents["hyper_parameters"]["latent_dim"] == 2
    assert contents["datamodule_hyper_parameters"]["name"] == "digits"


def test_where_the_run_was_tracked_is_not_told(trained, exported):
    content = exported.read_bytes()
    assert b"tracking_uri" not in content
    assert trained.run().info.run_id.encode() not in content


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--trainer.callbacks+=EMAWeightAveraging",), "best.ckpt"),
        # Validated, and written, after ten batches: two of the four that the third step has.
        (("--trainer.accumulate_grad_batches", "4", "--trainer.val_check_interval", "10"), "best.ckpt"),
    ],
    ids=["averaged weights", "gradients being accumulated"],
)
def test_what_training_alone_goes_on_with_is_left_out(workspace, options, name):
    outcome = workspace.fit(*options)
    assert outcome.code == 0, outcome.err
    before = load_state(workspace.checkpoint(name))
    outcome = workspace("export", "--ckpt_path", workspace.checkpoint(name), "--output", "model.safetensors")
    assert outcome.code == 0, outcome.err
    after = load_file(workspace.folder / "model.safetensors")
    assert before["state_dict"].keys() == after.keys()
    assert all(torch.equal(after[key], tensor) for key, tensor in before["state_dict"].items())
    with safe_open(workspace.folder / "model.safetensors", "pt") as file:
        kept = json.loads(file.metadata()["ae_lightning"]).keys()
    assert before.keys() & {"current_model_state", "training_progress"}
    assert not kept & {"current_model_state", "averaging_state", "training_progress"}


def test_the_codes_are_those_of_the_checkpoint(trained, exported):
    x_BCHW = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    codes = [load_autoencoder(path).eval().encode(x_BCHW) for path in (trained.checkpoint(), exported)]
    assert torch.equal(*codes)


def test_predict_takes_it_as_its_checkpoint(trained, exported, bare_workspace):
    import numpy as np

    predictions = []
    for number, path in enumerate((trained.checkpoint(), exported)):
        options = ("--trainer.logger", "false", "--output", f"{number}.npz")
        outcome = bare_workspace("predict", "--ckpt_path", path, *options)
        assert outcome.code == 0, outcome.err
        predictions.append(dict(np.load(f"{number}.npz")))
    for name, values in predictions[0].items():
        assert np.array_equal(values, predictions[1][name])


def test_fit_does_not_go_on_from_weights_alone(exported, bare_workspace):
    (bare_workspace.folder / "on.yaml").write_text(f"ckpt_path: {exported}\nmodel: VAE\n")
    for arguments in (("--ckpt_path", exported), ("-c", "on.yaml")):
        outcome = bare_workspace("fit", *arguments)
        assert outcome.code == 2
        assert "holds weights alone" in outcome.err


def test_every_flipped_byte_is_found_or_does_no_harm(trained, exported):
    before = load_state(trained.checkpoint())["state_dict"]
    whole = exported.read_bytes()
    for position in range(0, len(whole), 29):
        exported.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        try:
            after = load_state(exported)["state_dict"]
        except CheckpointError:
            continue
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items()), position


@pytest.mark.parametrize("settings", ["no JSON", "[]", "[" * 100_000])
def test_settings_that_are_none(exported, tmp_path, settings):
    weights = load_file(exported)
    metadata = {"ae_lightning": settings, "ae_lightning.sha256": digest_of(settings, weights)}
    save_file(weights, tmp_path / "crafted.safetensors", metadata)
    with pytest.raises(CheckpointError, match="its settings are no"):
        load_state(tmp_path / "crafted.safetensors")


def test_another_programs_file_is_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="not written by `export`"):
        load_state(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "export: the following arguments are required: --ckpt_path"),
        (("--ckpt_path", "nowhere.ckpt"), "nowhere.ckpt: there is no such file"),
        (("--ckpt_path", "typo/best.ckpt"), "typo/best.ckpt: there is no such file"),
        (("--ckpt_path", ""), "checkpoint "),
        (("--ckpt_path", "damaged.ckpt"), "damaged.ckpt: damaged, or not a checkpoint"),
        (("--ckpt_path", "damaged.ckpt", "--output", "model.pt"), "Allowed: .safetensors"),
        (("--ckpt_path", "damaged.ckpt", "--output", "no/model.safetensors"), "folder no does not exist"),
        (("--ckpt_path", "damaged.ckpt", "--output", "there.safetensors"), "exists already"),
        (("--ckpt_path", "there.safetensors", "--output", "new.safetensors"), "not a safetensors file"),
        (("--checkpoint", "damaged.ckpt"), "export:"),
    ],
)
def test_what_cannot_be_exported(bare_workspace, arguments, said):
    for name in ("damaged.ckpt", "there.safetensors"):
        (bare_workspace.folder / name).write_bytes(b"precious")
    outcome = bare_workspace("export", *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert {path.name for path in bare_workspace.folder.iterdir()} == {"damaged.ckpt", "there.safetensors"}
