"""One pass over a split: codes and reconstructions, from every rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.data.datamodule import ImageDataModule
from ae_lightning.data.opened_data import SplitName
from ae_lightning.data.splits import ImageSplit
from ae_lightning.evaluation.encoded import EncodedSplit

CHUNK_SIZE = 1024
"""Images that go through a model at once, at most."""

MAX_CHUNK_BYTES = 1 << 26
"""Bytes of 32-bit images that go through a model at once, at most: larger images come in smaller chunks."""


def encode_split(
    trainer: pl.Trainer,
    model: Autoencoder,
    data: ImageDataModule,
    split_name: SplitName,
    *,
    num_images: int | None = None,
    reconstruct: bool = True,
) -> EncodedSplit:
    """Encode a split, in 32-bit, each rank its share, and gather the result on all of them.

    The device holds one chunk at a time; what it makes of the chunks is put together on the CPU.

    Args:
        trainer: Knows the ranks.
        model: In eval mode.
        data: Holds the split.
        split_name: `train`, `val` or `test`.
        num_images: Encode only that many, always the same ones; None for all.
        reconstruct: Whether the reconstructions are wanted too.

    Returns:
        Images, codes, reconstructions and labels in the order of the split.
    """
    split = fixed_sample(data.split(split_name), num_images)
    images = data.scale(split.images)
    in_chunks = partial(_on_all_ranks, trainer, len(images), chunk_size(images.shape[1:]))
    codes = collect(len(images), in_chunks(lambda chosen: model.encode(_on(model, images[chosen]))))
    reconstructions = None
    if reconstruct:
        decoded = in_chunks(lambda chosen: model.decode_like(_on(model, codes[chosen]), _on(model, images[chosen])))
        reconstructions = collect(len(images), decoded).numpy()
    return EncodedSplit(
        images=np.ascontiguousarray(images.numpy()),
        codes=codes.numpy(),
        reconstructions=reconstructions,
        labels=None if split.labels is None else split.labels.numpy(),
    )


def fixed_sample(split: ImageSplit, num_images: int | None) -> ImageSplit:
    """Return a subset that is the same every time, so that curves over epochs compare like with like.

    Args:
        split: Any split.
        num_images: Size of the subset; None, or more than there are, for the split itself.
    """
    if num_images is None or num_images >= len(split):
        return split
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    return split.select(order[:num_images].sort().values)


def chunk_size(image_shape: Sequence[int]) -> int:
    """Return how many images of a shape (C, H, W) go through a model at once, at least 1."""
    return min(CHUNK_SIZE, num_within(MAX_CHUNK_BYTES, image_shape))


def num_within(num_bytes: int, shape: Sequence[int]) -> int:
    """Return how many 32-bit images, or codes, of a shape so many bytes hold, at least 1."""
    return max(1, num_bytes // (4 * math.prod(shape)))


def collect(num_rows: int, pieces: Iterable[Tensor]) -> Tensor:
    """Put rows together on the CPU, each piece as it comes, without gradients.

    Args:
        num_rows: Rows of all pieces.
        pieces: On any device, the first axes of which are the rows.

    Returns:
        float32, shape (num_rows, …).
    """
    rows: Tensor | None = None
    end = 0
    with torch.no_grad():
        for piece in pieces:
            if rows is None:
                rows = torch.empty(num_rows, *piece.shape[1:], dtype=torch.float32)
            rows[end : end + len(piece)] = piece
            end += len(piece)
    assert rows is not None
    return rows


def _on(model: Autoencoder, tensor: Tensor) -> Tensor:
    return tensor.to(model.device)


def _on_all_ranks(
    trainer: pl.Trainer, num_rows: int, size: int, function: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """Apply a function to positions, rank r taking every world_size-th from r; yield results in order, in blocks."""
    num_ranks = trainer.world_size
    for block in torch.split(torch.arange(num_rows), size * num_ranks):
        # The last block may not go round: the last position is taken again, so that all ranks gather as many.
        own = torch.arange(-(-len(block) // num_ranks)) * num_ranks + trainer.global_rank
        result = function(block[own.clamp(max=len(block) - 1)])
        if num_ranks > 1:
            result = trainer.strategy.all_gather(result.contiguous()).transpose(0, 1).flatten(0, 1)[: len(block)]
        yield result
