"""Random draws as functions of where they are used, never of a consumed generator.

A draw depends on the seed, the stream, the batch and the image's position in the *global* batch. Resuming therefore
needs no random state, and two ranks that share a batch draw what one process would.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class Draws:
    """The random numbers of one batch.

    Two calls give two different draws; the same calls in the same order on the same batch give the same ones.

    Args:
        seed: The run's seed.
        stream: What the draws are for, such as `train` or `val`.
        batch: What tells this batch from every other of the stream, such as the epoch and the batch's index.
        offset: Position of this rank's first image in the global batch.
        num_images: Images of the batch on this rank.
        global_size: Images of the batch on all ranks.
        device: Where the numbers are wanted.
    """

    def __init__(
        self,
        seed: int,
        stream: str,
        batch: Sequence[int],
        *,
        offset: int,
        num_images: int,
        global_size: int,
        device: torch.device,
    ) -> None:
        self._rows = slice(offset, offset + num_images)
        self._global_size = global_size
        self._device = device
        key = "/".join(map(str, (seed, stream, *batch)))
        digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
        # Generators take signed 64-bit seeds.
        self._generator = torch.Generator(device).manual_seed(int.from_bytes(digest, "big") >> 1)

    def normal(self, *shape: int) -> Tensor:
        """Draw from N(0, 1): shape (num_images, *shape), float32."""
        return self._draw(torch.randn, shape)

    def uniform(self, *shape: int) -> Tensor:
        """Draw from U[0, 1): shape (num_images, *shape), float32."""
        return self._draw(torch.rand, shape)

    def rademacher(self, *shape: int) -> Tensor:
        """Draw −1 or 1, each as likely: shape (num_images, *shape), float32."""
        return (self.uniform(*shape) < 0.5).float() * 2 - 1

    def seeds(self) -> Tensor:
        """Draw a seed for other generators from each of 0 to 2³² − 1: shape (num_images,), int64, on the processor."""
        seeds = torch.randint(2**32, (self._global_size,), generator=self._generator, device=self._device)
        return seeds[self._rows].cpu()

    def _draw(self, function: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        # Double precision's default type would draw other numbers.
        settings = {"generator": self._generator, "device": self._device, "dtype": torch.float32}
        return function(self._global_size, *shape, **settings)[self._rows]
