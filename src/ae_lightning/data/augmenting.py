"""From `data.augment` to the changes of a batch that a model is trained on."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.data.batch import Batch
from ae_lightning.data.image_by_image import ImageByImage
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError, first_line, unknown_name
from ae_lightning.parts import find_parts, import_part

KEY = "data.augment"
PACKAGE = "ae_lightning.data.augmentations"
STREAM = "augmentation"

Given = str | Mapping[str, Any] | Augmentation[Any]
"""A class's name, or it with its arguments as `class_path` and `init_args`; in Python, what it makes."""


class Augmenter:
    """The augmentations of a data module, in their order.

    What lies outside of this package is imported when a training begins, and no sooner: whoever judges a checkpoint
    trusts it with no code.

    Args:
        given: As the setting has them; None or empty for none.
        seed: Fixes what is drawn.

    Raises:
        ConfigError: If one of this package's is not known, or does not take its arguments.

    Attributes:
        settings: As a configuration has them, in plain values; None where there are none.
        steps: The augmentations; empty until all are imported.
    """

    def __init__(self, given: Sequence[Given] | None, seed: int) -> None:
        if isinstance(given, str | Mapping | Augmentation):
            raise ConfigError(f"{KEY}: {given!r} is not allowed; it must be a list, of one too: [RandomHorizontalFlip]")
        self._parsed = [_parsed(one) for one in given or ()]
        self._seed = seed
        self.steps: list[Augmentation[Any]] = []
        for path, arguments in self._parsed:
            if is_known(path):
                _built(path, known(path), arguments)
        if all(is_known(path) for path, _ in self._parsed):
            self.import_all()
        self.settings = [_plain(path, arguments) for path, arguments in self._parsed] or None

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._parsed)

    @property
    def is_ready(self) -> bool:
        """Whether all of them have been imported."""
        return len(self.steps) == len(self._parsed)

    def import_all(self) -> None:
        """Import what lies outside of this package, and say which of it is slow.

        Raises:
            ConfigError: If it cannot be imported, or does not take its arguments.
        """
        if self.is_ready:
            return
        self.steps = [
            _built(path, known(path) if is_known(path) else import_part(KEY, path, object), arguments)
            for path, arguments in self._parsed
        ]
        slow = [step.key.removeprefix(f"{KEY}.") for step in self.steps if step.is_slow]
        if slow:
            rank_zero_warn(
                f"{KEY}: {', '.join(slow)} {'takes' if len(slow) == 1 else 'take'} one image after the other, which is "
                f"slow; those of this package take whole batches: {', '.join(sorted(_known()))}"
            )

    def require_takes(self, data_set: str, shape: tuple[int, ...], value_range: Range | None) -> None:
        """Refuse samples that cannot be augmented so, or would have another shape then.

        Args:
            data_set: What they are called.
            shape: Of a sample.
            value_range: Of its values, as scaled; None where they have no bounds.

        Raises:
            ConfigError: If these are such samples.
        """
        if not self:
            return
        if len(shape) != 3:
            raise ConfigError(f"{KEY}: it is for images, and {data_set} holds none; it must be null")
        if not self.is_ready:
            return
        x = torch.zeros(2, *shape)
        draws = Draws(0, STREAM, (), offset=0, num_images=2, global_size=2, device=x.device)
        for step in self.steps:
            _, channels, height, width = x.shape
            step.require_takes((channels, height, width), value_range)
            x = step(x, draws, value_range)
        if x.shape[1:] != shape:
            sizes = [" × ".join(map(str, one)) for one in (x.shape[1:], shape)]
            raise ConfigError(
                f"{KEY}: it makes images of {sizes[0]}, and those that the model is judged on are {sizes[1]}"
            )

    def __call__(self, x: Tensor, draws: Draws, value_range: Range | None) -> Tensor:
        """Augment images.

        Args:
            x: As scaled, shape (B, C, H, W).
            draws: The random numbers of the batch.
            value_range: Of their values.

        Returns:
            Of the same shape, in ``channels_last`` memory order.
        """
        for step in self.steps:
            x = step(x, draws, value_range)
        return x.contiguous(memory_format=torch.channels_last)

    def augmented(self, batch: Batch, position: tuple[int, int], num_views: int, value_range: Range | None) -> Batch:
        """Augment a batch, for each view by itself.

        Args:
            batch: As scaled.
            position: The epoch, and how many batches came before in it.
            num_views: How many views the model asks for, `x` itself included.
            value_range: Of their values.
        """
        views = []
        for view in range(num_views):
            draws = Draws(
                self._seed,
                STREAM,
                (*position, view),
                offset=batch.offset,
                num_images=len(batch.x),
                global_size=batch.global_size,
                device=batch.x.device,
            )
            views.append(self(batch.x, draws, value_range))
        return batch._replace(x=views[0], views=tuple(views[1:]))


def _known() -> Mapping[str, type[Augmentation[Any]]]:
    return find_parts(PACKAGE, Augmentation)


def is_known(path: str) -> bool:
    """Whether a name is of this package's augmentations: a class's name, or its dotted path."""
    return "." not in path or path.startswith(f"{PACKAGE}.")


def known(path: str) -> type[Augmentation[Any]]:
    """Return an augmentation of this package by its name.

    Raises:
        ConfigError: If there is none.
    """
    name = path.rpartition(".")[2]
    found = _known()
    if name not in found:
        raise ConfigError(f"{unknown_name(KEY, name, found)}, or the dotted path of another, such as torchvision's")
    return found[name]


def _parsed(given: Given) -> tuple[str, dict[str, Any]]:
    """Return a class's path and its arguments.

    Raises:
        ConfigError: If it is neither a name nor a mapping of both.
    """
    if isinstance(given, Augmentation):
        cls = type(given)
        return f"{cls.__module__}.{cls.__qualname__}", given.hyperparameters()
    if isinstance(given, str):
        return given, {}
    path, arguments = (given.get("class_path"), given.get("init_args")) if isinstance(given, Mapping) else (None, None)
    if not isinstance(path, str) or not isinstance(arguments or {}, Mapping):
        raise ConfigError(
            f"{KEY}: {given!r} is not allowed; it must be a class's name, or "
            "{class_path: NAME, init_args: {ARGUMENT: VALUE}}"
        )
    for name in given.keys() - {"class_path", "init_args"}:
        raise ConfigError(unknown_name(f"{KEY}.{path}", name, ("class_path", "init_args")))
    return path, dict(arguments or {})


def _built(path: str, cls: type, arguments: Mapping[str, Any]) -> Augmentation[Any]:
    """Make an augmentation.

    Raises:
        ConfigError: If the class does not take the arguments, or makes nothing that changes images.
    """
    key = f"{KEY}.{path.rpartition('.')[2] if is_known(path) else path}"
    is_own = issubclass(cls, Augmentation)
    if not is_own and not any("__call__" in vars(base) for base in cls.__mro__):
        raise ConfigError(f"{key}: what it makes cannot be called with an image")
    _check_names(key, cls, arguments)
    try:
        made = cls(**arguments)
    except ConfigError:
        raise
    except Exception as error:  # whatever a constructor of others stumbles over
        raise ConfigError(f"{key}: {type(error).__name__}: {first_line(error)}") from error
    return made if is_own else ImageByImage(path, made)


def _check_names(key: str, cls: type, arguments: Mapping[str, Any]) -> None:
    try:
        parameters = inspect.signature(cls).parameters
    except ValueError:  # of a class that is not Python's
        return
    kinds = {one.kind for one in parameters.values()}
    for name in arguments:
        if name not in parameters and inspect.Parameter.VAR_KEYWORD not in kinds:
            raise ConfigError(unknown_name(key, name, parameters))
    for name, one in parameters.items():
        takes_none = one.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
        if one.default is inspect.Parameter.empty and name not in arguments and not takes_none:
            raise ConfigError(f"{key}.{name} is required")


def _plain(path: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return an augmentation as a configuration has it.

    Raises:
        ConfigError: If an argument is nothing that it could hold.
    """
    name = path.rpartition(".")[2] if is_known(path) else path
    values = {argument: _plain_value(f"{KEY}.{name}.{argument}", value) for argument, value in arguments.items()}
    return {"class_path": name, **({"init_args": values} if values else {})}


def _plain_value(key: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {str(name): _plain_value(f"{key}.{name}", inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(key, inner) for inner in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError(f"{key}: {type(value).__name__} cannot be written down with the run; give plain values")
