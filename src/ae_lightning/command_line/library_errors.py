"""From what another library raises to the user's fault behind it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.fabric.utilities.exceptions import MisconfigurationException

from ae_lightning.errors import ConfigError, UserError

KEYS_BY_ORIGIN = {
    "torch.optim.lr_scheduler": "model.scheduler",
    "lightning.pytorch.callbacks.model_checkpoint": "checkpoint",
    "lightning.": "trainer",
}
"""Where errors are raised that a setting caused, by how the module's name begins, and the setting's key."""


@contextmanager
def refusals_explained() -> Iterator[None]:
    """Turn what Lightning or a scheduler says of settings that do not work into an error of the user's.

    Raises:
        ConfigError: In place of a MisconfigurationException, and of an arithmetic or runtime error of their own.
    """
    try:
        yield
    except (MisconfigurationException, ValueError, RuntimeError, ZeroDivisionError) as error:
        key = _key_behind(error)
        if key is None:
            raise
        raise ConfigError(f"{key}: {error}") from error


def _key_behind(error: Exception) -> str | None:
    """Return the key of what raised an error itself; None for what it called."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    origin = str(innermost.f_globals.get("__name__"))
    keys = [key for beginning, key in KEYS_BY_ORIGIN.items() if origin.startswith(beginning)]
    return next(iter(keys), "trainer" if isinstance(error, MisconfigurationException) else None)


def user_error_behind(error: BaseException) -> UserError | None:
    """Find the user's fault among the errors that led to this one: jsonargparse raises its own over a constructor's."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UserError):
        cause = cause.__cause__ or cause.__context__
    return cause
