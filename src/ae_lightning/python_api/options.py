"""The options of `ael.fit` by the configuration that it is called with, so that an editor and mypy know them.

Behind the marker this file is written by `python tests/python_api/write_options.py`, out of the variants' constructors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import OptimizerCallable

from ae_lightning.data.corruption import CorruptionName
from ae_lightning.models.batch_posterior import Estimator
from ae_lightning.models.latent_cycle import Schedule
from ae_lightning.models.options import ModelSettings
from ae_lightning.samplers.base import Sampler
from ae_lightning.training.schedules import Annealing
from ae_lightning.variants.sparse import PenaltyName

Settings = Mapping[str, Any]
"""What a configuration has below a key, such as `{"max_epochs": 10}` below `trainer`."""


class RunOptions(TypedDict, total=False):
    """What `ael.fit` takes beside model and samples."""

    x_test: Any
    y_test: Any
    trainer: Settings
    data: Settings
    evaluation: Settings
    checkpoint: Settings
    sampler: Sampler | str | Settings
    tracking: bool | Settings
    callbacks: Sequence[Callback]
    seed: int
    keep_memory: bool
    compile: bool


class ModelAndRunOptions(RunOptions, ModelSettings, total=False):
    """What it takes beside the name of a model: also what every variant has."""


# Written by tests/python_api/write_options.py from here on.


class AdversarialAEOptions(ModelAndRunOptions, total=False):
    """Of `adversarial`, AdversarialAE."""

    adversarial_weight: float
    discriminator_hidden: tuple[int, ...]
    discriminator_optimizer: OptimizerCallable


class ContractiveAEOptions(ModelAndRunOptions, total=False):
    """Of `contractive`, ContractiveAE."""

    contraction: float
    exact: bool


class DenoisingAEOptions(ModelAndRunOptions, total=False):
    """Of `denoising`, DenoisingAE."""

    corruption: CorruptionName
    std: float
    p: float


class DoubleAEOptions(ModelAndRunOptions, total=False):
    """Of `double`, DoubleAE."""

    schedule: Schedule
    latent_weight: float


class DoubleSampleVAEOptions(ModelAndRunOptions, total=False):
    """Of `double_sample_vae`, DoubleSampleVAE."""

    schedule: Schedule
    latent_weight: float
    estimator: Estimator
    beta: float | Annealing | Literal["auto"]


class SampleVAEOptions(ModelAndRunOptions, total=False):
    """Of `sample_vae`, SampleVAE."""

    estimator: Estimator
    beta: float | Annealing | Literal["auto"]


class SparseAEOptions(ModelAndRunOptions, total=False):
    """Of `sparse`, SparseAE."""

    penalty: PenaltyName
    rho: float
    sparsity_weight: float
    k: int


class StackedAEOptions(ModelAndRunOptions, total=False):
    """Of `stacked`, StackedAE."""


class VAEOptions(ModelAndRunOptions, total=False):
    """Of `vae`, VAE."""

    beta: float | Annealing | Literal["auto"]


class VanillaAEOptions(ModelAndRunOptions, total=False):
    """Of `vanilla`, VanillaAE."""
