"""`GaussianBlur`: out of focus."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.data.augmentations.arguments import Numbers, is_number, positive_interval, sides, uniform
from ae_lightning.data.augmentations.resampling import mixed
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError


class GaussianBlur(Augmentation[Tensor]):
    """Average each pixel with its neighbours, under the weights of a Gaussian; images are mirrored at their edges.

    Args:
        kernel_size: Neighbours along x and along y, itself included, odd; or one number for both.
        sigma: Standard deviation in pixels, or the least and largest one.

    Raises:
        ConfigError: If an argument is not as described.
    """

    def __init__(self, kernel_size: int | Sequence[int], sigma: Numbers = (0.1, 2.0)) -> None:
        self.kernel_size = kernel_size
        self.sigma = sigma
        self._across, self._down = sides(f"{self.key}.kernel_size", kernel_size)
        if self._across % 2 == 0 or self._down % 2 == 0:
            raise ConfigError(f"{self.key}.kernel_size: {kernel_size!r} is not allowed; its numbers must be odd")
        ends = [sigma, sigma] if is_number(sigma) else sigma
        self._sigma = positive_interval(f"{self.key}.sigma", ends)

    def require_takes(self, shape: tuple[int, int, int], value_range: Range | None) -> None:
        """Refuse images that cannot be mirrored as far as a kernel reaches."""
        for side, size in zip(shape[1:], (self._down, self._across), strict=True):
            if size // 2 >= side:
                raise ConfigError(
                    f"{self.key}.kernel_size: {size} is too large for {side} pixels; at most {2 * side - 1} is allowed"
                )

    def draw(self, draws: Draws, shape: tuple[int, int, int]) -> Tensor:
        """Draw each image's standard deviation: shape (B,)."""
        return uniform(draws.uniform(), self._sigma)

    def change(self, x_BCHW: Tensor, drawn: Tensor, value_range: Range | None) -> Tensor:
        """Blur each image with its own kernel."""
        height, width = x_BCHW.shape[2:]
        blurred = mixed(x_BCHW, _weights(drawn, self._down, height), _weights(drawn, self._across, width))
        # Products may be rounded: on a GPU, to ten bits.
        return blurred if value_range is None else blurred.clamp(*value_range)


def _weights(sigma_B: Tensor, size: int, side: int) -> Tensor:
    """Return what each place along an axis takes from every other: shape (B, side, side)."""
    reach = size // 2
    distances_k = torch.arange(-reach, reach + 1, device=sigma_B.device, dtype=torch.float32)
    kernels_Bk = (-0.5 * (distances_k / sigma_B[:, None]).square()).softmax(dim=1)
    places = torch.arange(side, device=sigma_B.device)
    taken_kS = places + distances_k.long()[:, None]
    taken_kS = (side - 1) - ((side - 1) - taken_kS.abs()).abs()
    chosen_kSS = (taken_kS[:, :, None] == places).float()
    return (kernels_Bk @ chosen_kSS.flatten(1)).view(-1, side, side)
