"""Variants: one objective a file, found by scanning this folder and never listed by hand."""

from __future__ import annotations

from collections.abc import Mapping

from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.parts import find_parts


def find_variants() -> Mapping[str, type[Autoencoder]]:
    """Import every file of this folder and return the autoencoders that they define, by class name."""
    return find_parts(__name__, Autoencoder)


def holds_variants(module: str) -> bool:
    """Whether the autoencoders that a module defines are to train: a user's own, and this folder's, but no shared base.

    Args:
        module: Its full name.
    """
    package = __name__.partition(".")[0]
    return module.startswith(f"{__name__}.") or module.partition(".")[0] != package
