"""Options on a command line, before it is parsed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ae_lightning.named_files import find_file


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
