"""Reconstruction losses, and the output activation that goes with each.

Every loss is **summed over the pixels of an image** and gives one value an image, so that its weight against a KL
term never depends on how a mean was taken. `mse` is Σ (x − x̂)²: a Gaussian likelihood of variance ½, up to a constant.
A loss compares the image with the decoder's output *before* activation: a cross-entropy is stable only there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  (the field's own name for it)
from torch import Tensor

from ae_lightning.checks import require_name
from ae_lightning.errors import ConfigError
from ae_lightning.losses.full_precision import full_precision

ReconstructionName = Literal["mse", "bce", "l1", "softmax"]
OutputActivation = Literal["auto", "identity", "sigmoid", "softmax"]


def mse(x_BCHW: Tensor, y_BCHW: Tensor) -> Tensor:
    """Return Σ (x − y)² over the pixels of each image, shape (B,)."""
    return (x_BCHW - y_BCHW).square().flatten(1).sum(dim=1)


def l1(x_BCHW: Tensor, y_BCHW: Tensor) -> Tensor:
    """Return Σ |x − y| over the pixels of each image, shape (B,)."""
    return (x_BCHW - y_BCHW).abs().flatten(1).sum(dim=1)


def bce(x_BCHW: Tensor, logits_BCHW: Tensor) -> Tensor:
    """Return the binary cross-entropy of each image in nats, summed over its pixels, shape (B,)."""
    return F.binary_cross_entropy_with_logits(logits_BCHW, x_BCHW, reduction="none").flatten(1).sum(dim=1)


def softmax_cross_entropy(x_BCHW: Tensor, logits_BCHW: Tensor) -> Tensor:
    """Return −Σ p log q of each image, with p the image normalised to sum 1 and q a softmax over its pixels.

    Eftimiades's "softmax output with normalized input". An image that is black throughout has no such p; its
    loss is 0.

    Args:
        x_BCHW: Images, not negative.
        logits_BCHW: The decoder's output.

    Returns:
        Nats, shape (B,).
    """
    x_BN = x_BCHW.flatten(1)
    p_BN = x_BN / x_BN.sum(dim=1, keepdim=True).clamp_min(torch.finfo(x_BN.dtype).tiny)
    return -(p_BN * logits_BCHW.flatten(1).log_softmax(dim=1)).sum(dim=1)


def pixel_softmax(logits_BCHW: Tensor) -> Tensor:
    """Return the softmax over all pixels and channels of each image, which then sums to 1."""
    return logits_BCHW.flatten(1).softmax(dim=1).view_as(logits_BCHW)


@dataclass(frozen=True)
class Reconstruction:
    """A reconstruction loss together with its output activation.

    Attributes:
        name: `mse`, `bce`, `l1` or `softmax`.
        output_activation: `identity`, `sigmoid` or `softmax`.
    """

    name: ReconstructionName
    output_activation: Literal["identity", "sigmoid", "softmax"]

    @property
    def is_bounded(self) -> bool:
        """Whether the activation keeps what is decoded in bounds, as those of the samples do."""
        return self.output_activation != "identity"

    def loss(self, x_BCHW: Tensor, output_BCHW: Tensor) -> Tensor:
        """Return the loss of each image, shape (B,), from the decoder's output before activation."""
        output_BCHW = full_precision(output_BCHW)
        if self.name == "bce":
            return bce(x_BCHW, output_BCHW)
        if self.name == "softmax":
            return softmax_cross_entropy(x_BCHW, output_BCHW)
        compare: Callable[[Tensor, Tensor], Tensor] = mse if self.name == "mse" else l1
        return compare(x_BCHW, self.activate(output_BCHW))

    def activate(self, output_BCHW: Tensor, x_BCHW: Tensor | None = None) -> Tensor:
        """Turn the decoder's output into images.

        Args:
            output_BCHW: The decoder's output before activation.
            x_BCHW: The images that were encoded. A softmax's probabilities are multiplied by their sums; without
                them, each image is scaled so that its brightest pixel is 1.

        Returns:
            Images, shape (B, C, H, W), float32.
        """
        output_BCHW = full_precision(output_BCHW)
        if self.output_activation == "identity":
            return output_BCHW
        if self.output_activation == "sigmoid":
            return output_BCHW.sigmoid()
        q_BCHW = pixel_softmax(output_BCHW)
        if x_BCHW is None:
            return q_BCHW / q_BCHW.amax(dim=tuple(range(1, q_BCHW.ndim)), keepdim=True)
        return q_BCHW * full_precision(x_BCHW).sum(dim=tuple(range(1, x_BCHW.ndim)), keepdim=True)


def build_reconstruction(
    name: str, output_activation: str, value_range: tuple[float, float] | None, *, is_linear: bool
) -> Reconstruction:
    """Pair a reconstruction loss with its output activation.

    `auto` is the identity under `mse` and `l1` for a linear network and for values without bounds, else the activation
    that the loss asks for: a sigmoid for `mse`, `l1` and `bce`, a softmax for `softmax`.

    Args:
        name: `mse`, `bce`, `l1` or `softmax`.
        output_activation: `auto`, `identity`, `sigmoid` or `softmax`.
        value_range: Smallest and largest value of a sample; None where values have no bounds.
        is_linear: Whether the network is an affine map each way.

    Raises:
        ConfigError: If a name is unknown, or the loss is not defined for the activation.
    """
    require_name("model.reconstruction", name, ReconstructionName)
    require_name("model.output_activation", output_activation, OutputActivation)
    allowed = {"bce": ("sigmoid",), "softmax": ("softmax",)}.get(name, ("sigmoid", "identity"))
    if value_range != (0.0, 1.0):
        if "identity" not in allowed:
            raise ConfigError(f"model.reconstruction: {name!r} takes values from 0 to 1, which these data's are not")
        allowed = ("identity",)
    if output_activation == "auto":
        output_activation = "identity" if is_linear and "identity" in allowed else allowed[0]
    if output_activation not in allowed:
        raise ConfigError(
            f"model.output_activation: {output_activation!r} does not go with model.reconstruction {name!r}; "
            f"Allowed: auto, {', '.join(allowed)}"
        )
    return Reconstruction(name, output_activation)  # type: ignore[arg-type]
