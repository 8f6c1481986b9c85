"""A network that tells codes from draws of a prior."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from ae_lightning.checks import require_at_least


def build_discriminator(latent_dim: int, hidden: Sequence[int]) -> nn.Sequential:
    """Build the map from codes (B, latent_dim) to the logit of being a draw of the prior, (B, 1).

    Args:
        latent_dim: Length of a code.
        hidden: Widths of the hidden layers, each followed by a leaky ReLU.

    Raises:
        ConfigError: If a width is below 1.
    """
    widths = [latent_dim, *(require_at_least("model.discriminator_hidden", width) for width in hidden)]
    layers = [nn.Sequential(nn.Linear(a, b), nn.LeakyReLU(0.2)) for a, b in pairwise(widths)]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 1))
