"""One line for what is wrong with a configuration, out of the sixty that jsonargparse may print.

An unknown key and an unknown class are told with the nearest that is known, a value with what is allowed. All else is
said in the parser's own words behind the key that they are about. Where a key stands is looked up in what was given:
within a class the parser names the outermost key and the last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ae_lightning.command_line.class_keys import CLASS_KINDS, DEFAULT_CLASSES, arguments_of, subclasses
from ae_lightning.command_line.type_words import MAPPINGS, in_words, joined
from ae_lightning.command_line.unparsed_options import Given, given_keys
from ae_lightning.errors import unknown_name
from ae_lightning.file_names import WEIGHTS_SUFFIX
from ae_lightning.machine.precision import PRECISIONS
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.named_files import named_file

MAX_LENGTH = 1000
MAX_VALUE_LENGTH = 200
"""Of a message, and of the value that is repeated in it, in characters."""

IN_PLAIN_WORDS = {
    r"Problems? parsing config:?": "not valid YAML:",
    r"Unexpected config: *(.*)": r"'\1' is no configuration; it must hold keys and their values",
    r"Type typing\.Callable.+ expects a function or a callable class: ": "",
}
"""What the parser says of whole files, and of what makes optimizers and schedulers."""

OF_TYPES = (
    r"^\s*(- )?(Expected |Does not validate |Subtypes: |Errors:|Given value"
    r"|Not a valid subclass|Subclass types expect|a class path |a dict with).*"
)
"""Lines that the parser adds for each type that a key takes."""


class ParseError(Exception):
    """What jsonargparse says, before it is explained."""


def explain(message: str, arguments: Sequence[str], keys: Sequence[str]) -> str:
    """Say in one line what is wrong.

    Args:
        message: What the parser says.
        arguments: The command line.
        keys: Every dotted key that the command takes.
    """
    said = _of_command_line(message, arguments, keys) or _of_key(message, list(given_keys(arguments)), keys)
    return said[:MAX_LENGTH]


def _of_command_line(message: str, arguments: Sequence[str], keys: Sequence[str]) -> str | None:
    """Say what is wrong with the options themselves; None where it is a key or its value."""
    if re.search(r"required: \w+\.model$", message):
        return no_model(arguments[0])
    if valueless := re.search(r"argument (\S+): expected \w+ argument", message):
        # Of an argument of a class the message tells only the class's own option.
        known = tuple(valueless[1].split("/"))
        without = [one for one, after in pairwise([*arguments, "-"]) if after.startswith("-")]
        return f"{next((one for one in without if one.startswith(known)), known[-1])}: its value is missing"
    stray = re.match(r"unrecognized arguments: (?!--\w)(\S+)", message)
    return f"{stray[1]!r} belongs to no option; {_meant_by(stray[1], keys)}" if stray else None


def _meant_by(stray: str, keys: Sequence[str]) -> str:
    path, bare = Path(stray), stray.lstrip("-–—")
    if re.split("[.=]", bare)[0] in {key.split(".")[0] for key in keys}:
        return f"did you mean --{bare}?"
    if named_file("configuration", stray) or path.suffix in (".yaml", ".yml") or path.is_file():
        return f"did you mean -c {stray}?"
    if path.suffix in (".ckpt", WEIGHTS_SUFFIX):
        return f"did you mean --ckpt_path {stray}?"
    if stray in subclasses(Autoencoder):
        return f"did you mean --model {stray}?"
    return "each begins with -- and takes one value, in quotes where it has spaces"


def _of_key(message: str, given: Sequence[Given], keys: Sequence[str]) -> str:
    """Say what is wrong with the key that a message names, and with its value."""
    *_, said = re.split(r'Parser key "[^"]+":?', message)
    path = [key or asked for key, asked in re.findall(r'Parser key "([^"]+)"|--(\S+)\.help:', message)]
    option = re.search(r"[Oo]ption '([^']+)'|unrecognized arguments?: --([^\s=]+)", message)
    # Of a class that is not within another the message tells only its argument.
    outermost = "".join(one for one in path[:1] if one.split(".")[0] in {known.split(".")[0] for known in keys})
    last = re.sub(r"\.(class_path|init_args)\b", "", option[1] or option[2]) if option else "".join(path[-1:])
    found = [
        position
        for position, (key, _) in enumerate(given)
        if key.startswith(outermost) and f".{key}".endswith(f".{last}")
    ]
    key = given[found[-1]].key if found else ".".join(dict.fromkeys([*path[:1], last]))
    if option:
        mapping = next((names for name, names in MAPPINGS.items() if re.search(rf"Subtypes: .*\b{name}\b", said)), ())
        return _unknown_key(key, given[: found[-1]] if found else given, keys, mapping)
    values = [given[position].value for position in found]
    part, allowed = re.search(r"NestedArg\(key='([^']+)'", said), _allowed(key, said)
    if part and allowed and not found:
        return f"{key}: {part[1]!r} is not known; it must be {allowed}"
    refused = _wrong_class(key, values) if key in CLASS_KINDS else _wrong_value(key, values, said)
    return refused or _as_said(key, said)


def _wrong_class(key: str, values: Sequence[Any]) -> str | None:
    names = subclasses(CLASS_KINDS[key])
    given = [value for value in values if not value or not isinstance(value, dict | list)]
    shown = ["null" if value is None else str(value) for value in given]
    # Why a class that is named in full cannot be imported, the parser says.
    unknown = [one for one in shown if "." not in one and one not in names]
    return unknown_name(key, unknown[-1], names) if unknown else None


def _wrong_value(key: str, values: Sequence[Any], said: str) -> str | None:
    allowed = _allowed(key, said)
    if allowed is None or not values:
        return None
    value = next((one for one in values[::-1] if f"value: {one}" in said), values[-1])
    shown = repr(value)
    shown = shown[:MAX_VALUE_LENGTH] + ("…" if len(shown) > MAX_VALUE_LENGTH else "")
    alone = f"; one alone is a list too: [{value}]" if "a list of names" in allowed and isinstance(value, str) else ""
    return f"{key}: {shown} is not allowed; it must be {allowed}{alone}"


def _as_said(key: str, said: str) -> str:
    """Return the parser's own words, without those that repeat the types and values of what lies around it."""
    for words, plain in IN_PLAIN_WORDS.items():
        said = re.sub(words, plain, said)
    own = re.sub(OF_TYPES, "", said, flags=re.MULTILINE).strip() or said
    # Each of several types may refuse a value alike.
    lines = dict.fromkeys(line.strip().removeprefix("- ") for line in own.splitlines())
    return f"{key or '-c'}: {' '.join(filter(None, lines))}"


def _unknown_key(key: str, before: Sequence[Given], keys: Sequence[str], mapping: Sequence[str]) -> str:
    """Say what the innermost known part of a key takes.

    Args:
        key: As given.
        before: What was given up to it, which tells the classes that were chosen.
        keys: Every dotted key that the command takes.
        mapping: What the key's value takes if that is a plain mapping.
    """
    group, _, name = key.rpartition(".")
    if group in CLASS_KINDS:
        chosen = [one.value for one in before if one.key == group and isinstance(one.value, str)]
        known = arguments_of(CLASS_KINDS[group], chosen[-1] if chosen else DEFAULT_CLASSES.get(group))
    else:
        within = f"{group}." if group else ""
        known = {one.removeprefix(within).split(".")[0] for one in keys if one.startswith(within)} or {*mapping}
    is_there = known or group in CLASS_KINDS  # of which some take nothing
    return unknown_name(group or "configuration", name, known) if is_there else _unknown_key(group, before, keys, ())


def _allowed(key: str, said: str) -> str | None:
    """Return in words what the parser says that a value must be."""
    if key == "trainer.precision":  # Lightning knows more of them
        return joined(PRECISIONS)
    if "Unable to load config" in said:
        return "a mapping, or a YAML file"
    kind = re.search(r"Subtypes: \[(.+)\]|Expected an? (.+?)\. Got value", said)
    return in_words(kind[1] or kind[2]) if kind else None


def no_model(command: str) -> str:
    """Say how to choose an autoencoder for a command."""
    names = ", ".join(sorted(subclasses(Autoencoder)))
    trained = "" if command == "fit" else "--ckpt_path with the checkpoint of one, "
    return f"model: no autoencoder is chosen; give {trained}-c vae, or --model with one of: {names}"
