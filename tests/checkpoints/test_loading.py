"""Checkpoints that are whole and yet hold no training, or no weights: one line, whoever reads them."""

from __future__ import annotations

import pytest
import torch

from ae_lightning.data.datamodule import DataModule
from ae_lightning.networks import Linear
from ae_lightning.testing.training import build_trainer
from ae_lightning.variants.vae import VAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")


@pytest.fixture
def trained(bare_workspace):
    """A Trainer after a step, in the working directory."""
    data = DataModule(name="digits", batch_size=512)
    trainer = build_trainer(1, max_steps=1)
    trainer.fit(VAE(spec=data.spec, network=Linear(), latent_dim=2), data)
    return trainer


def refusal(outcome):
    assert outcome.code == 2, outcome.err
    (line,) = outcome.err.splitlines()
    return line


def test_fit_does_not_go_on_from_weights_alone(bare_workspace, trained):
    trained.save_checkpoint("weights.ckpt", weights_only=True)
    assert "weights.ckpt: holds weights alone" in refusal(bare_workspace("fit", "--ckpt_path", "weights.ckpt"))


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
