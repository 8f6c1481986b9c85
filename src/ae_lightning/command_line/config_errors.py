"""One line for what is wrong with a configuration, out of the sixty that jsonargparse may print.

The line names the offending key, what was given, the nearest valid name and what is allowed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from ae_lightning.command_line.class_keys import (
    CLASS_KINDS,
    arguments_of,
    classes_of,
    named_classes,
    read_yaml,
    subclasses,
)
from ae_lightning.command_line.commands import COMMANDS, TRAINER_COMMANDS
from ae_lightning.command_line.type_words import MAPPINGS, in_words, joined
from ae_lightning.command_line.unparsed_options import config_files, given_options
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.file_names import WEIGHTS_SUFFIX
from ae_lightning.machine.precision import PRECISIONS
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.named_files import named_file

MAX_LENGTH = 1000
MAX_VALUE_LENGTH = 200
"""Of a message, and of the value that is repeated in it, in characters."""


class ParseError(ConfigError):
    """What jsonargparse says, before it is explained."""


@dataclass(frozen=True)
class _Failure:
    """A message taken apart: the keys it goes through, the value given, and the parser's keys and classes."""

    message: str
    arguments: Sequence[str]
    keys: Sequence[str]
    classes: Mapping[str, str]

    @property
    def path(self) -> str:
        """The dotted key that the message is about, as far as it says."""
        named = re.findall(r'Parser key "([^"]+)"', self.message)
        nested = re.findall(r"NestedArg\(key='([^']+)'", self.message)
        return ".".join([*named[:1], nested[-1]] if nested else named)

    @property
    def value(self) -> Any:
        """The value given for the key, as far as the message tells it."""
        return next(self._values(), None)

    @property
    def outermost_value(self) -> Any:
        """The value given for the first of the keys that lead to it."""
        return next(iter([*self._values()][::-1]), None)

    def _values(self) -> Iterator[Any]:
        for given in re.findall(r"Given value: (.+)", self.message):
            try:
                yield ast.literal_eval(given)
            except (ValueError, SyntaxError):
                yield given


def explain(message: str, arguments: Sequence[str], keys: Sequence[str]) -> str:
    """Say in one line what is wrong.

    Args:
        message: What the parser says.
        arguments: The command line, which tells the classes that were chosen.
        keys: Every dotted key that the command takes.
    """
    taken_apart = _Failure(_with_whole_key(message, arguments, keys), arguments, keys, named_classes(arguments))
    explainers: tuple[Callable[[_Failure], str | None], ...] = (
        _linked,
        _unknown_argument,
        _missing_value,
        _unknown_option,
        _unknown_class,
        _bad_key,
        _no_class,
        _no_mapping,
        _several_classes,
        _missing_argument,
        _wrong_value,
        _wrong_union,
        _unreadable_file,
        _missing_model,
        _subcommand,
    )
    for explainer in explainers:
        explained = explainer(taken_apart)
        if explained is not None:
            return explained[:MAX_LENGTH]
    return re.sub(r'^Parser key "([^"]+)":', r"\1:", " ".join(message.split()))[:MAX_LENGTH]


def _with_whole_key(message: str, arguments: Sequence[str], keys: Sequence[str]) -> str:
    """Complete a key: of a class that is not within another the message tells only its argument."""
    found = re.match(r"""(?:Parser key "|Option ')(\w+)""", message)
    if not found or found[1] in {key.split(".")[0] for key in keys}:
        return message
    whole = {option[2:] for option, _ in given_options(arguments) if re.fullmatch(rf"--.+\.{found[1]}", option)}
    for path in config_files(arguments):
        whole |= {".".join([*place, found[1]]) for place in _paths_to(found[1], read_yaml(Path(path)))}
    return message.replace(found[1], whole.pop(), 1) if len(whole) == 1 else message


def _linked(failure: _Failure) -> str | None:
    found = re.search(r"Call to compute_fn of link .+? failed: (.+)", failure.message, re.DOTALL)
    return " ".join(found[1].split()) if found else None


def _unknown_argument(failure: _Failure) -> str | None:
    found = re.search(r"[Uu]nrecognized arguments?: (\S+)", failure.message)
    if not found:
        return None
    given = found[1]
    bare = given.lstrip("-–—")
    is_option = bare and given.removesuffix(bare) == "--"
    return _unknown_key(failure, bare.partition("=")[0]) if is_option else _no_option(failure, given, bare)


def _no_option(failure: _Failure, given: str, bare: str) -> str:
    """Say what somebody may have meant by a word that no option takes."""
    if not bare:
        return f"{given!r} is no option"
    key = bare.partition("=")[0]
    if key.split(".")[0] in {known.split(".")[0] for known in failure.keys}:
        return f"{given!r} is no option; did you mean --{bare}?"
    if named_file("configuration", given) or Path(given).suffix in (".yaml", ".yml") or Path(given).is_file():
        return f"{given!r} belongs to no option; a configuration stands behind -c: -c {given}"
    if Path(given).suffix in (".ckpt", WEIGHTS_SUFFIX):
        return f"{given!r} belongs to no option; a checkpoint stands behind --ckpt_path: --ckpt_path {given}"
    if given in subclasses(Autoencoder):
        return f"{given!r} belongs to no option; did you mean --model {given}?"
    return f"{given!r} belongs to no option; each takes one value, in quotes where it has spaces"


def _missing_value(failure: _Failure) -> str | None:
    found = re.search(r"argument (?:-c/)?(\S+): expected \w+ argument", failure.message)
    if not found:
        return None
    # Of an argument of a class the message tells only the class's own option.
    without = [one for one, after in pairwise([*failure.arguments, "-"]) if after.startswith("-")]
    return f"{next((one for one in without if one.startswith(found[1])), found[1])}: its value is missing"


def _unknown_option(failure: _Failure) -> str | None:
    grouped = re.search(r"(Group|Subcommand) '([^']+)' does not accept option '([^']+)'", failure.message)
    if grouped:
        return _unknown_key(failure, f"{grouped[2]}.{grouped[3]}" if grouped[1] == "Group" else grouped[3])
    found = re.search(r"Option '([^']+)' is not accepted", failure.message)
    if not found:
        return None
    option, path = found[1], failure.path
    if path == option or path.endswith(f".{option}") or not path:
        return _unknown_key(failure, path or option)
    for name, keys in MAPPINGS.items():
        if re.search(rf"Subtypes: \[.*\b{name}\b", failure.message):
            return unknown_name(path, option, keys)
    inner = next(_paths_to(option.split(".")[0], failure.value), [])
    return _unknown_key(failure, ".".join([path, *inner, *option.split(".")[:1]]), failure.value)


def _paths_to(option: str, value: Any) -> Iterator[list[str]]:
    """Yield the keys that lead to an option within the value given, `init_args` left out."""
    if not isinstance(value, Mapping):
        return
    if option in value:
        yield []
    for name, inner in value.items():
        for path in _paths_to(option, inner):
            yield path if name == "init_args" else [name, *path]


def _unknown_key(failure: _Failure, key: str, value: Any = None) -> str:
    if not failure.keys:
        return _no_command()
    classes = {**failure.classes, **dict(classes_of(failure.path, value))}
    group, _, name = key.rpartition(".")
    if group in CLASS_KINDS:
        return unknown_name(group, name, arguments_of(CLASS_KINDS[group], classes.get(group)))
    prefix = f"{group}." if group else ""
    known = {k.removeprefix(prefix).split(".")[0] for k in failure.keys if k.startswith(prefix)}
    if group and not known:
        return _unknown_key(failure, group)
    return unknown_name(group or "configuration", name, known)


def _unknown_class(failure: _Failure) -> str | None:
    found = re.search(r"Expected a dot import path string: (\S+)", failure.message)
    if not found:
        found = re.search(
            r"(?:Problem with given class_path|Import path|No module named|Unexpected import path format:) '?([^\s']+)",
            failure.message,
        )
    if not found:
        return None
    key = failure.path
    if key not in CLASS_KINDS:
        # Of a nested value the message tells only the outermost key.
        places = [place for place, name in failure.classes.items() if name == found[1].rsplit(".", 1)[-1]]
        key = places[0] if places else key
    names = subclasses(CLASS_KINDS[key]) if key in CLASS_KINDS else {}
    if not names and re.search(r"Subtypes: .*<class '(?:int|float|bool)'>", failure.message):
        return None
    return unknown_name(key, found[1], names) if names else f"{key}: {found[1]!r} is no class that can be imported"


def _bad_key(failure: _Failure) -> str | None:
    found = re.search(
        r"(?:Spaces not allowed in keys|Empty nested key|[Kk]ey must be a string, got): (.+?)\.?$",
        failure.message,
        re.MULTILINE,
    )
    if not found:
        return None
    key = found[1].strip('"')
    return f"{failure.path or 'configuration'}: the key {key!r} is not allowed; a key is a word such as latent_dim"


def _no_class(failure: _Failure) -> str | None:
    found = re.search(r"Got value: (None|\[\])", failure.message)
    if failure.path not in CLASS_KINDS or not found:
        return None
    names = ", ".join(sorted(subclasses(CLASS_KINDS[failure.path])))
    given = found[1].replace("None", "null")
    return f"{failure.path}: {given} is not allowed; it must be one of: {names}"


def _no_mapping(failure: _Failure) -> str | None:
    found = re.search(r"Unexpected config: *(.*)", failure.message, re.DOTALL)
    if found:
        return f"-c: {_shortened(repr(found[1].strip()))} is no configuration; it must hold keys and their values"
    found = re.search(r"""Unable to load config (["'])(.*?)\1""", failure.message)
    place = failure.path.split(".")[0]
    return f"{place}: {found[2]!r} is not allowed; it must be a mapping, or a YAML file" if found else None


def _several_classes(failure: _Failure) -> str | None:
    found = re.search(
        r"Multiple subclasses with name (\w+)\. Give the full class path .+?: (.+?)\.?$", failure.message, re.M
    )
    return f"{failure.path}: {found[1]!r} is the name of several classes; give one of: {found[2]}" if found else None


def _missing_argument(failure: _Failure) -> str | None:
    found = re.search(r"the following arguments are required: (.+)", failure.message)
    if not found or not failure.path:
        return None
    return "; ".join(f"{failure.path}.{name} is required" for name in found[1].split(", "))


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[:MAX_VALUE_LENGTH]}…"


def _wrong_value(failure: _Failure) -> str | None:
    found = re.search(r"Expected an? (.+?)\. Got value: (.*)", failure.message)
    return _not_allowed(_place(failure), found[2], in_words(found[1])) if found else None


def _not_allowed(place: str, value: Any, allowed: str) -> str:
    written = f"; one alone is a list too: [{value}]" if "a list of names" in allowed and isinstance(value, str) else ""
    return f"{place}: {_shortened(repr(value))} is not allowed; it must be {allowed}{written}"


def _place(failure: _Failure) -> str:
    """Return the full key: of a value inside a class the message tells only the outermost key and the last."""
    named: list[str] = re.findall(r'Parser key "([^"]+)"', failure.message)
    outermost, *inner = named or [failure.path]
    if not inner:
        return outermost
    if failure.path.endswith(f".{inner[-1]}"):
        return failure.path
    between = next(_paths_to(inner[-1], failure.outermost_value), inner[:-1])
    return ".".join([outermost, *between, inner[-1]])


def _wrong_union(failure: _Failure) -> str | None:
    found = re.findall(r"Subtypes: \[(.+)\]", failure.message)
    if not found:
        return None
    is_precision = failure.path == "trainer.precision"  # Lightning knows more of them
    return _not_allowed(failure.path, failure.value, joined(PRECISIONS) if is_precision else in_words(found[-1]))


def _unreadable_file(failure: _Failure) -> str | None:
    found = re.search(r"File does not exist: '?([^'\n]+)'?", failure.message)
    if found:
        return f"-c: there is no file {Path(found[1]).name!r} ({found[1]})"
    found = re.search(r"Problems? parsing config:?\s*(.+)", failure.message, re.DOTALL)
    return f"-c: not valid YAML: {' '.join(found[1].split())}" if found else None


def _missing_model(failure: _Failure) -> str | None:
    return no_model(failure.arguments[0]) if re.search(r"required: \w+\.model$", failure.message) else None


def no_model(command: str) -> str:
    """Say how to choose an autoencoder for a command."""
    names = ", ".join(sorted(subclasses(Autoencoder)))
    trained = "" if command == "fit" else "--ckpt_path with the checkpoint of one, "
    return f"model: no autoencoder is chosen; give {trained}-c vae, or --model with one of: {names}"


def unreadable_file(arguments: Sequence[str]) -> str:
    """Say which of the configuration files on a command line is no text."""
    files = [path for path in config_files(arguments) if not _is_text(path)]
    return f"-c: not a text file: {', '.join(files) or 'a configuration'}"


def _is_text(path: str) -> bool:
    try:
        Path(path).read_text()
    except UnicodeDecodeError:
        return False
    except OSError:
        return True
    return True


def _subcommand(failure: _Failure) -> str | None:
    found = re.search(r"invalid choice: '([^']*)' \(choose from .+\)", failure.message)
    if found:
        return unknown_name("command", found[1], [*TRAINER_COMMANDS, *COMMANDS])
    return _no_command() if re.search(r"to be one of \{.+?\}", failure.message) else None


def _no_command() -> str:
    return f"a command is missing; Allowed: {', '.join(sorted([*TRAINER_COMMANDS, *COMMANDS]))}"
