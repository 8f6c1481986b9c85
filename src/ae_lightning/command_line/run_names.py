"""What a run is called in MLflow: its variant, and what tells it from others."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from ae_lightning.callbacks.defaults import flattened, is_default
from ae_lightning.models.autoencoder import Autoencoder

MAX_SETTINGS = 4
"""A name that is longer is cut short in a table."""

_SHORT = {"beta": "β", "rho": "ρ", "seed_everything": "seed"}
_OF_THE_DATA = (
    *("name", "path", "root", "dataset", "on_device", "on_error", "follow_links", "predict_split"),
    *("image_column", "label_column", "target"),
)
"""Settings of the data that the experiment tells, or that change no result."""


def run_name(model: Autoencoder, config: Mapping[str, Any]) -> str:
    """Return variant and latent_dim, and then the settings that are not their defaults: `VAE-32 β=0.1`.

    Args:
        model: What is trained.
        config: The resolved configuration.
    """
    told = list(_told(flattened(config)))
    return " ".join([f"{type(model).__name__}-{model.latent_dim}", *told[:MAX_SETTINGS]])


def _told(settings: Mapping[str, str]) -> Iterator[str]:
    """Yield what tells a run, in words: the model's settings first."""
    for section in ("model", "sampler", "data", "trainer.max_epochs", "seed_everything"):
        for key, value in settings.items():
            if (key == section or key.startswith(f"{section}.")) and not is_default(key, settings):
                yield from _words(key, value)


def _class_names(value: str) -> Iterator[str]:
    """Yield the class of each augmentation of a setting that was written down as Python does."""
    for one in ast.literal_eval(value):
        path: str = one if isinstance(one, str) else one["class_path"]
        yield path.rpartition(".")[2]


def _words(key: str, value: str) -> Iterator[str]:
    section, _, name = key.rpartition(".")
    if key in ("model", "model.latent_dim") or (section == "data" and name in _OF_THE_DATA):
        return
    if key in ("model.network", "model.prior", "model.optimizer", "model.scheduler", "sampler"):
        yield value
    elif key == "data.augment":
        yield f"augment={'+'.join(_class_names(value))}"
    elif key == "trainer.max_epochs":
        yield f"{value} epoch{'' if value == '1' else 's'}"
    else:
        yield f"{_SHORT.get(name, name)}={value.replace(' ', '')}"
