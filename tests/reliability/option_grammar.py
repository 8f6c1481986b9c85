"""Random command lines out of the options that the parsers themselves know: of right, odd and wrong values."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse._typehints import ActionTypeHint, get_all_subclass_paths, get_subclass_types

TAGGED = (
    *("!!bool foo", "!!int ''", "!!float x", "!!timestamp foo", "!!timestamp 2001-99-99", "!!binary '*'"),
    *("!!binary aGk=", "!!null x", "!!str 3", "!!set {a, b}", "!!omap [a: 1]", "!!omap x", "!!pairs [a: 1]", "!!seq x"),
    *("!!map x", "!unknown 1", "!", "! 3", "!<tag:yaml.org,2002:int> x", "!!int 0b", "!!float ''", "!!bool ''"),
    *("!!python/name:os.system", "!!python/object/apply:os.system ['touch ran']"),
)
"""Values with a YAML tag, most of which its constructor chokes on."""

ODD = (
    *TAGGED,
    *("", " ", "null", "~", "no", "[]", "{}", "[", "]", "{a: b", "a: b", "- ", ":", "''", '"', "'", "|", "a\nb", "\t"),
    *(
        "&a [*a]",
        "*a",
        "[&a 1, *a]",
        "{<<: {max_epochs: 1}}",
        "{<<: 1}",
        "{<<: [1, 2]}",
        "<<: *a",
        "{? [a]: b}",
        "{1: 2}",
    ),
    *(
        "2001-01-01",
        "2001-99-99",
        "12:30:45",
        "1_000",
        "0x1f",
        "0o17",
        "0b1",
        "1e400",
        "-1e400",
        ".inf",
        "-.inf",
        ".nan",
    ),
    *(
        "1" * 5000,
        "x" * 5000,
        "[" * 100,
        "é中\U0001f600\u202e",
        "\ufeff1",
        "\x00",
        "\x1b[31m",
        "\x85",
        "\u2028",
        "\udc80",
    ),
    *(
        "true",
        "false",
        "yes",
        "1",
        "-1",
        "0",
        "1.5",
        "-0.0",
        "1e-320",
        str(2**31),
        str(2**63),
        str(-(2**63)),
        str(10**30),
    ),
    *(
        "os.system",
        "builtins.eval",
        "no.such.Class",
        "ae_lightning.errors.DataError",
        "torch.nn.Linear",
        ".",
        "..",
        "a.",
    ),
    *(
        "{class_path: VAE}",
        "{class_path: 3}",
        "{class_path: [a]}",
        "{init_args: {}}",
        "{class_path: Adam, init_args: 3}",
    ),
    *(
        "{class_path: VAE, init_args: {latent_dim: x}}",
        "{class_path: null}",
        "{class_path: Prior, dict_kwargs: {a: 1}}",
    ),
    *(
        "/dev/zero",
        "/dev/null",
        "/no/such/file",
        "/",
        "missing.yaml",
        "missing.ckpt",
        "--",
        "-",
        "--model",
        "%s",
        "${HOME}",
    ),
)
"""Values that fit hardly any option, as they stand on a command line or in a YAML."""

WORDS = (
    *("auto", "best", "last", "digits", "npz", "folder", "stream", "images.npz", "val/loss", "val/mse", "train/loss"),
    *("min", "max", "epoch", "step", "cpu", "gpu", "cuda", "ddp", "ddp_spawn", "fsdp", "deepspeed", "tpu", "0,1", "-1"),
    *(
        "relu",
        "gelu",
        "sum",
        "mean",
        "mse",
        "norm",
        "value",
        "simple",
        "advanced",
        "all",
        "cheap",
        "00:00:01:00",
        "a b",
    ),
)
NUMBERS = (0, 1, 2, 3, 8, 16, -1, -2, 100, 2**31, 2**63, 10**30)
REALS = (0.0, 1.0, 0.5, 1e-3, -1.0, 1e-320, 1e308, 2.0, 100.0)


class Grammar:
    """Draws options of a parser, by its actions.

    Args:
        random: A `random.Random`, which alone decides what is drawn.
    """

    def __init__(self, random):
        self.random = random

    def any_of(self, values):
        """One of several."""
        return self.random.choice(list(values))

    def happens(self, share):
        """Whether something happens that does so in a share of the cases."""
        return self.random.random() < share

    def text(self, hint, depth=0):
        """A value for a type as it stands on the command line: mostly of the type, else of any other."""
        if self.happens(0.3):
            return self.any_of(self.any_of((ODD, TAGGED)))
        value = self.value(hint, depth)
        return value if isinstance(value, str) else json.dumps(value)

    def value(self, hint, depth=0):
        """A value for a type."""
        if self.happens(0.08):
            return self.any_of((*ODD, *NUMBERS, *REALS, None, True, [], {}, [[]], {"a": {}}, [None], {"": 1}))
        origin = get_origin(hint)
        if origin is Literal:
            return self.any_of(get_args(hint))
        if origin in (Union, UnionType):
            return self.value(self.any_of(get_args(hint)), depth)
        return self._collection(hint, origin, depth) if isinstance(origin, type) else self._plain(hint, depth)

    def _collection(self, hint, origin, depth):
        if issubclass(origin, Mapping):
            return {
                self.any_of(WORDS): self.value(get_args(hint)[-1], depth + 1) for _ in range(self.random.randint(0, 2))
            }
        if issubclass(origin, Iterable):
            inner = [one for one in get_args(hint) if one is not Ellipsis] or [Any]
            return [self.value(self.any_of(inner), depth + 1) for _ in range(self.random.randint(0, 3))]
        return self._plain(hint, depth)

    def _plain(self, hint, depth):
        plain = {
            bool: (True, False),
            int: NUMBERS,
            float: REALS,
            str: WORDS,
            Path: WORDS,
            timedelta: ("00:01:00", "1 day", "-1 day, 0:00:00"),
            NoneType: (None,),
        }
        if hint in plain:
            return self.any_of(plain[hint])
        if isinstance(hint, type) and issubclass(hint, Enum):
            return self.any_of([one.name for one in hint])
        return self._class(hint, depth)

    def _class(self, hint, depth):
        paths = self.class_paths(hint)
        if not paths:
            return self.any_of(ODD)
        path = self.any_of(paths)
        name = path.rpartition(".")[2] if self.happens(0.5) else path
        if self.happens(0.3):
            return name
        return {"class_path": name, "init_args": self.arguments(path, depth + 1)}

    def class_paths(self, hint):
        """The paths of every class that a type takes."""
        try:
            kinds = get_subclass_types(hint, callable_return=True) or ()
        except (TypeError, AttributeError, ValueError):
            return []
        return [path for kind in kinds for path in get_all_subclass_paths(kind)]

    def actions(self, path):
        """The actions of a class' arguments; none where it has no parser of its own."""
        try:
            parser = ActionTypeHint.get_class_parser(path)
        except Exception:  # what jsonargparse cannot make options of
            return []
        return settings_of(parser)

    def arguments(self, path, depth):
        """Values for some arguments of a class."""
        actions = self.actions(path) if depth < 4 else []
        chosen = self.random.sample(actions, min(len(actions), self.random.randint(0, 3)))
        made = {action.dest: self.value(hint_of(action), depth) for action in chosen}
        if self.happens(0.05):
            made[self.any_of(ODD)] = self.any_of(ODD)
        return made

    def option(self, action):
        """An option with its value, and at times options of the class that it names."""
        name, hint = f"--{action.dest}", hint_of(action)
        paths = self.class_paths(hint)
        if paths and self.happens(0.6):
            path = self.any_of(paths)
            made = self.given(name + self.any_of(("", "", "", ".class_path", "+")), self.any_of((path, short(path))))
            for inner in self.random.sample(known := self.actions(path), min(len(known), self.random.randint(0, 3))):
                between = self.any_of((".", ".init_args.", ".init_args.", ".init_args.init_args."))
                made += self.given(f"{name}{between}{inner.dest}", self.text(hint_of(inner), 1))
            return made
        return self.given(name + ("+" if self.happens(0.08) else ""), self.text(hint))

    def given(self, name, text):
        """An option and its value in one of the ways to write them, wrong ones included."""
        way = self.random.random()
        if way < 0.45:
            return [name, text]
        if way < 0.93:
            return [f"{name}={text}"]
        return self.any_of(([name], [name, text, text], [name[:-1], text], [f"{name}.{text}", text], [text, name]))

    def document(self, actions):
        """A YAML for some options, most of it valid."""
        root: dict[str, Any] = {}
        for action in self.random.sample(actions, min(len(actions), self.random.randint(1, 4))):
            *way, last = action.dest.split(".")
            place = root
            for step in way:
                place = place.setdefault(step, {})
                if not isinstance(place, dict):
                    break
            else:
                place[last] = self.value(hint_of(action))
        text = yaml_of(root)
        if self.happens(0.5):
            action = self.any_of(actions)
            text = text.rstrip("\n") + "\n" + nested(action.dest, self.any_of(ODD))
        return text


def settings_of(parser):
    """The actions of a parser that take a value."""
    return [
        action
        for action in parser._actions
        if action.option_strings
        and action.dest not in ("help", "config", "print_config")
        and not type(action).__name__.startswith(("_ActionHelp", "ActionLink", "_HelpAction"))
    ]


def hint_of(action):
    """The type of what an action takes."""
    hint = getattr(action, "_typehint", None) or action.type
    if action.choices:
        return Literal[tuple(action.choices)]
    if action.nargs == 0:
        return bool
    return hint if hint is not None and (inspect.isclass(hint) or get_origin(hint)) else str


def short(path):
    """The name of a class alone."""
    return path.rpartition(".")[2]


def nested(key: str, text: str) -> str:
    """A YAML in which a dotted key has a value, written as given."""
    *way, last = key.split(".")
    lines: Sequence[str] = [f"{'  ' * depth}{step}:" for depth, step in enumerate(way)]
    return "\n".join([*lines, f"{'  ' * len(way)}{last}: {text}"]) + "\n"


def yaml_of(value):
    """YAML of plain values: JSON is some."""
    return "\n".join(f"{json.dumps(key)}: {json.dumps(inner)}" for key, inner in value.items()) + "\n"
