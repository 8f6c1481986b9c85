"""Where jsonargparse, as it comes, would read something else than the user wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import torch
import yaml
from jsonargparse import Namespace, _loaders_dumpers, _paths, _typehints
from jsonargparse.typing import register_type


@contextmanager
def defaults_left_behind() -> Iterator[None]:
    """Let parsing begin with a new class's own defaults.

    jsonargparse hands every argument on that both classes have: `--model.optimizer AdamW` would get the weight decay
    of Adam's default, 0, and `--model.network ResNet` the `batch_norm` of Conv's, false. Values that differ from the
    default of the class before were set by somebody, and are handed on as ever. And where `--model` is given twice, it
    looks for arguments that the second class has not been given yet.
    """
    hand_on: Any = _typehints.discard_init_args_on_class_path_change
    hint: Any = _typehints.ActionTypeHint
    look_within: Any = hint.discard_init_args_on_class_path_change

    def leave_defaults_behind(parser_or_action: Any, before: Any, value: Any) -> None:
        if isinstance(before, Namespace) and "init_args" in before and before["class_path"] != value["class_path"]:
            options = getattr(parser_or_action, "sub_add_kwargs", {})
            _drop_defaults(before, _defaults_of(before["class_path"], options))
        hand_on(parser_or_action, before, value)

    def look_within_what_there_is(parser_or_action: Any, before: Any, after: Namespace | None) -> None:
        look_within(parser_or_action, before, Namespace() if after is None else after)  # type: ignore[no-untyped-call]

    _typehints.discard_init_args_on_class_path_change = leave_defaults_behind
    hint.discard_init_args_on_class_path_change = staticmethod(look_within_what_there_is)
    try:
        yield
    finally:
        _typehints.discard_init_args_on_class_path_change = hand_on
        hint.discard_init_args_on_class_path_change = staticmethod(look_within)


def _defaults_of(class_path: str, options: dict[str, Any]) -> Namespace:
    parser = _typehints.ActionTypeHint.get_class_parser(class_path, options)  # type: ignore[no-untyped-call]
    defaults: Namespace = parser.get_defaults()
    return defaults


def _drop_defaults(before: Namespace, defaults: Namespace) -> None:
    for key, value in list(before.init_args.items()):
        if key in defaults and value == defaults[key]:
            before.init_args.pop(key)


@contextmanager
def plain_factories() -> Iterator[None]:
    """Let what makes optimizers and schedulers be a `functools.partial` of its class.

    jsonargparse's own go back through the parser, to which Lightning's command line ties the Trainer and its locks: a
    model that keeps one could neither be copied nor pickled, which averaging its weights begins with.
    """
    partial: Any = _typehints.partial  # type: ignore[attr-defined]  # it is imported there, not exported

    def of_the_class(instantiate: Any, cls: type, **arguments: Any) -> Any:
        return partial(cls, **arguments)

    _typehints.partial = of_the_class  # type: ignore[attr-defined, assignment]
    try:
        yield
    finally:
        _typehints.partial = partial  # type: ignore[attr-defined]


def read_plain_values_by(load: Callable[[str], Any]) -> None:
    """Let what takes a plain number or truth value be read as all else is: jsonargparse passes over the parser's mode.

    Args:
        load: From a text to its value.
    """
    _loaders_dumpers.yaml_load = load


@contextmanager
def files_checked(check: Callable[[Path], None]) -> Iterator[None]:
    """Let a file be checked before it is read: any option, and any value in a file, may name one.

    Args:
        check: Raises where it is not to be read.
    """
    paths: Any = _paths.Path
    read: Any = paths.read_text

    def check_and_read(path: Any) -> Any:
        check(Path(path.absolute))
        return read(path)

    paths.read_text = check_and_read
    try:
        yield
    finally:
        paths.read_text = read


def _represent_word(dumper: yaml.SafeDumper, value: Enum) -> yaml.Node:
    if not isinstance(value, str):
        return dumper.represent_undefined(value)
    return dumper.represent_str(str(value.value))


# Where a parameter takes a word, Lightning's own default may be the enumeration's (`Timer`'s `interval`), which YAML
# would not write.
yaml.SafeDumper.add_multi_representer(Enum, _represent_word)


# Of `StochasticWeightAveraging` one is the default, in whose place a configuration would say that it cannot be written.
register_type(torch.device, str, torch.device, deserializer_exceptions=(RuntimeError, TypeError, ValueError))

MEANT = {"ReduceLROnPlateau": "lightning.pytorch.cli.ReduceLROnPlateau"}
"""Lightning's, which knows what it follows, bears the name of its base, torch's."""


@contextmanager
def short_names_resolved() -> Iterator[None]:
    """Let a short name that jsonargparse would refuse as ambiguous stand for one class."""
    by_name: Any = _typehints.resolve_class_path_by_name

    def resolve(cls: Any, name: str) -> Any:
        return MEANT.get(name) or by_name(cls, name)

    _typehints.resolve_class_path_by_name = resolve
    try:
        yield
    finally:
        _typehints.resolve_class_path_by_name = by_name
