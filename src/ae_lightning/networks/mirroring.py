"""Encoders and decoders as pairs of stages, each of which can be trained without the others."""

from __future__ import annotations

import torch
from torch import nn

from ae_lightning.errors import ConfigError
from ae_lightning.spec import DataSpec


def require_mirrored(network: str, encoder: nn.Sequential, decoder: nn.Sequential, spec: DataSpec) -> None:
    """Refuse a network that cannot be divided: decoder stage n − 1 − i must undo encoder stage i.

    Args:
        network: Its name, for the error.
        encoder: Takes samples (B, *spec.shape).
        decoder: Takes what the encoder gives.
        spec: What a sample is.

    Raises:
        ConfigError: If they have not as many stages, or a stage gives another shape than the one it undoes was given.
    """
    cannot = f"model.network: {network} cannot be trained layer by layer;"
    if len(encoder) != len(decoder):
        raise ConfigError(f"{cannot} its encoder has {len(encoder)} stages and its decoder {len(decoder)}")
    encoder.eval()
    decoder.eval()
    given = torch.zeros(1, *spec.shape)
    for number, (stage, undoing) in enumerate(zip(encoder, reversed(decoder), strict=True), start=1):
        with torch.no_grad():
            hidden = stage(given)
            try:
                found = tuple(undoing(hidden).shape[1:])
            except RuntimeError:
                found = None
        expected = tuple(given.shape[1:])
        if found != expected:
            said = f"fails on {tuple(hidden.shape[1:])}" if found is None else f"gives {found}"
            raise ConfigError(f"{cannot} stage {number} of the encoder takes {expected}, and the one to undo it {said}")
        given = hidden
    encoder.train()
    decoder.train()
