"""`ael.spec_of`: what samples are, for building a model before there is a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ae_lightning.data.arrays.given import arrays_given
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.foreign import seen_data
from ae_lightning.errors import DataError
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.python_api.given_data import given_data
from ae_lightning.spec import DataSpec


def spec_of(x: Any, y: Any = None, *, data: Mapping[str, Any] | None = None) -> DataSpec:
    """Return what samples are, as a model sees them: `ael.VAE(spec=ael.spec_of(x), latent_dim=8)`.

    Args:
        x: As `ael.fit` takes it.
        y: Their classes, which a conditional model must know of.
        data: Settings of the data as `ael.fit` takes them: their scaling decides what bounds values have.

    Raises:
        UserError: If they are no samples.
    """
    given = given_data(x, y, settings=data)
    with arrays_given(given.arrays):
        return seen_data(given.module or DataModule(**given.settings)).spec


def require_same_classes(model: Autoencoder, spec: DataSpec) -> None:
    """Refuse samples of more or fewer classes than a conditional model was built for.

    Raises:
        DataError: If they have some.
    """
    own = model.spec.num_classes
    if model.needs_labels and spec.num_classes != own:
        raise DataError(
            f"y: {type(model).__name__} was built for {own} classes, and these samples have {spec.num_classes}: "
            "which of them is which nobody knows"
        )
