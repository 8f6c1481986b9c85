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

from ae_lightning.errors import ConfigError

MEANT = {"ReduceLROnPlateau": "lightning.pytorch.cli.ReduceLROnPlateau"}
"""Lightning's, which knows what it follows, bears the name of its base, torch's."""


@contextmanager
def _in_place(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Let an attribute be what is made of it, as long as this is open."""
    before = vars(owner)[name]
    setattr(owner, name, make(getattr(owner, name)))
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def reading_as_written(check: Callable[[Path], None]) -> Iterator[None]:
    """Let what is parsed be what was written.

    - Parsing begins with a new class's own defaults. jsonargparse hands every argument on that both classes have:
      `--model.optimizer AdamW` would get the weight decay of Adam's default, 0, and `--model.network ResNet` the
      `batch_norm` of Conv's, false. Values that differ from the default of the class before were set by somebody, and
      are handed on as ever. And where `--model` is given twice, it looks for arguments that the second class has not
      been given yet.
    - A short name that jsonargparse would refuse as ambiguous stands for one class.
    - A file is checked before it is read: any option, and any value in a file, may name one.

    Args:
        check: Raises where a file is not to be read.
    """

    def leaving_defaults_behind(hand_on: Any) -> Any:
        def leave_behind(parser_or_action: Any, before: Any, value: Any) -> None:
            if isinstance(before, Namespace) and "init_args" in before and before["class_path"] != value["class_path"]:
                options = getattr(parser_or_action, "sub_add_kwargs", {})
                parser: Any = hint.get_class_parser(before["class_path"], options)  # type: ignore[no-untyped-call]
                defaults = parser.get_defaults()
                for key, set_ in list(before.init_args.items()):
                    if key in defaults and set_ == defaults[key]:
                        before.init_args.pop(key)
            hand_on(parser_or_action, before, value)

        return leave_behind

    def looking_within_what_there_is(look: Any) -> Any:
        nothing = Namespace()  # type: ignore[no-untyped-call]
        return staticmethod(lambda owner, before, after: look(owner, before, nothing if after is None else after))

    def resolving_short_names(resolve: Any) -> Any:
        return lambda cls, name: MEANT.get(name) or resolve(cls, name)

    def reading_what_is_text(read: Any) -> Any:
        def read_checked(path: Any) -> Any:
            check(Path(path.absolute))
            try:
                return read(path)
            except UnicodeDecodeError as error:
                raise ConfigError(f"{path.absolute} is no text file") from error

        return read_checked

    hint = _typehints.ActionTypeHint
    discard = "discard_init_args_on_class_path_change"
    with (
        _in_place(_typehints, discard, leaving_defaults_behind),
        _in_place(hint, discard, looking_within_what_there_is),
        _in_place(_typehints, "resolve_class_path_by_name", resolving_short_names),
        _in_place(_paths.Path, "read_text", reading_what_is_text),
    ):
        yield


def plain_factories() -> Any:
    """Let what makes optimizers and schedulers be a `functools.partial` of its class.

    jsonargparse's own go back through the parser, to which Lightning's command line ties the Trainer and its locks: a
    model that keeps one could neither be copied nor pickled, which averaging its weights begins with.
    """

    def of_the_class(partial: Any) -> Any:
        return lambda instantiate, cls, **arguments: partial(cls, **arguments)

    return _in_place(_typehints, "partial", of_the_class)


def read_plain_values_by(load: Callable[[str], Any]) -> None:
    """Let what takes a plain number or truth value be read as all else is: jsonargparse passes over the parser's mode.

    Args:
        load: From a text to its value.
    """
    _loaders_dumpers.yaml_load = load


def _represent_word(dumper: yaml.SafeDumper, value: Enum) -> yaml.Node:
    if not isinstance(value, str):
        return dumper.represent_undefined(value)
    return dumper.represent_str(str(value.value))


# Where a parameter takes a word, Lightning's own default may be the enumeration's (`Timer`'s `interval`), which YAML
# would not write.
yaml.SafeDumper.add_multi_representer(Enum, _represent_word)


# Of `StochasticWeightAveraging` one is the default, in whose place a configuration would say that it cannot be written.
register_type(torch.device, str, torch.device, deserializer_exceptions=(RuntimeError, TypeError, ValueError))
