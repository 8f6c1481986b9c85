"""Settings that are not what they were: changed by callbacks in a run, or by people since a checkpoint was written."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, GradientAccumulationScheduler, StochasticWeightAveraging

from ae_lightning.hyperparameters import plain_value
from ae_lightning.models.trained_module import TrainedModule
from ae_lightning.parts import import_part

Settings = dict[tuple[str, str], Any]
"""Values by the part of the configuration, `trainer`, `model` or `data`, and the name in it."""

_SET_IN_EVERY_TRAINING: Mapping[type[Callback], tuple[str, ...]] = {
    StochasticWeightAveraging: ("max_epochs", "accumulate_grad_batches"),
    GradientAccumulationScheduler: ("accumulate_grad_batches",),
}
"""Arguments of the Trainer that Lightning's callbacks change for a while: one that goes on is to have those given."""

_NOTHING = object()


class WatchedSettings:
    """Finds what has changed of a training's settings: `BatchSizeFinder` sets the batches' size, for one.

    Args:
        trainer: The Trainer.
        model: Its model.
        data: Its data module, if it has one.
    """

    def __init__(self, trainer: pl.Trainer, model: pl.LightningModule, data: pl.LightningDataModule | None) -> None:
        self._parts: dict[str, Any] = {"trainer": trainer, "model": model, **({} if data is None else {"data": data})}
        self._known = self._now()

    def changes(self) -> Settings:
        """Return what has changed since this was last asked for, and tell the hyperparameters of model and data."""
        now = self._now()
        found = {key: value for key, value in now.items() if value != self._known.get(key, value)}
        self._known = now
        for (part, name), value in found.items():
            hyperparameters = getattr(self._parts[part], "hparams", {})
            if name in hyperparameters:
                hyperparameters[name] = value
        return found

    def _now(self) -> Settings:
        callbacks = self._parts["trainer"].callbacks
        left_out = {
            ("trainer", name)
            for cls, names in _SET_IN_EVERY_TRAINING.items()
            for name in (names if any(isinstance(callback, cls) for callback in callbacks) else ())
        }
        found = {
            (part, name): value
            for part, holder in self._parts.items()
            for name, value in _arguments_of(holder)
            if (part, name) not in left_out and (value is None or isinstance(value, bool | int | float | str))
        }
        model = self._parts["model"]
        if isinstance(model, TrainedModule):
            built = {"optimizer": model.build_optimizer, "scheduler": model.build_scheduler}
            found |= {("model", name): plain_value(name, value) for name, value in built.items()}
        return found


def put_into(config: dict[str, Any], changes: Settings) -> None:
    """Write changes into a configuration, in place."""
    for (part, name), value in changes.items():
        arguments = config.get(part, {})
        arguments = arguments.get("init_args", arguments)
        if name in arguments:
            arguments[name] = value


def let_callbacks_follow(
    states: dict[str, Any], callbacks: Sequence[Callback], kept: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Let arguments of callbacks that have changed since a checkpoint was written take effect on what it restores.

    Some callbacks keep arguments in their state, and would take them back: `EarlyStopping` its `patience`.

    Args:
        states: Of callbacks, in the checkpoint; changed in place.
        callbacks: The Trainer's.
        kept: The configuration in the checkpoint.
        now: The configuration.
    """
    before = dict(_numbered(kept))
    for (path, number), arguments in _numbered(now):
        cls = import_part("trainer.callbacks", path, Callback)
        # Some are taken out before the best is judged.
        callback = next(islice((callback for callback in callbacks if type(callback) is cls), number, None), None)
        state, theirs = None if callback is None else states.get(callback.state_key), before.get((path, number))
        if isinstance(state, dict) and theirs is not None:
            changed = (name for name, value in arguments.items() if theirs.get(name, _NOTHING) != value)
            state.update({name: getattr(callback, name, arguments[name]) for name in changed if name in state})


def _numbered(config: Mapping[str, Any]) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
    """Yield class, number among those of that class, and arguments of each callback that a configuration names."""
    trainer = config.get("trainer")
    named = trainer.get("callbacks") if isinstance(trainer, dict) else None
    seen: Counter[str] = Counter()
    for one in named if isinstance(named, list) else [named]:
        if isinstance(one, dict) and isinstance(one.get("class_path"), str):
            path, arguments = one["class_path"], one.get("init_args")
            yield (path, seen[path]), arguments if isinstance(arguments, dict) else {}
            seen[path] += 1


def _arguments_of(holder: Any) -> Iterator[tuple[str, Any]]:
    """Yield what an object was made with, as far as its attributes bear the names of its arguments."""
    for name in inspect.signature(type(holder).__init__).parameters:
        value = getattr(holder, name, _NOTHING)
        if value is not _NOTHING:
            yield name, value
