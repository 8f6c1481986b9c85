"""Which combinations are tried: every pair of values once, found by looking and never listed by hand."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, get_args, get_origin, get_type_hints

from lightning.pytorch.cli import OptimizerCallable

from ae_lightning import networks
from ae_lightning.networks import Network

Chosen = tuple[str, int]
"""A factor's name and the position of one of its values."""


def choices(cls: type) -> dict[str, tuple[Any, ...]]:
    """Return the values of each constructor argument that can be counted: those of a `Literal`, or a `bool`'s.

    The default comes first. Arguments that are passed on (`**options`) are not looked at.
    """
    hints = get_type_hints(getattr(cls, "__init__"))  # noqa: B009  (of the class; mypy takes it for an instance's)
    found = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD or parameter.default is parameter.empty:
            continue
        hint = hints.get(name)
        values = get_args(hint) if get_origin(hint) is Literal else (False, True) if hint is bool else ()
        if values:
            found[name] = tuple(sorted(values, key=lambda value: value != parameter.default))
    return found


def optimizer_arguments(cls: type) -> list[str]:
    """Return the names of the constructor's arguments that make an optimizer, `optimizer` first."""
    hints = get_type_hints(getattr(cls, "__init__"))  # noqa: B009
    return ["optimizer", *(name for name, hint in hints.items() if hint == OptimizerCallable and name != "optimizer")]


def modes(cls: type, fixed: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Return the class's defaults (an empty mapping), and each countable argument's other values on their own.

    Args:
        cls: The class whose constructor is looked at.
        fixed: Names of arguments to leave alone.
    """
    others = [{name: value} for name, values in choices(cls).items() if name not in fixed for value in values[1:]]
    return [{}, *others]


def find_networks() -> list[Network]:
    """Build every network of the package, with its defaults and in each of its modes."""
    classes = [member for _, member in inspect.getmembers(networks, inspect.isclass) if issubclass(member, Network)]
    return [cls(**mode) for cls in classes if not inspect.isabstract(cls) for mode in modes(cls)]


def pairwise_cases(factors: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return few combinations in which every two values of different factors meet at least once.

    Args:
        factors: The values of each factor.

    Returns:
        Combinations, one value a factor; the same ones every time.
    """
    chosen = {name: [(name, position) for position in range(len(values))] for name, values in factors.items()}
    uncovered = [{a, b} for one, other in combinations(chosen.values(), 2) for a in one for b in other]
    cases = []
    while uncovered:
        case = dict(uncovered[0])
        for name in factors:
            if name not in case:
                case[name] = max(chosen[name], key=lambda value: _num_covered({*case.items(), value}, uncovered))[1]
        uncovered = [pair for pair in uncovered if not pair <= set(case.items())]
        cases.append({name: values[case[name]] for name, values in factors.items()})
    return cases


def describe(case: Mapping[str, Any]) -> str:
    """Name a combination, for a test's id."""
    return "-".join(f"{name}={value}".replace(" ", "") for name, value in case.items()) or "defaults"


def _num_covered(values: set[Chosen], uncovered: Iterable[set[Chosen]]) -> int:
    return sum(pair <= values for pair in uncovered)
