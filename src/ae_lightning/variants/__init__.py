"""Variants: one objective a file, found by scanning this folder and never listed by hand."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from ae_lightning.autoencoder import Autoencoder


@cache
def find_variants() -> Mapping[str, type[Autoencoder]]:
    """Import every file of this folder and return the autoencoders that they define, by class name."""
    modules = [import_module(info.name) for info in pkgutil.iter_modules(__path__, prefix=f"{__name__}.")]
    return {
        name: member
        for module in modules
        for name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Autoencoder) and member.__module__ == module.__name__
    }


def holds_variants(module: str) -> bool:
    """Whether the autoencoders that a module defines are to train: a user's own, and this folder's, but no shared base.

    Args:
        module: Its full name.
    """
    package = __name__.partition(".")[0]
    return module.startswith(f"{__name__}.") or module.partition(".")[0] != package
