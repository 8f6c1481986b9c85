"""Classes found rather than listed: all that the files of a folder define, and a user's own by its dotted path."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from ae_lightning.errors import ConfigError, first_line

T = TypeVar("T")


class Recipe:
    """What a configuration gives by its class and arguments, such as a network: it keeps each under its own name."""

    def hyperparameters(self) -> dict[str, Any]:
        """Return the constructor's arguments, as plain values."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        """Show the recipe as the call that makes it."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.hyperparameters().items())
        return f"{type(self).__name__}({arguments})"


@cache
def find_parts(package: str, base: type[T]) -> Mapping[str, type[T]]:
    """Import every file of a folder and return the classes of one kind that they define.

    Args:
        package: Full name of the folder.
        base: What the classes derive from.

    Returns:
        The classes that leave nothing abstract, by class name, in the order of the files.
    """
    folder = import_module(package)
    modules = [import_module(info.name) for info in pkgutil.iter_modules(folder.__path__, prefix=f"{package}.")]
    return {
        name: member
        for module in modules
        for name, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, base) and member.__module__ == module.__name__ and not inspect.isabstract(member)
    }


def import_part(key: str, path: str, base: type[T]) -> type[T]:
    """Import a user's own class.

    Args:
        key: The setting that names it.
        path: Its dotted path, such as `my_package.MyMeasure`.
        base: What it must derive from.

    Raises:
        ConfigError: If there is no such module or class, or the class is of another kind or leaves a method abstract.
    """
    module_name, _, name = path.rpartition(".")
    try:
        module = import_module(module_name)
    except Exception as error:  # a user's module may raise anything while it is imported
        raise ConfigError(f"{key}: {path!r} cannot be imported: {type(error).__name__}: {first_line(error)}") from error
    found = getattr(module, name, None)
    if found is None:
        raise ConfigError(f"{key}: {path!r} is not there: the module {module_name} has no {name}")
    if not inspect.isclass(found):
        raise ConfigError(f"{key}: {path!r} is no class")
    if not issubclass(found, base):
        raise ConfigError(f"{key}: {path!r} is no subclass of {base.__module__}.{base.__name__}")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise ConfigError(f"{key}: {path!r} leaves out what every {base.__name__} has: {missing}")
    return found
