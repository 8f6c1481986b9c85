"""What the constructors of variants hand on to their bases, by name and type, so that an editor and mypy know it.

A variant with options of its own takes those of its base as `**options: Unpack[AutoencoderOptions]`. The base's
constructor says what each of them is, and its default.
"""

from __future__ import annotations

from typing import Literal, Required, TypedDict

from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable

from ae_lightning.losses.reconstruction import OutputActivation, ReconstructionName
from ae_lightning.models.trained_module import SchedulerInterval
from ae_lightning.networks import Network
from ae_lightning.priors.base import Prior
from ae_lightning.spec import DataSpec
from ae_lightning.training.schedules import Annealing


class ModelSettings(TypedDict, total=False):
    """The options of `Autoencoder` that neither the data nor the run give."""

    network: Network
    latent_dim: int
    prior: Prior
    reconstruction: ReconstructionName
    output_activation: OutputActivation
    optimizer: OptimizerCallable
    scheduler: LRSchedulerCallable | None
    scheduler_interval: SchedulerInterval


class AutoencoderOptions(ModelSettings, total=False):
    """The options of `Autoencoder`."""

    spec: Required[DataSpec]
    seed: int


class VariationalOptions(AutoencoderOptions, total=False):
    """The options of `VariationalAutoencoder`."""

    beta: float | Annealing | Literal["auto"]
