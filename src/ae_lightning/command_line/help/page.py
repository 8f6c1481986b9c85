"""A page of help: the keys of a command in reading order, each in a sentence; or a section with every word."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from jsonargparse._typehints import ActionTypeHint, type_to_str

from ae_lightning.command_line.class_keys import CLASS_KINDS, GIVEN_BY_OTHERS, arguments_of, subclasses
from ae_lightning.command_line.commands import TRAINER_COMMANDS
from ae_lightning.command_line.help.own_texts import (
    PLACEHOLDERS,
    SELDOM_SET,
    TEXTS,
    TEXTS_OF_COMMANDS,
    TITLES,
    UNHEEDED,
)
from ae_lightning.command_line.help.trainer_keys import OFTEN_SET, OTHERS, OUTSIDE_TRAINING
from ae_lightning.command_line.type_words import in_words
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.variants.vanilla import VanillaAE

GROUPS = ("model", "data", "evaluation", "checkpoint", "trainer")
"""Sections whose keys begin with their name; a page of its own has every word of one."""

ORDER = {
    "fit": ("model", "data", "evaluation", "checkpoint", "run", "trainer"),
    "validate": ("run", "data", "evaluation", "trainer"),
    "test": ("run", "data", "evaluation", "trainer"),
    "predict": ("run", "data", "trainer"),
}
"""Sections of each command's page."""

SHORT_KINDS = {"a whole number": "N", "a number": "X", "true or false": "BOOL", "a text": "TEXT"}

OWN_CLASSES = ("model", "model.network", "model.prior", "model.optimizer", "sampler")
"""Keys whose classes' own keys a shell completes."""

INDENT, MAX_WIDTH = 30, 100

_OWN_TEXTS = {f"trainer.{name}" for name in (*OFTEN_SET, *OTHERS)} | {"seed_everything"}
"""Keys whose texts are short, and name what is allowed."""


@dataclass(frozen=True)
class Key:
    """A key of the configuration.

    Attributes:
        name: With its group, such as `data.batch_size`.
        text: What it does.
        kind: What its value may be, in words.
        default: As the parser has it.
    """

    name: str
    text: str
    kind: str = ""
    default: Any = None

    @property
    def placeholder(self) -> str:
        """What stands for the value."""
        if self.name in CLASS_KINDS:
            return "CLASS"
        if self.name in PLACEHOLDERS:
            return PLACEHOLDERS[self.name]
        return SHORT_KINDS.get(self.kind.removesuffix(" or null"), "VALUE")

    @property
    def choices(self) -> list[str] | None:
        """The words that it takes; None where it takes others too."""
        if self.name in CLASS_KINDS:
            return sorted(subclasses(CLASS_KINDS[self.name]))
        is_choice = self.kind and not re.search(r"\ban? ", self.kind)
        return re.split(", | or ", self.kind) if is_choice else None

    def described(self, *, whole: bool) -> str:
        """Return the text, or what stands before its first full stop or semicolon, with choices and the default."""
        is_own, shown = self.name in _OWN_TEXTS, _shown(self.default)
        text = self.text if whole or is_own else re.split(r"[.;]\s", re.sub(r" \(.*?\)", "", self.text))[0]
        is_choice = self.placeholder == "VALUE" and self.choices
        said = [self.kind] if not is_own and self.kind and (whole or is_choice) else []
        said += [f"default: {shown}"] if shown else []
        return text.rstrip(".") + (f" ({'; '.join(said)})" if said else "")


def page(parser: ArgumentParser, command: str, section: str | None, model: type[Autoencoder] | None = None) -> str:
    """Return a page of help.

    Args:
        parser: Of the command.
        command: `fit`, `validate`, `test` or `predict`.
        section: The one to show with every word; None for the command's page.
        model: The variant whose keys are shown; those that all have where none is chosen yet.

    Raises:
        ConfigError: If there is no such section.
    """
    if section is not None and section not in GROUPS:
        raise ConfigError(unknown_name("--help", section, GROUPS))
    does = TRAINER_COMMANDS[command]
    layout = argparse.ArgumentParser(
        usage=f"python -m ae_lightning {command} [-c NAME_OR_FILE ...] [--KEY VALUE ...]",
        description=f"{does[0].upper()}{does[1:]}. -c takes a configuration: a file, or the name of one of "
        "ae_lightning's, such as vae or data/mnist. What stands further behind wins.",
        epilog=_epilog(command, section),
        add_help=False,
        formatter_class=_Layout,
    )
    for name in ORDER[command] if section is None else [section]:
        shown = layout.add_argument_group(TITLES[name].format(command=command))
        for key in _keys(parser, command, name, model or VanillaAE, whole=section is not None):
            text = key.described(whole=section is not None).replace("%", "%%")
            shown.add_argument(f"--{key.name}", metavar=key.placeholder, help=text)
    return layout.format_help()


def add_keys(layout: argparse.ArgumentParser, parser: ArgumentParser, command: str) -> None:
    """Add every key of a command to a parser of argparse, with those of this package's classes, to be completed.

    Args:
        layout: Changed in place.
        parser: Of the command.
        command: `fit`, `validate`, `test` or `predict`.
    """
    sections = dict.fromkeys([*ORDER[command], *GROUPS])
    known = [key for name in sections for key in _keys(parser, command, name, VanillaAE, whole=True)]
    for key in {key.name: key for key in known}.values():
        text = key.described(whole=False).replace("%", "%%")
        layout.add_argument(f"--{key.name}", choices=key.choices, help=text)
    names = {f"{place}.{name}" for place in OWN_CLASSES for name in arguments_of(CLASS_KINDS[place], None)}
    for name in sorted(names - {key.name for key in known}):
        layout.add_argument(f"--{name}")


class _Layout(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=INDENT)
        self._width = min(self._width, MAX_WIDTH)


def _epilog(command: str, section: str | None) -> str:
    if section is not None:
        return f"`{command} --help` has the other sections."
    return (
        f"`{command} --help trainer` and `{command} --help data` have all keys of theirs, and model, evaluation and "
        "checkpoint every word. `--model.help SparseAE`, `--model.network.help ResNet` and `--trainer.callbacks.help "
        "EarlyStopping` have the keys of a class, which follow its own: --model.network.widths. `--print_config` "
        "prints what would run."
    )


def _keys(
    parser: ArgumentParser, command: str, section: str, model: type[Autoencoder], *, whole: bool
) -> Iterator[Key]:
    if section == "model":
        yield Key("model", f"The variant: {', '.join(sorted(subclasses(Autoencoder)))}")
        yield from _keys_of_class(model)
    elif section == "run":
        texts = {**TEXTS_OF_COMMANDS[command], **TEXTS}
        known = {key.name: key for key in _parsed(parser, "")}
        for name, text in texts.items():
            found = known.get(name, Key(name, ""))
            yield Key(name, text, found.kind, found.default)
    elif section == "trainer":
        yield from _trainer_keys(parser, command, whole=whole)
    else:
        left_out = () if whole else (*UNHEEDED[command], *SELDOM_SET)
        yield from (key for key in _parsed(parser, section) if key.name not in left_out)


def _trainer_keys(parser: ArgumentParser, command: str, *, whole: bool) -> Iterator[Key]:
    known = {key.name.removeprefix("trainer."): key for key in _parsed(parser, "trainer")}
    texts = {name: key.text for name, key in known.items()} | OTHERS
    names = OFTEN_SET if command == "fit" else OUTSIDE_TRAINING[command]
    for name in dict.fromkeys([*names, *(known if whole else ())]):
        key = known[name]
        yield Key(key.name, {**texts, **OFTEN_SET}[name], key.kind, key.default)


def _keys_of_class(cls: type[Autoencoder]) -> Iterator[Key]:
    parser = ArgumentParser()
    parser.add_class_arguments(cls, "model")
    yield from (key for key in _parsed(parser, "model") if key.name.partition(".")[2] not in GIVEN_BY_OTHERS)


def _parsed(parser: ArgumentParser, group: str) -> Iterator[Key]:
    """Yield the keys of a parser that are in a group, or with an empty name those that are in none."""
    for action in parser._actions:
        prefix, dot, _ = action.dest.rpartition(".")
        # A class of the user's takes the place of a group's keys.
        is_there = prefix == group or (not dot and action.dest == group)
        if isinstance(action, ActionTypeHint) and is_there:
            yield Key(action.dest, _text(action), _kind(action), action.default)


def _text(action: ActionTypeHint) -> str:
    """Return what a docstring says, without its marks; of a class, which there are of this package's."""
    text = re.sub(r":\w+:`~?([\w.]+\.)?(\w+)`", r"\2", " ".join((action.help or "").split())).replace("`", "")
    kind = CLASS_KINDS.get(action.dest)
    if kind is None or not kind.__module__.startswith("ae_lightning"):
        return text
    first, stop, rest = text.partition(".")
    return f"{first}: {', '.join(sorted(subclasses(kind)))}{stop}{rest}"


def _kind(action: ActionTypeHint) -> str:
    return "" if action.dest in CLASS_KINDS else in_words(type_to_str(action._typehint))  # type: ignore[no-untyped-call]


def _shown(value: Any) -> str:
    """Return a default as a configuration writes it, of a class its name; nothing for null."""
    if isinstance(value, Mapping | Namespace):
        return str(value.get("class_path", "")).rpartition(".")[2]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_shown, value))}]"
    return "" if value is None else str(value.value if isinstance(value, Enum) else value)
