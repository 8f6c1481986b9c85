"""The autoencoders of a comparison on the same images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from ae_lightning.callbacks.encoding import fixed_sample, numpy_model
from ae_lightning.checkpoints.data import data_of_checkpoint
from ae_lightning.checkpoints.files import BEST_CHECKPOINT, LAST_CHECKPOINT
from ae_lightning.checkpoints.loading import load_autoencoder, read_checkpoint
from ae_lightning.compare.table import Row
from ae_lightning.data.splits import Split
from ae_lightning.errors import CheckpointError, UserError
from ae_lightning.judging.chunks import chunk_size, num_within
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.pictures.latent_grid import grid_codes, grid_side
from ae_lightning.models.autoencoder import Autoencoder

NUM_IMAGES = 2000
"""Images of the split that every autoencoder reconstructs, as far as memory allows."""

MAX_BYTES = 64 * 2**20
"""Of one autoencoder's images."""

SeenImages = dict[tuple[tuple[int, ...], bytes], NDArray[np.float32]]
"""Images of a split by shape and content."""


@dataclass(frozen=True, eq=False)  # arrays have no single truth to compare by
class ComparedModel:
    """An autoencoder with what it made of the images.

    Attributes:
        label: What the report calls it.
        latent_dim: Length of a code.
        encoded: Samples, codes, reconstructions and labels.
        class_names: Names of the data set's classes, if it has any.
        decoded_grid: What the grid of 2-D codes decodes to, shape (N, C, H, W); None in other dimensions, and where
            samples are no images.
    """

    label: str
    latent_dim: int
    encoded: EncodedSplit
    class_names: tuple[str, ...] | None
    decoded_grid: NDArray[np.float32] | None


@dataclass(frozen=True)
class ComparedModels:
    """The autoencoders that could be loaded and saw the same images.

    Attributes:
        found: These.
        left_out: Label and reason of each of the others.
    """

    found: tuple[ComparedModel, ...]
    left_out: dict[str, str]


def load_compared_models(rows: Sequence[Row], stage: str) -> ComparedModels:
    """Load the first run of each row from its best checkpoint and let it reconstruct the split's images.

    Runs whose checkpoint is gone are left out, and so are those that saw other images than most.

    Args:
        rows: Of the comparison.
        stage: `val` or `test`.
    """
    found: list[ComparedModel] = []
    left_out: dict[str, str] = {}
    seen: SeenImages = {}
    for row in track([row for row in rows if row.runs], "reconstructing", transient=True):
        try:
            found.append(_load(row, stage, seen))
        except UserError as error:
            left_out[row.label] = str(error)
    same = _seeing_the_same(found)
    left_out |= {model.label: "it saw other images than most" for model in found if model not in same}
    return ComparedModels(tuple(same), left_out)


def _load(row: Row, stage: str, seen: SeenImages) -> ComparedModel:
    """Load a row's first run; images that are among those seen already are held once."""
    folder = row.runs[0].checkpoint_folder
    if folder is None:
        raise CheckpointError("the run left no checkpoints")
    best = folder / BEST_CHECKPOINT
    checkpoint = best if best.is_file() else folder / LAST_CHECKPOINT
    data = data_of_checkpoint(read_checkpoint(checkpoint))
    model = load_autoencoder(checkpoint).eval()
    split = data.split("test" if stage == "test" else "val")
    split = fixed_sample(split, min(NUM_IMAGES, num_within(MAX_BYTES, split.x.shape[1:])))
    images = data.scale(split.x)
    encoded = _encode(model, images.numpy(), split)
    key = encoded.x.shape, blake2b(encoded.x.data).digest()
    encoded = replace(encoded, x=seen.setdefault(key, encoded.x))
    decoded = _decoded_grid(model) if encoded.holds_images else None
    return ComparedModel(row.label, row.latent_dim, encoded, data.class_names, decoded)


def _encode(model: Autoencoder, x: NDArray[np.float32], split: Split) -> EncodedSplit:
    given = split.labels_or_missing().numpy()
    functions = numpy_model(model)
    return EncodedSplit(
        x=np.ascontiguousarray(x),
        codes=functions.encode(x, given),
        reconstructions=functions.restore(x, given),
        labels=None if split.labels is None else given,
        value_range=model.spec.value_range,
    )


@torch.no_grad()
def _decoded_grid(model: Autoencoder) -> NDArray[np.float32] | None:
    if model.latent_dim != 2:
        return None
    codes_BL = torch.from_numpy(grid_codes(grid_side(chunk_size(model.spec.shape))))
    decoded: NDArray[np.float32] = model.decode(codes_BL).numpy()
    return decoded


def _seeing_the_same(models: Sequence[ComparedModel]) -> list[ComparedModel]:
    """Return the models that saw the images that most did: the same images are the same array."""
    counts = Counter(id(model.encoded.x) for model in models)
    most = max(counts, key=counts.__getitem__, default=None)
    return [model for model in models if id(model.encoded.x) == most]
