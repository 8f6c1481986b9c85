"""The autoencoders of a comparison on the same images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from ae_lightning.callbacks.encoding import encode_split, fixed_sample, numpy_model
from ae_lightning.checkpoints.data import data_of_checkpoint
from ae_lightning.checkpoints.files import BEST_CHECKPOINT, LAST_CHECKPOINT
from ae_lightning.checkpoints.loading import load_autoencoder, read_checkpoint
from ae_lightning.comparison.contest import Row
from ae_lightning.data.foreign import SeenData
from ae_lightning.errors import CheckpointError, UserError
from ae_lightning.judging.baseline import Baseline
from ae_lightning.judging.case import Case
from ae_lightning.judging.chunks import chunk_size, num_within
from ae_lightning.judging.drawing.side_by_side import NUM_COLUMNS
from ae_lightning.judging.drawing.style import class_name
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.numpy_model import NumpyModel
from ae_lightning.judging.pictures.latent_grid import grid_codes, grid_side

NUM_IMAGES = 2000
"""Images of the split that every autoencoder reconstructs, as far as memory allows."""

NUM_SAMPLES = NUM_COLUMNS
"""Images that every autoencoder draws."""

NUM_TRAIN_IMAGES, MAX_TRAIN_BYTES = 60_000, 2**30
"""Training images that PCA is fitted to at most, as beside a run unless its settings say otherwise."""

MAX_BYTES = 64 * 2**20
"""Of one autoencoder's images."""

SeenImages = dict[tuple[tuple[int, ...], bytes], NDArray[np.float32]]
"""Images of a split by shape and content."""


@dataclass(frozen=True, eq=False)  # arrays have no single truth to compare by
class ComparedModel:
    """An autoencoder, or PCA, with what it made of the images.

    Attributes:
        label: What the report calls it.
        encoded: Samples, codes, reconstructions and labels.
        class_names: Names of the data set's classes, if it has any.
        samples: What it draws, shape (N, C, H, W); None where samples are no images.
        decoded_grid: What the grid of 2-D codes decodes to, shape (N, C, H, W); None where codes are no such vectors,
            of PCA, and where samples are no images.
        grid_class: What the class is called of which the grid is; None of a model that is given no classes.
    """

    label: str
    encoded: EncodedSplit
    class_names: tuple[str, ...] | None
    samples: NDArray[np.float32] | None
    decoded_grid: NDArray[np.float32] | None = None
    grid_class: str | None = None


@dataclass(frozen=True)
class ComparedModels:
    """The autoencoders that could be loaded and saw the same images, and PCA.

    Attributes:
        found: These, in the order of the rows.
        left_out: Label and reason of each of the others.
    """

    found: tuple[ComparedModel, ...]
    left_out: dict[str, str]


def load_compared_models(rows: Sequence[Row], stage: str) -> ComparedModels:
    """Load the first run of each row from its best checkpoint and let it reconstruct the split's images.

    Runs whose checkpoint is gone are left out, and so are those that saw other images than most. PCA stands beside
    those that are left, fitted to their training images.

    Args:
        rows: Of the comparison.
        stage: `val` or `test`.
    """
    baselines = {row.stands_beside: row.label for row in rows if row.is_baseline}
    found: dict[str, ComparedModel] = {}
    left_out: dict[str, str] = {}
    seen: SeenImages = {}
    console = Console(stderr=True)
    for row in track([row for row in rows if row.runs], "reconstructing", transient=True, console=console):
        label = baselines.get(row.stands_beside)
        try:
            loaded = _load(row, stage, seen)
        except UserError as error:
            left_out[row.label] = str(error)
            continue
        found[row.label] = loaded.compared
        if label is not None and label not in found:
            found[label] = _baseline(label, loaded)
    same = _seeing_the_same(list(found.values()))
    left_out |= {model.label: "it saw other images than most" for model in found.values() if model not in same}
    order = [row.label for row in rows]
    return ComparedModels(tuple(sorted(same, key=lambda model: order.index(model.label))), left_out)


@dataclass(frozen=True, eq=False)
class _Loaded:
    """An autoencoder with what it was trained on."""

    compared: ComparedModel
    model: NumpyModel
    data: SeenData


def _load(row: Row, stage: str, seen: SeenImages) -> _Loaded:
    """Load a row's first run; images that are among those seen already are held once."""
    folder = row.runs[0].checkpoint_folder
    if folder is None:
        raise CheckpointError("the run left no checkpoints")
    best = folder / BEST_CHECKPOINT
    checkpoint = best if best.is_file() else folder / LAST_CHECKPOINT
    data = data_of_checkpoint(read_checkpoint(checkpoint))
    model = load_autoencoder(checkpoint).eval()
    num_images = min(NUM_IMAGES, num_within(MAX_BYTES, data.spec.shape))
    encoded = encode_split(None, model, data, "test" if stage == "test" else "val", num_images=num_images)
    functions = numpy_model(model)
    key = encoded.x.shape, blake2b(encoded.x.data).digest()
    encoded = replace(encoded, x=seen.setdefault(key, encoded.x))
    compared = ComparedModel(row.label, encoded, data.class_names, _samples(functions, encoded))
    if encoded.holds_images and model.has_vector_codes and encoded.codes.shape[1] == 2:
        compared = _with_grid(compared, functions)
    return _Loaded(compared, functions, data)


def _baseline(label: str, loaded: _Loaded) -> ComparedModel:
    """Put PCA, as many numbers to a code, in a model's place."""
    beside, data = loaded.compared, loaded.data
    train = data.split("train")
    train = fixed_sample(train, min(NUM_TRAIN_IMAGES, num_within(MAX_TRAIN_BYTES, train.x.shape[1:])))
    x = data.scale(train.x).numpy()
    split = EncodedSplit(x, np.zeros((len(x), 1), np.float32), value_range=beside.encoded.value_range)
    case = Case(split, beside.encoded, seed=0, model=loaded.model)
    pca = Baseline(case).model
    encoded = replace(
        beside.encoded, codes=pca.encode(beside.encoded.x), reconstructions=pca.restore(beside.encoded.x), latents=None
    )
    return ComparedModel(label, encoded, beside.class_names, _samples(pca, encoded))


def _samples(model: NumpyModel, encoded: EncodedSplit) -> NDArray[np.float32] | None:
    if not encoded.holds_images:
        return None
    given = model.classes_in_turn(NUM_SAMPLES)
    return model.decode(model.draw_samples(NUM_SAMPLES, 0, given), given)


def _with_grid(compared: ComparedModel, model: NumpyModel) -> ComparedModel:
    """Decode a grid of codes too; of a model that is given classes, as of the first: so does the picture of a run."""
    codes = grid_codes(grid_side(chunk_size(compared.encoded.x.shape[1:])))
    if not model.num_given:
        return replace(compared, decoded_grid=model.decode(codes))
    decoded = model.decode(codes, np.zeros(len(codes), np.int64))
    return replace(compared, decoded_grid=decoded, grid_class=class_name(0, compared.class_names))


def _seeing_the_same(models: Sequence[ComparedModel]) -> list[ComparedModel]:
    """Return the models that saw the images that most did: the same images are the same array."""
    counts = Counter(id(model.encoded.x) for model in models)
    most = max(counts, key=counts.__getitem__, default=None)
    return [model for model in models if id(model.encoded.x) == most]
