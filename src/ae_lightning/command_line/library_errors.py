"""From what another library raises to the user's fault behind it."""

from __future__ import annotations

import inspect
import re
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from lightning.fabric.plugins import CheckpointIO, ClusterEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins import LayerSync, Precision
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import Strategy

from ae_lightning.errors import CheckpointError, ConfigError, UserError

T = TypeVar("T")

PARTS: dict[type, str] = {
    Callback: "trainer.callbacks",
    Logger: "trainer.logger",
    Profiler: "trainer.profiler",
    Strategy: "trainer.strategy",
    Precision: "trainer.plugins",
    ClusterEnvironment: "trainer.plugins",
    CheckpointIO: "trainer.plugins",
    LayerSync: "trainer.plugins",
}
"""Classes whose objects the configuration names, and the key that takes them."""

KEYS_BY_ORIGIN = {
    "torch.optim.lr_scheduler": "model.scheduler",
    "lightning.pytorch.callbacks.model_checkpoint": "checkpoint",
    "lightning.pytorch.callbacks.": "trainer.callbacks",
    "lightning.pytorch.tuner.": "trainer.callbacks",
    "lightning.pytorch.loggers.": "trainer.logger",
    "lightning.fabric.loggers.": "trainer.logger",
    "lightning.pytorch.profilers.": "trainer.profiler",
    "lightning.pytorch.strategies.": "trainer.strategy",
    "lightning.pytorch.plugins.": "trainer.plugins",
    "lightning.fabric.plugins.": "trainer.plugins",
    "lightning.fabric.utilities.distributed": "trainer.strategy",
    "lightning.fabric.utilities.spike": "trainer.callbacks",
    "lightning.": "trainer",
}
"""Where errors are raised that a setting caused, by how the module's name begins, and the setting's key."""

ALSO_CALLED = {"duration": "max_time"}
"""What messages call an option of the Trainer that is handed on to a part of Lightning's own."""

_SPEAKING = (MisconfigurationException, ValueError, RuntimeError, ArithmeticError)
"""What libraries raise over settings, with a reason."""

_SILENT = (AssertionError, AttributeError, ImportError, LookupError, OSError, TypeError)
"""What they stumble over; it may be a fault of the program's own as well."""

_RESTORING = "lightning.pytorch.trainer.connectors.checkpoint_connector"


@contextmanager
def refusals_explained() -> Iterator[None]:
    """Turn what Lightning or a scheduler says of settings that do not work into an error of the user's.

    Raises:
        CheckpointError: In place of what is raised while a checkpoint's state is taken over.
        ConfigError: In place of a MisconfigurationException, of an arithmetic or runtime error of their own, and of
            what a callback, logger, profiler, strategy or plugin of Lightning's ends with.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if _is_of_restoring(error):
            raise CheckpointError(f"the checkpoint's state cannot be restored ({_in_one_line(error)})") from error
        key = _key_behind(error) if isinstance(error, _SPEAKING) else None
        key = key or (_key_of_part_behind(error) if isinstance(error, (*_SPEAKING, *_SILENT)) else None)
        if key is None:
            raise
        raise ConfigError(f"{key}: {_in_one_line(error)}") from error


@contextmanager
def trainer_explained() -> Iterator[None]:
    """Say which of the Trainer's options holds what its constructor refuses.

    Raises:
        ConfigError: In place of what Lightning says of it.
    """
    try:
        yield
    except (MisconfigurationException, TypeError, ValueError, ZeroDivisionError, ModuleNotFoundError) as error:
        raise ConfigError(f"{_key_of_trainer_in(str(error))}: {' '.join(str(error).split())}") from error


def _is_of_restoring(error: Exception) -> bool:
    """Whether Lightning was taking over what a checkpoint holds."""
    functions = [
        frame.f_code.co_name
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == _RESTORING
    ]
    # A Trainer that is to do less than has been done is a setting's fault.
    return not isinstance(error, MisconfigurationException) and any("restore" in name for name in functions)


def _key_behind(error: Exception) -> str | None:
    """Return the key of what raised an error itself; None for what it called."""
    *_, (innermost, _) = traceback.walk_tb(error.__traceback__)
    found = _key_of_origin(innermost) or ("trainer" if isinstance(error, MisconfigurationException) else None)
    return _key_of_trainer_in(str(error)) if found == "trainer" else found


def _key_of_trainer_in(message: str) -> str:
    """Return the key that Lightning's words are about: the first of the Trainer's options that they name."""
    options = {**{name: name for name in inspect.signature(Trainer).parameters}, **ALSO_CALLED}
    return next((f"trainer.{options[word]}" for word in re.findall(r"\w+", message) if word in options), "trainer")


def _key_of_part_behind(error: Exception) -> str | None:
    """Return the key of Lightning's part that an error came out of, if that called other libraries alone."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = next((frame for frame in reversed(frames) if not _is_others(frame)), None)
    key = None if own is None else _key_of_origin(own)
    return key if key != "trainer" else None


def _key_of_origin(frame: FrameType) -> str | None:
    origin = str(frame.f_globals.get("__name__"))
    return next((key for beginning, key in KEYS_BY_ORIGIN.items() if origin.startswith(beginning)), None)


def _is_others(frame: FrameType) -> bool:
    """Whether code is neither this package's, nor Lightning's, nor a user's."""
    name, file = str(frame.f_globals.get("__name__")), frame.f_code.co_filename
    if name.startswith(("lightning.", "ae_lightning")):
        return False
    return file.startswith(
        ("<frozen", sysconfig.get_path("stdlib"), *{sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    )


def construct(key: str, refused: list[UserError], cls: type[T], *arguments: Any, **options: Any) -> T:
    """Make an object of a class that the configuration names, or say in one line what its constructor refuses.

    Args:
        key: Of the configuration, for the error.
        refused: Where the error is noted: jsonargparse goes on and tries what else the key takes, and what it raises in
            the end need not lead back to it.
        cls: What to make.
        *arguments: Of its constructor.
        **options: Of its constructor.

    Raises:
        ConfigError: In place of what Lightning's own classes raise, and of what those of others say of their arguments
            and of packages that are missing.
    """
    try:
        return cls(*arguments, **options)
    except UserError:
        raise
    except Exception as error:
        is_lightnings = cls.__module__.startswith("lightning.")
        if not is_lightnings and not isinstance(error, (MisconfigurationException, ValueError, ImportError, OSError)):
            raise
        refused.append(ConfigError(f"{key}: {cls.__name__}: {_in_one_line(error)}"))
        raise refused[-1] from error


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    speaks = isinstance(error, (*_SPEAKING, ImportError, OSError))
    return text if speaks and text else f"{type(error).__name__}: {text}"


def user_error_behind(error: BaseException | None) -> UserError | None:
    """Find the user's fault among the errors that led to this one: jsonargparse raises its own over a constructor's."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error
