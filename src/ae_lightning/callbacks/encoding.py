"""A model as functions on arrays, and one pass of a split through it, from every rank."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from ae_lightning.data.foreign import SeenData
from ae_lightning.data.overlay import overlay
from ae_lightning.data.splits import Split, SplitName, rows_of
from ae_lightning.draws import Draws
from ae_lightning.judging.altered_images import MAX_CORRUPTED, MAX_OVERLAID, CorruptedImages, OverlaidImages
from ae_lightning.judging.chunks import CACHED_SIZE, chunk_size
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.numpy_model import Labels, NumpyModel, NumpySampler, Rows
from ae_lightning.models.autoencoder import Autoencoder


def encode_split(
    trainer: pl.Trainer | None,
    model: Autoencoder,
    data: SeenData,
    split_name: SplitName,
    *,
    num_images: int | None = None,
    reconstruct: bool = True,
) -> EncodedSplit:
    """Encode a split, in 32-bit, each rank its share, and gather the result on all of them.

    The device holds one chunk at a time; what it makes of the chunks is put together on the CPU.

    Args:
        trainer: Knows the ranks; None where there are none.
        model: In eval mode.
        data: Holds the split.
        split_name: `train`, `val` or `test`.
        num_images: Encode only that many, always the same ones; None for all.
        reconstruct: Whether the reconstructions are wanted too.

    Returns:
        Samples, codes, latents, reconstructions and labels in the order of the split.
    """
    split = fixed_sample(data.split(split_name), num_images)
    x = data.scale(split.x)
    size = _size_at_once(model)
    in_chunks = partial(_on_all_ranks, trainer, len(x), size)
    given = split.labels_or_missing() if model.needs_labels else None

    def encode(chosen: Tensor) -> Tensor:
        return model.encode(_on(model, x[chosen]), None if given is None else _on(model, given[chosen]))

    def decode(chosen: Tensor) -> Tensor:
        known = None if given is None else _on(model, given[chosen])
        return model.decode_like(_on(model, latents[chosen]), _on(model, x[chosen]), known)

    latents = collect(len(x), in_chunks(encode))
    codes = latents.flatten(1)
    if not model.has_vector_codes:
        codes = collect(len(x), (model.features(_on(model, piece)) for piece in torch.split(latents, size)))
    return EncodedSplit(
        x=np.ascontiguousarray(x.numpy()),
        codes=codes.numpy(),
        reconstructions=collect(len(x), in_chunks(decode)).numpy() if reconstruct else None,
        labels=None if split.labels is None else split.labels.numpy(),
        latents=None if model.has_vector_codes else latents.numpy(),
        value_range=data.spec.value_range,
    )


def fixed_sample(split: Split, num_images: int | None) -> Split:
    """Return a subset that is the same every time, so that curves over epochs compare like with like.

    Args:
        split: Any split.
        num_images: Size of the subset; None, or more than there are, for the split itself.
    """
    if num_images is None or num_images >= len(split):
        return split
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    return split.select(order[:num_images].sort().values)


def collect(num_rows: int, pieces: Iterable[Tensor]) -> Tensor:
    """Put rows together on the CPU, each piece as it comes, without gradients.

    Args:
        num_rows: Rows of all pieces.
        pieces: On any device, the first axes of which are the rows.

    Returns:
        Shape (num_rows, …): float32, or int64 where the pieces hold whole numbers.
    """
    rows: Tensor | None = None
    end = 0
    with torch.no_grad():
        for piece in pieces:
            if rows is None:
                dtype = torch.float32 if piece.is_floating_point() else torch.int64
                rows = torch.empty(num_rows, *piece.shape[1:], dtype=dtype)
            rows[end : end + len(piece)] = piece
            end += len(piece)
    assert rows is not None
    return rows


def _size_at_once(model: Autoencoder) -> int:
    """Return how many samples go through a model at once, where nothing is drawn for them."""
    size = chunk_size(model.spec.shape)
    return min(size, CACHED_SIZE) if model.device.type == "cpu" else size


def _on(model: Autoencoder, tensor: Tensor) -> Tensor:
    return tensor.to(model.device)


def _on_all_ranks(
    trainer: pl.Trainer | None, num_rows: int, size: int, function: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """Apply a function to positions, rank r taking every world_size-th from r; yield results in order, in blocks."""
    rank, num_ranks = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
    for block in torch.split(torch.arange(num_rows), size * num_ranks):
        # The last block may not go round: the last position is taken again, so that all ranks gather as many.
        own = torch.arange(-(-len(block) // num_ranks)) * num_ranks + rank
        result = function(block[own.clamp(max=len(block) - 1)])
        if trainer is not None and num_ranks > 1:
            result = trainer.strategy.all_gather(result.contiguous()).transpose(0, 1).flatten(0, 1)[: len(block)]
        yield result


def numpy_model(model: Autoencoder) -> NumpyModel:
    """Give what measures ask of a model, in eval mode and without gradients.

    Args:
        model: In eval mode; images and codes go to its device in chunks and come back.
    """

    def classes(num: int, given: Labels | None) -> Tensor | None:
        """Return what a model that needs labels is given: where nothing is said, one class after the other."""
        return model.classes_in_turn(num) if given is None or not model.needs_labels else torch.from_numpy(given)

    def encode(images: Rows, given: Labels | None = None) -> Rows:
        known = classes(len(images), given)
        return _in_chunks(model, images, lambda chunk, _, part: model.features(model.encode(chunk, part)), known)

    def decode(latents: Rows, given: Labels | None = None) -> Rows:
        known = classes(len(latents), given)
        if model.has_vector_codes:
            # Those of a map come as measures see them: as vectors.
            latents = latents.reshape(-1, *model.code_shape)
        return _in_chunks(model, latents, lambda chunk, _, part: model.decode(chunk, part), known)

    def restore(images: Rows, given: Labels | None = None, like: Rows | None = None) -> Rows:
        targets = images if like is None else like

        def reconstruct(chunk: Tensor, start: int, part: Tensor | None) -> Tensor:
            target = torch.from_numpy(targets[start : start + len(chunk)])
            return model.decode_like(model.encode(chunk, part), _on(model, target), part)

        return _in_chunks(model, images, reconstruct, classes(len(images), given))

    def draw_posterior(images: Rows, seed: int, given: Labels | None = None) -> Rows:
        def draw(chunk: Tensor, draws: Draws, part: Tensor | None) -> Tensor:
            return model.features(model.draw_posterior_codes(chunk, draws, part))

        return _with_draws(model, images, "posterior", seed, draw, classes(len(images), given))

    def features(latents: Rows) -> Rows:
        return _in_chunks(model, latents, lambda chunk, _, __: model.features(chunk))

    def assign(latents: Rows) -> Rows:
        return _in_chunks(model, latents, lambda chunk, _, __: model.assign(chunk))

    sampler = model.sampler if model.sampler.needs_codes else None
    return NumpyModel(
        encode,
        decode,
        restore,
        draw_posterior,
        model.prior_rows,
        features,
        assign=assign if model.has("assign") else None,
        code_bits=model.code_bits(),
        is_bounded=model.reconstruction.is_bounded,
        num_given=model.spec.num_classes if model.needs_labels else 0,
        sampler=None if sampler is None else NumpySampler(type(sampler).__name__, sampler.draw),
    )


def draw_training_latents(
    model: Autoencoder, data: SeenData, num_samples: int, seed: int
) -> tuple[Rows, Labels | None]:
    """Return latents of the train split as training draws them, and the classes that a model that needs labels has.

    Args:
        model: In eval mode.
        data: Holds the split; of a stream, the sample of it that measures look at.
        num_samples: At most so many of them, always the same ones.
        seed: Fixes what is drawn.
    """
    split = fixed_sample(data.split("train"), num_samples)
    given = split.labels_or_missing() if model.needs_labels else None

    def pieces() -> Iterator[Tensor]:
        for number, rows in enumerate(torch.split(torch.arange(len(split)), chunk_size(model.spec.shape))):
            size = len(rows)
            draws = Draws(seed, "codes", (number,), offset=0, num_images=size, global_size=size, device=model.device)
            known = None if given is None else _on(model, given[rows])
            yield model.draw_posterior_codes(data.scale(_on(model, rows_of(split.x, rows))), draws, known)

    return collect(len(split), pieces()).numpy(), None if given is None else given.numpy()


def corrupt_images(model: Autoencoder, evaluated: EncodedSplit, seed: int) -> CorruptedImages:
    """Corrupt images of a split in the model's own way.

    Args:
        model: Knows the corruption.
        evaluated: At most ``MAX_CORRUPTED`` of its images are corrupted.
        seed: Fixes which ones, and the noise.
    """
    chosen = evaluated.sample(MAX_CORRUPTED, seed)
    return CorruptedImages(chosen.x, corrupt(model, chosen.x, seed), chosen.labels)


def corrupt(model: Autoencoder, images: Rows, seed: int) -> Rows:
    """Corrupt images in the model's own way; the seed fixes the noise."""
    return _with_draws(model, images, "corruption", seed, lambda chunk, draws, _: model.corrupt(chunk, draws))


def augment(data: SeenData, device: torch.device, images: Rows, seed: int) -> Rows:
    """Augment images as the data's training does, on the device that it takes; the seed fixes the draw."""
    return data.augment(torch.from_numpy(images).to(device), seed).cpu().numpy()


def overlay_images(data: SeenData, split: Split, seed: int) -> OverlaidImages | None:
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
    model: Autoencoder,
    images: Rows,
    stream: str,
    seed: int,
    function: Callable[[Tensor, Draws, Tensor | None], Tensor],
    given: Tensor | None = None,
) -> Rows:
    """Apply a function that draws; each chunk is a batch of the stream."""
    whole = chunk_size(model.spec.shape)

    def apply(chunk: Tensor, start: int, part: Tensor | None) -> Tensor:
        size, key = len(chunk), (start // whole,)
        draws = Draws(seed, stream, key, offset=0, num_images=size, global_size=size, device=model.device)
        return function(chunk, draws, part)

    return _in_chunks(model, images, apply, given, whole)


def _in_chunks(
    model: Autoencoder,
    rows: Rows,
    function: Callable[[Tensor, int, Tensor | None], Tensor],
    given: Tensor | None = None,
    size: int | None = None,
) -> Rows:
    """Apply a function of a chunk, the row that it starts at, and the classes given with it."""
    size = size or _size_at_once(model)
    pieces = (
        function(
            _on(model, torch.from_numpy(rows[start : start + size])),
            start,
            None if given is None else _on(model, given[start : start + size]),
        )
        for start in range(0, len(rows), size)
    )
    return collect(len(rows), pieces).numpy()
