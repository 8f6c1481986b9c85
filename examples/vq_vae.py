"""A VQ-VAE: each place of a small map is one of K learnt vectors, and an image becomes a grid of whole numbers.

    python -m ae_lightning fit --model vq_vae.VQVAE --model.latent_dim 16 --model.codebook_size 64

with this file's folder on PYTHONPATH. PCA stands beside it at the same number of bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ae_lightning.checks import require_at_least, require_non_negative
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.losses.full_precision import autocast_off, full_precision
from ae_lightning.models.autoencoder import Autoencoder


class VQVAE(Autoencoder):
    """Minimise rec(x, g(q(f(x)))) + ‖sg[f(x)] − e‖² + β·‖f(x) − sg[e]‖² (van den Oord et al. 2017, equation 3).

    q puts the nearest vector e of the codebook in the place of each vector of the encoder's map; sg stops gradients,
    and the reconstruction's gradient passes q as if it were not there. A latent is the grid of the vectors' numbers.

    Args:
        codebook_size: K, how many vectors there are.
        commitment: β, how strongly the encoder is drawn to its vectors.

    Raises:
        ConfigError: If there is no vector or the commitment negative.
    """

    codes_are_maps: ClassVar[bool] = True

    def __init__(self, *, codebook_size: int = 64, commitment: float = 0.25, **options: Any) -> None:
        super().__init__(**options)
        self.codebook_size = require_at_least("model.codebook_size", codebook_size)
        self.commitment = require_non_negative("model.commitment", commitment)
        self.codebook = nn.Embedding(codebook_size, self.latent_dim)
        nn.init.normal_(self.codebook.weight, std=0.5)

    def nearest(self, map_BLHW: Tensor) -> Tensor:
        """Return the number of the codebook's nearest vector at each place of a map, int64, shape (B, h, w)."""
        vectors, entries = map_BLHW.permute(0, 2, 3, 1).flatten(0, 2), self.codebook.weight
        # In 16 bits the nearest of two vectors that lie close together would be a matter of rounding.
        with autocast_off(vectors):
            products = full_precision(vectors) @ entries.T
        nearest = (entries.square().sum(dim=1) - 2 * products).argmin(dim=1)
        return nearest.view(len(map_BLHW), *map_BLHW.shape[2:])

    def vectors(self, indices_BHW: Tensor) -> Tensor:
        """Return the map of the codebook's vectors, shape (B, L, h, w)."""
        embedded: Tensor = self.codebook(indices_BHW)
        return embedded.permute(0, 3, 1, 2)

    def encode(self, x: Tensor, given: Tensor | None = None) -> Tensor:
        """Return the grid of numbers of each sample, int64, shape (B, h, w)."""
        return self.nearest(self.encoder_output(x, given))

    def features(self, latent: Tensor) -> Tensor:
        """Return the vectors that the numbers stand for, side by side: shape (B, L·h·w)."""
        return self.vectors(latent).flatten(1).float()

    def decoder_output(self, latent: Tensor, given: Tensor | None = None) -> Tensor:
        """Return what the decoder makes of numbers, or of vectors in their place."""
        return super().decoder_output(latent if latent.is_floating_point() else self.vectors(latent), given)

    def code_bits(self) -> float:
        """Return the bits of a grid whose numbers are sent as they are: h·w·log₂ K."""
        return math.prod(self.code_shape[1:]) * math.log2(self.codebook_size)

    def draw_prior(self, draws: Draws, given: Tensor | None = None) -> Tensor:
        """Draw grids of numbers, each as likely as any other: int64, shape (B, h, w)."""
        shares = draws.uniform(*self.code_shape[1:])
        return (shares * self.codebook_size).long().clamp(max=self.codebook_size - 1)

    def loss_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return reconstruction, codebook and commitment term of each sample, shape (B,)."""
        map_BLHW = self.encoder_output(batch.x, batch.labels)
        quantised = self.vectors(self.nearest(map_BLHW))
        straight_through = map_BLHW + (quantised - map_BLHW).detach()
        return {
            "reconstruction": self.reconstruction_term(batch, straight_through),
            "codebook": (quantised - map_BLHW.detach()).square().flatten(1).sum(dim=1),
            "commitment": (map_BLHW - quantised.detach()).square().flatten(1).sum(dim=1),
        }

    def term_weights(self) -> Mapping[str, float]:
        """Weigh the commitment."""
        return {"commitment": self.commitment}

    @torch.no_grad()
    def usage(self, latent: Tensor) -> Tensor:
        """Return the share of places that each vector of the codebook stands at, shape (K,)."""
        return torch.bincount(latent.flatten(), minlength=self.codebook_size) / latent.numel()
