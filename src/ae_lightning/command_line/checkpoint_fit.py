"""Whether a checkpoint fits what the configuration has built: known before the run that it belongs to is touched."""

from __future__ import annotations

from typing import Any, Literal

from lightning.pytorch import LightningDataModule
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.checkpoints.loading import (
    CheckpointContents,
    describe,
    load_state,
    load_weights,
    require_training_state,
)
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.models.autoencoder import Autoencoder

GoingOn = Literal["same run", "new run"]

OWN = DataModule.__name__

DIVIDING = (
    *("name", "path", "root", "num_val", "split_seed", "leave_out_class", "image_size"),
    *("on_error", "follow_links", "resize", "splits", "labels", "dataset", "dataset_options"),
    *("image_column", "label_column", "target", "missing"),
)
"""Settings of our own data that decide which sample is in which split, or what a sample is."""

LEFT_TO_DATA = {"resize"}
"""Settings that the data choose where they are left open."""

HARMLESS = {"batch_size", "num_workers", "pin_memory", "seed"}
"""What data modules of others usually call settings that change no split."""


def take_checkpoint(
    model: Autoencoder, data: LightningDataModule, settings: dict[str, Any], path: str, going_on: GoingOn | None
) -> None:
    """Put a checkpoint's weights into the model that an explicit option may have changed; refuse what does not fit.

    Args:
        model: Changed in place.
        data: What it is trained or judged on.
        settings: The data's, as a configuration gives them.
        path: The checkpoint.
        going_on: Which run its training goes on in; None where it is only judged.

    Raises:
        CheckpointError: If it cannot be read, does not fit, or training goes on and it holds weights alone.
        ConfigError: If training goes on and a setting cannot take effect on what it holds; in the same run, if the data
            are not the ones that it was trained on.
    """
    state = load_state(path)
    if going_on is not None:
        require_training_state(path, state)
    load_weights(model, path, state)
    if going_on is not None:
        model.restore_optimizers(state)
    if going_on == "same run":
        _require_same_samples(data, settings, describe(path, state))


def _require_same_samples(data: LightningDataModule, settings: dict[str, Any], contents: CheckpointContents) -> None:
    """Refuse to go on with a run on other data.

    Raises:
        ConfigError: If what was trained on could be validated on.
    """
    now, kept = settings.get("class_path"), contents.data.get("class_path")
    if now != kept:
        raise ConfigError(f"data: {now or OWN} is not allowed with --resume; the run is trained on {kept or OWN}")
    own, theirs = (part.get("init_args", part) for part in (settings, contents.data))
    left_open = {name for name in LEFT_TO_DATA if own.get(name) is None}
    changed = [name for name, value in own.items() if name in {*theirs} - left_open and theirs[name] != value]
    if not isinstance(data, DataModule):
        for name in sorted({*changed} - HARMLESS):
            rank_zero_warn(
                f"data.{name}: {own[name]!r}, and the run has {theirs[name]!r}: whether samples that it was trained on "
                "are validated on cannot be told"
            )
        return
    other = data.other_splits(contents.scaling)
    if not {"train", "val"} & other:
        return
    reason = "samples that it was trained on could be validated on"
    for name in changed:
        if name in DIVIDING:
            raise ConfigError(
                f"data.{name}: {own[name]!r} is not allowed with --resume; the run has {theirs[name]!r}, and {reason}"
            )
    raise ConfigError(f"data: {data.dataset_name} no longer holds what the run was trained on, and {reason}")
