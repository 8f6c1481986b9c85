"""ae_lightning: the autoencoder workbench for PyTorch Lightning.

One YAML says which objective, which network and which images; one command trains it, judges it with
the same measures as every other variant, and leaves numbers and pictures in MLflow. The same from Python:

    import ae_lightning as ael

    result = ael.fit("vae", x_train, latent_dim=8)

docs/python.md has every name below.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ae_lightning.data.augmentations.color_jitter import ColorJitter
    from ae_lightning.data.augmentations.gaussian_blur import GaussianBlur
    from ae_lightning.data.augmentations.gaussian_noise import GaussianNoise
    from ae_lightning.data.augmentations.random_affine import RandomAffine
    from ae_lightning.data.augmentations.random_crop import RandomCrop
    from ae_lightning.data.augmentations.random_erasing import RandomErasing
    from ae_lightning.data.augmentations.random_horizontal_flip import RandomHorizontalFlip
    from ae_lightning.data.augmentations.random_resized_crop import RandomResizedCrop
    from ae_lightning.data.datamodule import DataModule
    from ae_lightning.errors import UserError
    from ae_lightning.models.autoencoder import Autoencoder
    from ae_lightning.networks import MLP, Backbone, Conv, Linear, ResNet, Unpool
    from ae_lightning.priors.mixture import Mixture
    from ae_lightning.priors.normal import Normal
    from ae_lightning.priors.swiss_roll import SwissRoll
    from ae_lightning.python_api.comparing import RunComparison, compare
    from ae_lightning.python_api.fitting import fit
    from ae_lightning.python_api.loading import load
    from ae_lightning.python_api.result import Result
    from ae_lightning.python_api.specs import spec_of
    from ae_lightning.samplers.gaussian_mixture import GaussianMixture
    from ae_lightning.samplers.kernel_density import KernelDensity
    from ae_lightning.samplers.two_stage import TwoStage
    from ae_lightning.spec import DataSpec
    from ae_lightning.training.schedules import Annealing
    from ae_lightning.variants.adversarial import AdversarialAE
    from ae_lightning.variants.contractive import ContractiveAE
    from ae_lightning.variants.denoising import DenoisingAE
    from ae_lightning.variants.double import DoubleAE
    from ae_lightning.variants.double_sample_vae import DoubleSampleVAE
    from ae_lightning.variants.sample_vae import SampleVAE
    from ae_lightning.variants.sparse import SparseAE
    from ae_lightning.variants.stacked import StackedAE
    from ae_lightning.variants.vae import VAE
    from ae_lightning.variants.vanilla import VanillaAE

__version__ = "0.2.0"

_MODULES = {
    "python_api.fitting": ("fit",),
    "python_api.loading": ("load",),
    "python_api.comparing": ("compare", "RunComparison"),
    "python_api.result": ("Result",),
    "python_api.specs": ("spec_of",),
    "spec": ("DataSpec",),
    "data.datamodule": ("DataModule",),
    "data.augmentations.color_jitter": ("ColorJitter",),
    "data.augmentations.gaussian_blur": ("GaussianBlur",),
    "data.augmentations.gaussian_noise": ("GaussianNoise",),
    "data.augmentations.random_affine": ("RandomAffine",),
    "data.augmentations.random_crop": ("RandomCrop",),
    "data.augmentations.random_erasing": ("RandomErasing",),
    "data.augmentations.random_horizontal_flip": ("RandomHorizontalFlip",),
    "data.augmentations.random_resized_crop": ("RandomResizedCrop",),
    "errors": ("UserError",),
    "models.autoencoder": ("Autoencoder",),
    "variants.adversarial": ("AdversarialAE",),
    "variants.contractive": ("ContractiveAE",),
    "variants.denoising": ("DenoisingAE",),
    "variants.double": ("DoubleAE",),
    "variants.double_sample_vae": ("DoubleSampleVAE",),
    "variants.sample_vae": ("SampleVAE",),
    "variants.sparse": ("SparseAE",),
    "variants.stacked": ("StackedAE",),
    "variants.vae": ("VAE",),
    "variants.vanilla": ("VanillaAE",),
    "networks": ("MLP", "Backbone", "Conv", "Linear", "ResNet", "Unpool"),
    "priors.mixture": ("Mixture",),
    "priors.normal": ("Normal",),
    "priors.swiss_roll": ("SwissRoll",),
    "samplers.gaussian_mixture": ("GaussianMixture",),
    "samplers.kernel_density": ("KernelDensity",),
    "samplers.two_stage": ("TwoStage",),
    "training.schedules": ("Annealing",),
}
"""Where each name of the interface is: torch is imported when the first of them is asked for, and no sooner."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "MLP",
    "VAE",
    "AdversarialAE",
    "Annealing",
    "Autoencoder",
    "Backbone",
    "ColorJitter",
    "ContractiveAE",
    "Conv",
    "DataModule",
    "DataSpec",
    "DenoisingAE",
    "DoubleAE",
    "DoubleSampleVAE",
    "GaussianBlur",
    "GaussianMixture",
    "GaussianNoise",
    "KernelDensity",
    "Linear",
    "Mixture",
    "Normal",
    "RandomAffine",
    "RandomCrop",
    "RandomErasing",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "ResNet",
    "Result",
    "RunComparison",
    "SampleVAE",
    "SparseAE",
    "StackedAE",
    "SwissRoll",
    "TwoStage",
    "Unpool",
    "UserError",
    "VanillaAE",
    "compare",
    "fit",
    "load",
    "spec_of",
]


def __getattr__(name: str) -> Any:
    # jsonargparse calls a class by the shortest path that leads to it; configurations and checkpoints keep its own.
    if name not in _HOMES or sys._getframe(1).f_code.co_name == "get_import_path":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
