"""What a configuration chooses by name, be it a measure or a picture."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar, Literal, TypeVar, get_args

from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.judging.case import NEEDS
from ae_lightning.parts import find_parts, import_part

Cost = Literal["cheap", "full"]
"""``cheap`` parts can run every few epochs on a sample; ``full`` ones belong after training."""

Choice = list[str] | Literal["all", "cheap"]
"""Names and dotted paths, or one of the words ``"all"`` and ``"cheap"``, which mean this package's parts."""


Guard = Callable[[str], AbstractContextManager[object]]
"""Surrounds the computation of what it is told the name of, and decides what becomes of a failure."""


class Part(ABC):
    """A measure or a picture, which says itself what it is called, what it costs and what it cannot do without.

    Attributes:
        name: What a config calls it.
        cost: Whether it is quick enough to be watched during training.
        needs: What the case must hold for it, out of ``NEEDS``; where something is missing it is left out.
    """

    name: ClassVar[str]
    cost: ClassVar[Cost] = "full"
    needs: ClassVar[frozenset[str]] = frozenset()

    @property
    def is_built_in(self) -> bool:
        """Whether it is this package's and no user's."""
        return type(self).__module__.startswith(f"{__name__.partition('.')[0]}.")


P = TypeVar("P", bound=Part)


def known_parts(package: str, base: type[P]) -> tuple[P, ...]:
    """Return the parts that the files of a folder define, the cheap ones first, by name."""
    found = [cls() for cls in find_parts(package, base).values()]
    return tuple(sorted(found, key=lambda part: (part.cost, part.name)))


def select_parts(key: str, choice: Choice | Sequence[str], known: Sequence[P], base: type[P]) -> tuple[P, ...]:
    """Find parts by name or path, so that a config can be refused before any training.

    Args:
        key: The setting that chooses.
        choice: Names and dotted paths, or one of the words ``"all"`` and ``"cheap"``.
        known: This package's parts.
        base: What a user's own part derives from.

    Returns:
        The chosen ones, each once: this package's in their order, then the user's.

    Raises:
        ConfigError: If a name is not known, or a path leads to nothing that can be used.
    """
    if choice in ("all", "cheap"):
        return tuple(part for part in known if choice == "all" or part.cost == "cheap")
    wanted = [choice] if isinstance(choice, str) else list(dict.fromkeys(choice))
    names = {part.name for part in known}
    for name in wanted:
        if name not in names and "." not in name:
            raise ConfigError(unknown_name(key, name, names | {"all", "cheap"}))
    own = [_user_part(key, path, names, base) for path in wanted if path not in names]
    taken = [part.name for part in own]
    for part in own:
        if taken.count(part.name) > 1:
            raise ConfigError(f"{key}: two of one's own are called {part.name!r}")
    return (*(part for part in known if part.name in wanted), *own)


def _user_part(key: str, path: str, names: set[str], base: type[P]) -> P:
    cls = import_part(key, path, base)
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not name.isidentifier():
        raise ConfigError(f"{key}: {path!r} needs a class attribute `name` of letters, digits and underscores")
    if name in names:
        raise ConfigError(f"{key}: {path!r} calls itself {name!r}, which is this package's own")
    if cls.cost not in get_args(Cost):
        raise ConfigError(unknown_name(f"{key}: the cost of {path!r}", cls.cost, get_args(Cost)))
    for need in sorted(set(cls.needs) - NEEDS):
        raise ConfigError(unknown_name(f"{key}: what {path!r} needs", need, NEEDS))
    try:
        return cls()
    except TypeError as error:
        raise ConfigError(f"{key}: {path!r} must be made without arguments: {error}") from error
