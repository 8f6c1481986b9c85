"""Ways to lay codes of many dimensions out in the plane."""

from __future__ import annotations

import importlib.util
from typing import Literal

from ae_lightning.errors import ConfigError

ProjectionName = Literal["pca", "umap"]


def require_projection(name: ProjectionName) -> ProjectionName:
    """Return the name of a projection that can be computed here.

    Raises:
        ConfigError: If it is UMAP and the package is missing.
    """
    if name == "umap" and importlib.util.find_spec("umap") is None:
        raise ConfigError("evaluation.projection: umap needs the package umap-learn: pip install 'ae_lightning[umap]'")
    return name
