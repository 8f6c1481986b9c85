"""A model as functions on arrays, for the measures that need more than the codes of a split."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.callbacks.encoding import chunk_size, collect, fixed_sample
from ae_lightning.data.datamodule import ImageDataModule
from ae_lightning.data.overlay import overlay
from ae_lightning.data.splits import ImageSplit
from ae_lightning.draws import Draws
from ae_lightning.evaluation.coder import Coder, Rows
from ae_lightning.evaluation.denoising import MAX_CORRUPTED, CorruptedImages
from ae_lightning.evaluation.encoded import EncodedSplit
from ae_lightning.evaluation.overlay import MAX_OVERLAID, OverlaidImages


def model_coder(model: Autoencoder) -> Coder:
    """Give what measures ask of a model, in eval mode and without gradients.

    Args:
        model: In eval mode; images and codes go to its device in chunks and come back.
    """

    def draw_posterior(images: Rows, seed: int) -> Rows:
        return _with_draws(model, images, "posterior", seed, model.draw_posterior_codes)

    def draw_prior(num: int, seed: int) -> Rows:
        codes: Rows = model.sample_codes(num, seed).float().cpu().numpy()
        return codes

    return Coder(
        encode=lambda images: _in_chunks(model, images, lambda chunk, _: model.encode(chunk)),
        decode=lambda codes: _in_chunks(model, codes, lambda chunk, _: model.decode(chunk)),
        restore=lambda images: _in_chunks(model, images, lambda chunk, _: model.reconstruct(chunk)),
        draw_posterior=draw_posterior,
        draw_prior=draw_prior,
    )


def corrupt_images(model: Autoencoder, evaluated: EncodedSplit, seed: int) -> CorruptedImages:
    """Corrupt images of a split in the model's own way.

    Args:
        model: Knows the corruption.
        evaluated: At most ``MAX_CORRUPTED`` of its images are corrupted.
        seed: Fixes which ones, and the noise.
    """
    clean = evaluated.sample(MAX_CORRUPTED, seed).images
    return CorruptedImages(clean, _with_draws(model, clean, "corruption", seed, model.corrupt))


def overlay_images(data: ImageDataModule, split: ImageSplit, seed: int) -> OverlaidImages | None:
    """Overlay images of a split where ``data.overlay`` asks for it and the split has labels of two classes.

    Args:
        data: Scales the images.
        split: The images, at most ``MAX_OVERLAID`` of which are overlaid.
        seed: Fixes the pairs.
    """
    overlaid = overlay(fixed_sample(split, MAX_OVERLAID), seed) if data.overlay else None
    if overlaid is None:
        return None
    return OverlaidImages(data.scale(overlaid.images).numpy(), overlaid.labels.numpy())


def _with_draws(
    model: Autoencoder, images: Rows, stream: str, seed: int, function: Callable[[Tensor, Draws], Tensor]
) -> Rows:
    """Apply a function that draws; each chunk is a batch of the stream."""

    def apply(chunk: Tensor, number: int) -> Tensor:
        size = len(chunk)
        draws = Draws(seed, stream, (number,), offset=0, num_images=size, global_size=size, device=model.device)
        return function(chunk, draws)

    return _in_chunks(model, images, apply)


def _in_chunks(model: Autoencoder, rows: Rows, function: Callable[[Tensor, int], Tensor]) -> Rows:
    """Apply a function of a chunk and its number."""
    chunks = torch.split(torch.from_numpy(rows), chunk_size(model.spec.shape))
    pieces = (function(chunk.to(model.device), number) for number, chunk in enumerate(chunks))
    return collect(len(rows), pieces).numpy()
