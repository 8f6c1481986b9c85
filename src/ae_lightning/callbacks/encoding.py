"""One pass over a split: codes and reconstructions, from every rank."""

from __future__ import annotations

from collections.abc import Callable

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.data.contents import SplitName
from ae_lightning.data.datamodule import ImageDataModule
from ae_lightning.data.splits import ImageSplit
from ae_lightning.evaluation.encoded import EncodedSplit

CHUNK_SIZE = 1024
"""Images encoded at once: bounds the memory, whatever the size of the split."""


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
    codes = _on_all_ranks(trainer, model, images, model.encode)
    reconstructions = None
    if reconstruct:
        both = torch.arange(len(images))
        reconstructions = _on_all_ranks(
            trainer,
            model,
            both,
            lambda chosen: model.decode_like(_on(model, codes[chosen]), _on(model, images[chosen])),
        ).numpy()
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


def _on(model: Autoencoder, tensor: Tensor) -> Tensor:
    return tensor.to(model.device)


def _on_all_ranks(
    trainer: pl.Trainer, model: Autoencoder, rows: Tensor, function: Callable[[Tensor], Tensor]
) -> Tensor:
    """Apply a function to rows, chunk by chunk, rank r taking rows r, r + world_size, …; the results in order."""
    own = rows[trainer.global_rank :: trainer.world_size]
    with torch.no_grad():
        results = torch.cat([function(_on(model, chunk)).float() for chunk in torch.split(own, CHUNK_SIZE)])
    if trainer.world_size == 1:
        return results.cpu()
    padded = torch.zeros(-(-len(rows) // trainer.world_size), *results.shape[1:], device=results.device)
    padded[: len(results)] = results
    gathered: Tensor = trainer.strategy.all_gather(padded)
    return gathered.transpose(0, 1).flatten(0, 1)[: len(rows)].cpu()
