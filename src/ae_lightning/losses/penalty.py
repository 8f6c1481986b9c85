"""Penalties on codes and on the encoder's Jacobian."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def l1_activity(z_BL: Tensor) -> Tensor:
    """Return Σ_j |z_j| of each image, shape (B,)."""
    return z_BL.abs().flatten(1).sum(dim=1)


def keep_largest(z_BL: Tensor, k: int) -> Tensor:
    """Keep the k largest activations of each code and set the others to 0 (Makhzani & Frey 2014, algorithm 1).

    Args:
        z_BL: Codes, shape (B, L), or maps (B, L, h, w), whose activations are all of one code.
        k: Activations to keep; all of them if there are no more.
    """
    activations_BN = z_BL.flatten(1)
    indices = activations_BN.topk(min(k, activations_BN.shape[1]), dim=1).indices
    kept_BN = torch.zeros_like(activations_BN).scatter(1, indices, activations_BN.gather(1, indices))
    return kept_BN.view(z_BL.shape)


def latent_cycle(z_BL: Tensor, cycled_BL: Tensor) -> Tensor:
    """Return ‖z − f(g(z))‖² of each code, shape (B,) (Eftimiades's double autoencoder)."""
    return (z_BL - cycled_BL).square().flatten(1).sum(dim=1)


def jacobian_norm(encode: Callable[[Tensor], Tensor], x_BCHW: Tensor, v_BL: Tensor) -> Tensor:
    """Estimate ‖∂f/∂x‖²_F of each image by one product with a random vector: E ‖vᵀ ∂f/∂x‖² (Hutchinson 1990).

    With A = ∂f/∂x (∂f/∂x)ᵀ the variance is 2 ‖A‖²_F for draws from N(0, I), and less by 2 Σ_j A_jj² for random signs,
    which have the least of all: none where A is diagonal.

    Args:
        encode: From images to codes, each code a function of its own image alone.
        x_BCHW: Images.
        v_BL: Of independent numbers of mean 0 and variance 1, one vector a code: best −1 and 1, each as likely.

    Returns:
        Unbiased estimates, shape (B,), differentiable in the encoder's parameters.
    """
    product = torch.func.vjp(encode, x_BCHW)[1]
    gradient_BCHW: Tensor = product(v_BL)[0]
    return gradient_BCHW.square().flatten(1).sum(dim=1)


def exact_jacobian_norm(encode: Callable[[Tensor], Tensor], x_BCHW: Tensor) -> Tensor:
    """Return ‖∂f/∂x‖²_F of each image, from one product a code dimension (Rifai et al. 2011, equation 2).

    Args:
        encode: From images to codes, each code a function of its own image alone.
        x_BCHW: Images.

    Returns:
        Shape (B,), differentiable in the encoder's parameters.
    """
    z_BL, product = torch.func.vjp(encode, x_BCHW)[:2]
    directions_LL = torch.eye(z_BL.shape[1], dtype=z_BL.dtype, device=z_BL.device)
    norms = [product(direction_L.expand_as(z_BL))[0] for direction_L in directions_LL]
    return torch.stack([norm.square().flatten(1).sum(dim=1) for norm in norms]).sum(dim=0)
