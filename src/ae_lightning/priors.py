"""Distributions that codes are asked to follow."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from ae_lightning.draws import Draws

PriorName = Literal["normal", "mixture", "swiss_roll"]

NUM_COMPONENTS = 10
MIXTURE_RADIUS = 3.0
MIXTURE_STD = 0.5
ROLL_SCALE = 0.2
ROLL_STD = 0.1


def draw_prior(name: PriorName, draws: Draws, latent_dim: int) -> Tensor:
    """Draw a code for each image of a batch.

    `mixture`: 10 Gaussians of standard deviation 0.5 on a circle of radius 3 in the first two dimensions. `swiss_roll`:
    a spiral of one and a half turns in the first two dimensions, up to radius 2.8, with noise of standard deviation 0.1
    (Makhzani et al. 2015, figure 4). Both are N(0, 1) beyond; a code of one dimension has the first of the two.

    Args:
        name: `normal`, `mixture` or `swiss_roll`.
        draws: The random numbers of the batch.
        latent_dim: Length of a code.

    Returns:
        Shape (B, latent_dim), float32.
    """
    z_BL = draws.normal(latent_dim)
    if name == "normal":
        return z_BL
    u_B = draws.uniform()
    if name == "mixture":
        angle_B = (u_B * NUM_COMPONENTS).floor() * (2 * math.pi / NUM_COMPONENTS)
        radius_B, std = torch.full_like(angle_B, MIXTURE_RADIUS), MIXTURE_STD
    else:
        # Uniform along the spiral's length, which grows with the square of the angle.
        angle_B = 1.5 * math.pi * (1 + 8 * u_B).sqrt()
        radius_B, std = ROLL_SCALE * angle_B, ROLL_STD
    centre_B2 = torch.stack([radius_B * angle_B.cos(), radius_B * angle_B.sin()], dim=1)
    in_plane = min(2, latent_dim)
    plane = centre_B2[:, :in_plane] + std * z_BL[:, :in_plane]
    return torch.cat([plane, z_BL[:, in_plane:]], dim=1)
