"""Codes and reconstructions of a split, and which samples they are of, as a file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch

from ae_lightning.command_line.outputs import refusal_of_output, require_writable
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.foreign import SeenData
from ae_lightning.errors import ConfigError
from ae_lightning.machine.distributed import gather_objects
from ae_lightning.models.autoencoder import Prediction
from ae_lightning.whole_files import replacing

SUFFIXES = (".npz", ".parquet")


def check_output(path: str, suffixes: Collection[str] = SUFFIXES) -> Path:
    """Return the path if a file, or a folder, can be made there.

    Args:
        path: The setting `output`.
        suffixes: Those that there are; an empty one is that of a folder.

    Raises:
        ConfigError: If its suffix is unknown, its folder is missing or takes no files, or it exists already.
    """
    output = Path(path)
    if output.suffix not in suffixes:
        allowed = ", ".join(suffix or "none for a folder" for suffix in suffixes)
        raise ConfigError(f"output: {path!r} has no known suffix; Allowed: {allowed}")
    # Even to look may be refused: a name too long, a folder without the right to search it.
    with refusal_of_output("output", output):
        if not output.parent.is_dir():
            raise ConfigError(f"output: folder {output.parent} does not exist")
        if output.exists():
            raise ConfigError(f"output: {output} exists already and is not overwritten")
    require_writable("output", output.parent)
    return output


def gather(predictions: Sequence[Prediction]) -> dict[str, np.ndarray]:
    """Join the batches of all ranks in the order of the split.

    Args:
        predictions: This rank's batches.

    Returns:
        `indices` (N,), `codes` (N, F) and `reconstructions` (N, …); `latents` (N, …) where what is decoded is not the
        codes.
    """
    fields = [name for name in Prediction._fields if getattr(predictions[0], name) is not None]
    own = {name: torch.cat([getattr(batch, name) for batch in predictions]).cpu().numpy() for name in fields}
    ranks = gather_objects(own)
    joined = {name: np.concatenate([rank[name] for rank in ranks]) for name in fields}
    order = np.argsort(joined["indices"])
    return {name: values[order] for name, values in joined.items()}


def origins(data: SeenData, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Say which samples predictions are of.

    Args:
        data: What was predicted on. Those of others say nothing of positions.
        indices: Positions in its `predict_split`, shape (N,).

    Returns:
        `keys`, words of shape (N,): paths of files, or places in arrays; `labels` likewise where there are some: names
        of classes, empty where missing.
    """
    found: dict[str, np.ndarray] = {}
    if not isinstance(data, DataModule):
        return found
    keys, labels = data.origins(data.predict_split, indices)
    if keys:
        found["keys"] = np.array(keys, np.str_)
    if labels is not None and data.class_names is not None:
        # A missing label is the last.
        found["labels"] = np.array([*data.class_names, ""], np.str_)[labels]
    return found


def write(predictions: dict[str, np.ndarray], output: Path) -> None:
    """Write predictions as arrays (.npz), or as a table with a number, a word or a list of numbers a cell (.parquet).

    Raises:
        ConfigError: If the disk does not take the file.
    """
    with refusal_of_output("output", output), replacing(output, overwrites=False) as temporary:
        if output.suffix == ".npz":
            with temporary.open("wb") as file:
                np.savez_compressed(file, **predictions)  # type: ignore[arg-type]
        else:
            _write_table(predictions, temporary)


def _write_table(predictions: dict[str, np.ndarray], output: Path) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet

    rows = {name: values for name, values in predictions.items() if values.ndim > 1}
    columns = {
        name: pa.array(list(values.reshape(len(values), -1)) if name in rows else values.tolist())
        for name, values in predictions.items()
    }
    shapes = {f"{name}_shape": ",".join(map(str, values.shape[1:])) for name, values in rows.items()}
    table = pa.table(columns).replace_schema_metadata(shapes)
    parquet.write_table(table, output)
