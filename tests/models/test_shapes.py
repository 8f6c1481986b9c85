"""Networks whose parts do not fit are refused when the model is built."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ae_lightning.errors import ConfigError
from ae_lightning.networks import Conv, Linear
from ae_lightning.spec import DataSpec
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE


class OneChannel(Linear):
    """Decodes to one channel, whatever a sample has."""

    def build_decoder(self, code, spec):
        return super().build_decoder(code, DataSpec((1, *spec.shape[1:])))


class OneOutput(Linear):
    """Encodes to one number, whatever is asked for."""

    def build_encoder(self, spec, code):
        return super().build_encoder(spec, 1)


class OtherCode(Linear):
    """Decodes codes of seven numbers alone."""

    def build_decoder(self, code, spec):
        return super().build_decoder(7, spec)


class WholeBatch(Linear):
    """Encodes a batch to one row."""

    def build_encoder(self, spec, code):
        return nn.Sequential(nn.Flatten(), nn.Linear(spec.num_values, code), nn.Flatten(0))


@pytest.mark.parametrize(
    ("variant", "network", "said"),
    [
        (VanillaAE, OneChannel(), "its decoder gives 1 × 8 × 8, and a sample is 3 × 8 × 8"),
        (VAE, OneOutput(), r"its encoder gives \(1,\), where 8 numbers are needed"),
        (VanillaAE, OtherCode(), "its decoder takes no 4 "),
        (VanillaAE, WholeBatch(), "of 2 inputs its encoder makes 8, not one row each"),
    ],
    ids=["one channel of three", "too few outputs", "another code", "one row a batch"],
)
def test_what_would_fail_or_be_broadcast_in_training_is_refused(variant, network, said):
    with pytest.raises(ConfigError, match=rf"^model\.network: {said}"):
        variant(spec=DataSpec((3, 8, 8)), network=network, latent_dim=4)


def test_trying_leaves_statistics_and_modes_alone():
    torch.manual_seed(0)
    model = VanillaAE(spec=DataSpec((1, 8, 8)), network=Conv(filters=[4], batch_norm=True))
    norm = next(layer for layer in model.encoder.modules() if isinstance(layer, nn.BatchNorm2d))
    assert norm.training
    assert norm.num_batches_tracked == 0
    assert torch.equal(norm.running_var, torch.ones(4))
