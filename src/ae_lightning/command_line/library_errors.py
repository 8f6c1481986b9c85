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

PARTS = (Callback, Logger, Profiler, Strategy, Precision, ClusterEnvironment, CheckpointIO, LayerSync)
"""Classes whose objects the configuration names."""

# What a profiler's destructor looks for is not there where its constructor refuses: Python would print a traceback.
Profiler._stage = Profiler._output_file = None

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


@contextmanager
def refusals_explained() -> Iterator[None]:
    """Turn what Lightning or a scheduler says of settings that do not work into an error of the user's.

    Raises:
        CheckpointError: In place of what is raised while a checkpoint's state is taken over.
        ConfigError: In place of a MisconfigurationException, of an arithmetic or runtime error of their own, and of
            what the Trainer's constructor, a callback, logger, profiler, strategy or plugin of Lightning's ends with.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # A Trainer that is to do less than has been done is a setting's fault.
        if _is_within(error, "trainer.connectors.checkpoint_connector", "restore") and not _is_misconfigured(error):
            raise CheckpointError(f"the checkpoint's state cannot be restored ({_in_one_line(error)})") from error
        key = _key_behind(error) if isinstance(error, (*_SPEAKING, *_SILENT)) else None
        if key is None:
            raise
        raise ConfigError(f"{key}: {_in_one_line(error)}") from error


def _is_misconfigured(error: Exception) -> bool:
    return isinstance(error, MisconfigurationException)


def _is_of_constructor(error: BaseException) -> bool:
    """Whether the Trainer's constructor refuses what it was given, or what it makes of that."""
    return _is_within(error, "trainer.trainer", "__init__")


def _is_within(error: BaseException, module: str, name: str) -> bool:
    """Whether an error comes out of a function of a module of Lightning's whose name has that in it."""
    return any(
        _module_of(frame) == f"lightning.pytorch.{module}" and name in frame.f_code.co_name for frame in _frames(error)
    )


def _key_behind(error: Exception) -> str | None:
    """Return the key of what raised an error, or called other libraries that did; None where that is the program."""
    frames = _frames(error)
    own = next((frame for frame in reversed(frames) if not _is_others(frame)), None)
    key = None if own is None else _key_of_origin(_module_of(own))
    if _is_of_constructor(error):
        key = "trainer"
    elif _is_misconfigured(error):
        key = key or "trainer"
    elif key == "trainer" and not (own is frames[-1] and isinstance(error, _SPEAKING)):
        return None
    return _key_of_trainer_in(str(error)) if key == "trainer" else key


def _key_of_trainer_in(message: str) -> str:
    """Return the key that Lightning's words are about: the first of the Trainer's options that they name."""
    options = {**{name: name for name in inspect.signature(Trainer).parameters}, **ALSO_CALLED}
    return next((f"trainer.{options[word]}" for word in re.findall(r"\w+", message) if word in options), "trainer")


def _key_of_origin(module: str) -> str | None:
    return next((key for beginning, key in KEYS_BY_ORIGIN.items() if module.startswith(beginning)), None)


def _is_others(frame: FrameType) -> bool:
    """Whether code is neither this package's, nor a user's, nor of what a setting's key is known for."""
    if _key_of_origin(_module_of(frame)) or _module_of(frame).startswith("ae_lightning"):
        return False
    libraries = {sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return frame.f_code.co_filename.startswith(("<frozen", *libraries))


def _frames(error: BaseException) -> list[FrameType]:
    return [frame for frame, _ in traceback.walk_tb(error.__traceback__)]


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def construct(refused: list[UserError], cls: type[T], *arguments: Any, **options: Any) -> T:
    """Make an object of a class that the configuration names, or say in one line what its constructor refuses.

    Args:
        refused: Where the error is noted: jsonargparse goes on and tries what else the key takes, and what it raises in
            the end need not lead back to it.
        cls: What to make: one of `PARTS`, which tell the key.
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
        key = next(_key_of_origin(part.__module__) for part in PARTS if issubclass(cls, part))
        refused.append(ConfigError(f"{key}: {cls.__name__}: {_in_one_line(error)}"))
        raise refused[-1] from error


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    speaks = isinstance(error, (*_SPEAKING, ImportError, OSError)) or _is_of_constructor(error)
    return text if speaks and text else f"{type(error).__name__}: {text}"


def user_error_behind(error: BaseException | None) -> UserError | None:
    """Find the user's fault among the errors that led to this one: jsonargparse raises its own over a constructor's."""
    while error is not None and not isinstance(error, UserError):
        error = error.__cause__ or error.__context__
    return error
