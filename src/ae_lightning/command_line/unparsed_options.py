"""Options on a command line, before it is parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ae_lightning.command_line.yaml_text import load_yaml
from ae_lightning.named_files import find_file


class Given(NamedTuple):
    """A dotted key, without `class_path` and `init_args`, and its value: a class, by its name."""

    key: str
    value: Any


def given_options(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield options and their values, given as `--option value` or `--option=value`.

    What is a value itself comes with the argument behind it too: only names of options that take one tell something.
    """
    for position, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if equals:
            yield option, value
        elif position + 1 < len(arguments):
            yield argument, arguments[position + 1]


def find_option(arguments: Sequence[str], option: str) -> str | None:
    """Return the value of an option; the last one counts."""
    values = [value for name, value in given_options(arguments) if name == option]
    return values[-1] if values else None


def is_config(option: str) -> bool:
    """Whether an option names a configuration file."""
    return option in ("-c", "--config")


def config_files(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the configuration files that a command line names, in their order."""
    return (value for option, value in given_options(arguments) if is_config(option))


def with_named_configs_found(arguments: Sequence[str]) -> list[str]:
    """Replace the names of configurations on a command line by the paths of their files.

    Raises:
        ConfigError: If there is no file and no configuration of a name.
    """
    found: list[str] = []
    is_file = False
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if is_file and not argument.startswith("-"):
            found.append(str(find_file("configuration", argument)))
        elif equals and is_config(option):
            found.append(f"{option}={find_file('configuration', value)}")
        else:
            found.append(argument)
        is_file = not is_file and is_config(argument)
    return found


def given_keys(arguments: Sequence[str]) -> Iterator[Given]:
    """Yield every key that options and configuration files give, in their order, what is within a value before it."""
    for option, value in given_options(arguments):
        if is_config(option):
            yield from _keys_in("", _read(Path(value)))
        elif option.startswith("--"):
            key = option[2:].replace(".init_args", "").removesuffix(".class_path").removesuffix(".help").rstrip("+")
            inner = _parsed(value)
            yield from _keys_in(key, inner if isinstance(inner, dict | list) else value)


def _keys_in(key: str, value: Any) -> Iterator[Given]:
    if isinstance(value, dict):
        for name, inner in value.items():
            is_within = name in ("class_path", "init_args", "dict_kwargs")
            yield from _keys_in(key if is_within else f"{key}.{name}".lstrip("."), inner)
    elif isinstance(value, list):
        yield from (found for inner in value for found in _keys_in(key, inner))
    yield Given(key, value)


def _read(path: Path) -> Any:
    """Return what a file holds; nothing of a pipe, which can be read once, by the parser."""
    try:
        return _parsed(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError):
        return None


def _parsed(text: str) -> Any:
    """Return what a YAML says; nothing where it cannot be read, of which the parser speaks."""
    try:
        return load_yaml(text)
    except (ValueError, yaml.YAMLError, RecursionError):
        return None
