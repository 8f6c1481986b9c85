"""One line for what is wrong with a configuration, out of the sixty that jsonargparse may print.

The line names the offending key, what was given, the nearest valid name and what is allowed.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ae_lightning.command_line.commands import COMMANDS, TRAINER_COMMANDS
from ae_lightning.command_line.unparsed_options import config_files, given_options
from ae_lightning.command_line.yaml_text import load_yaml
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks import Network
from ae_lightning.priors.base import Prior
from ae_lightning.samplers.base import Sampler
from ae_lightning.variants import holds_variants

MAX_LENGTH = 1000
MAX_VALUE_LENGTH = 200
"""Of a message, and of the value that is repeated in it, in characters."""

CLASS_KINDS: dict[str, type] = {
    "model": Autoencoder,
    "model.network": Network,
    "model.prior": Prior,
    "model.optimizer": Optimizer,
    "model.scheduler": LRScheduler,
    "sampler": Sampler,
    "trainer.logger": Logger,
    "trainer.callbacks": Callback,
}
"""Keys whose value is a class, and what it must be a subclass of."""

DEFAULT_CLASSES = {"model.network": "Conv", "model.optimizer": "Adam", "trainer.logger": "MLflowTracker"}

GIVEN_BY_OTHERS = {"seed": "give seed_everything, which it follows", "spec": "the data give it"}
"""Arguments of a model that its key cannot set, and what does."""

DERIVED_ARGUMENTS = frozenset({"self", "params", "optimizer_", *GIVEN_BY_OTHERS})


class ParseError(ConfigError):
    """What jsonargparse says, before it is explained."""


@dataclass(frozen=True)
class _Failure:
    """A message taken apart: the keys it goes through, the value given, and the parser's keys and classes."""

    message: str
    keys: Sequence[str]
    classes: Mapping[str, str]

    @property
    def path(self) -> str:
        """The dotted key that the message is about, as far as it says."""
        named = re.findall(r'Parser key "([^"]+)"', self.message)
        nested = re.search(r"NestedArg\(key='([^']+)'", self.message)
        if nested is None:
            return ".".join(named)
        return f"{named[0]}.{nested[1]}" if named else nested[1]

    @property
    def value(self) -> Any:
        """The value given, as far as the message tells it."""
        found = re.search(r"Given value: (.+)", self.message)
        try:
            return ast.literal_eval(found[1]) if found else None
        except (ValueError, SyntaxError):
            return found[1] if found else None


def explain(message: str, arguments: Sequence[str], keys: Sequence[str]) -> str:
    """Say in one line what is wrong.

    Args:
        message: What the parser says.
        arguments: The command line, which tells the classes that were chosen.
        keys: Every dotted key that the command takes.
    """
    taken_apart = _Failure(_with_whole_key(message, arguments, keys), keys, named_classes(arguments))
    explainers: tuple[Callable[[_Failure], str | None], ...] = (
        _linked,
        _unknown_argument,
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
        whole |= {".".join([*place, found[1]]) for place in _paths_to(found[1], _read_yaml(Path(path)))}
    return message.replace(found[1], whole.pop(), 1) if len(whole) == 1 else message


def named_classes(arguments: Sequence[str]) -> dict[str, str]:
    """Return the class names that the arguments choose, by key, over the defaults."""
    classes = dict(DEFAULT_CLASSES)
    for option, value in pairwise([*arguments, ""]):
        for path in config_files([option, value]):
            classes |= dict(_classes_of("", _read_yaml(Path(path))))
        if option.startswith("--"):
            key = option.removeprefix("--").removesuffix(".class_path")
            if key in CLASS_KINDS:
                classes[key] = value
    return {key: name.rsplit(".", 1)[-1] for key, name in classes.items()}


def _read_yaml(path: Path) -> Any:
    try:
        return load_yaml(path.read_text())
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _classes_of(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str) and key in CLASS_KINDS:
        yield key, value
    if not isinstance(value, Mapping):
        return
    if isinstance(value.get("class_path"), str):
        yield key, value["class_path"]
    for name, inner in value.items():
        if name == "init_args":
            yield from _classes_of(key, inner)
        else:
            yield from _classes_of(f"{key}.{name}".lstrip("."), inner)


def _linked(failure: _Failure) -> str | None:
    found = re.search(r"Call to compute_fn of link .+? failed: (.+)", failure.message, re.DOTALL)
    return " ".join(found[1].split()) if found else None


def _unknown_argument(failure: _Failure) -> str | None:
    found = re.search(r"[Uu]nrecognized arguments?: (?:--)?([^\s=]+)", failure.message)
    return _unknown_key(failure, found[1]) if found else None


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
    classes = {**failure.classes, **dict(_classes_of(failure.path, value))}
    group, _, name = key.rpartition(".")
    if group in CLASS_KINDS:
        return unknown_name(group, name, _arguments_of(CLASS_KINDS[group], classes.get(group)))
    prefix = f"{group}." if group else ""
    known = {k.removeprefix(prefix).split(".")[0] for k in failure.keys if k.startswith(prefix)}
    if group and not known:
        return _unknown_key(failure, group)
    return unknown_name(group or "configuration", name, known)


def _arguments_of(kind: type, class_name: str | None) -> set[str]:
    """Return the arguments of a class of a kind, or of all classes of that kind where it is not known."""
    short = (class_name or "").rsplit(".", 1)[-1]
    classes = _subclasses(kind)
    chosen = [classes[short]] if short in classes else list(classes.values())
    return {name for cls in chosen for name in _argument_names(cls)} - DERIVED_ARGUMENTS


def _argument_names(cls: type) -> Iterator[str]:
    """Yield the names of a constructor's arguments, those that it hands on to its base included."""
    parameters = inspect.signature(cls).parameters.values()
    for parameter in parameters:
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            yield parameter.name
        elif cls.__mro__[1] is not object:
            yield from _argument_names(cls.__mro__[1])


def _subclasses(kind: type) -> dict[str, type]:
    """Return every imported class of a kind that can be built, by name."""
    found: dict[str, type] = {}
    cls: type
    for cls in kind.__subclasses__():
        found |= _subclasses(cls)
        if _can_be_chosen(cls):
            found[cls.__name__] = cls
    return found


def _can_be_chosen(cls: type) -> bool:
    is_private = inspect.isabstract(cls) or cls.__name__.startswith("_")
    return not is_private and (not issubclass(cls, Autoencoder) or holds_variants(cls.__module__))


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
    names = _subclasses(CLASS_KINDS[key]) if key in CLASS_KINDS else {}
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
    names = ", ".join(sorted(_subclasses(CLASS_KINDS[failure.path])))
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
    if not found:
        return None
    return f"{_place(failure)}: {_shortened(repr(found[2]))} is not allowed; it must be {_type_name(found[1])}"


def _place(failure: _Failure) -> str:
    """Return the full key: of a value inside a class the message tells only the outermost key and the last."""
    named: list[str] = re.findall(r'Parser key "([^"]+)"', failure.message)
    outermost, *inner = named or [failure.path]
    if not inner:
        return outermost
    if failure.path.endswith(f".{inner[-1]}"):
        return failure.path
    between = next(_paths_to(inner[-1], failure.value), inner[:-1])
    return ".".join([outermost, *between, inner[-1]])


def _wrong_union(failure: _Failure) -> str | None:
    found = re.findall(r"Subtypes: \[(.+)\]", failure.message)
    if not found:
        return None
    kinds = re.sub(r"\s+", " ", ", ".join(_type_name(kind).removeprefix("one of ") for kind in _split_types(found[-1])))
    return f"{failure.path}: {_shortened(repr(failure.value))} is not allowed; it must be one of: {kinds}"


def _split_types(types: str) -> list[str]:
    """Split at the commas that are in no brackets."""
    return [part.strip() for part in re.split(r",(?![^\[]*\])", types)]


def _type_name(kind: str) -> str:
    literal = re.match(r"(?:typing\.)?Literal\[(.+)\]", kind)
    if literal:
        return "one of " + literal[1].replace("'", "")
    kind = re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1", kind)
    for name, plain in (("NoneType", "null"), ("Sequence", "list"), ("typing.", ""), ("collections.abc.", "")):
        kind = kind.replace(name, plain)
    return kind


def _unreadable_file(failure: _Failure) -> str | None:
    found = re.search(r"File does not exist: '?([^'\n]+)'?", failure.message)
    if found:
        return f"-c: there is no file {Path(found[1]).name!r} ({found[1]})"
    found = re.search(r"Problems? parsing config:?\s*(.+)", failure.message, re.DOTALL)
    return f"-c: not valid YAML: {' '.join(found[1].split())}" if found else None


def _missing_model(failure: _Failure) -> str | None:
    return no_model() if re.search(r"required: \w+\.model$", failure.message) else None


def no_model() -> str:
    """Say how to choose an autoencoder."""
    names = ", ".join(sorted(_subclasses(Autoencoder)))
    return f"model: no autoencoder is chosen; give -c vae, or --model with one of: {names}"


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
