"""The data that a checkpoint's model was trained on."""

from __future__ import annotations

from lightning.pytorch import LightningDataModule
from lightning.pytorch.cli import instantiate_module

from ae_lightning.checkpoints.loading import CheckpointContents
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.foreign import SeenData, seen_data
from ae_lightning.errors import CheckpointError, first_line
from ae_lightning.parts import import_part


def data_of_checkpoint(contents: CheckpointContents) -> SeenData:
    """Build a checkpoint's data module as it was, with what it knows of the train split.

    Raises:
        CheckpointError: If a data module of others cannot be built.
    """
    path = contents.data.get("class_path")
    if path is None:
        data = DataModule(**contents.data)
        data.load_state_dict(contents.scaling)
        return data
    cls = import_part("data", path, LightningDataModule)
    try:
        module: LightningDataModule = instantiate_module(cls, contents.data.get("init_args", {}))
    except Exception as error:  # whatever the constructor of others stumbles over
        raise CheckpointError(f"checkpoint {contents.path}: {path} cannot be built ({first_line(error)})") from error
    if isinstance(module, DataModule):
        module.load_state_dict(contents.scaling)
    return seen_data(module)
