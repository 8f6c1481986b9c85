"""Losses of a discriminator that tells draws of the prior from codes, and of the encoder that fools it."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from ae_lightning.losses.full_precision import full_precision


def discriminator_loss(prior_logits_B1: Tensor, code_logits_B1: Tensor) -> Tensor:
    """Return the discriminator's cross-entropy of each pair of a draw and a code, in nats, shape (B,).

    −log D(z') − log(1 − D(f(x))), Goodfellow et al. 2014, equation 1, in the words of Makhzani et al. 2015.

    Args:
        prior_logits_B1: Logits of draws of the prior.
        code_logits_B1: Logits of codes.
    """
    return (softplus(-full_precision(prior_logits_B1)) + softplus(full_precision(code_logits_B1))).squeeze(1)


def encoder_loss(code_logits_B1: Tensor) -> Tensor:
    """Return the encoder's cross-entropy of each code, −log D(f(x)), in nats, shape (B,).

    The form that does not vanish while the discriminator wins (Goodfellow et al. 2014, section 3).
    """
    return softplus(-full_precision(code_logits_B1)).squeeze(1)
