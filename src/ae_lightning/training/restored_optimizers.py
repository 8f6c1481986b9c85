"""Optimizers and schedulers that a training goes on with: a checkpoint's, under the settings that have changed since.

Lightning restores what the checkpoint's were set to over what the configuration says: a rate that somebody changed
would be recorded and not trained with. Here a checkpoint keeps what each optimizer and scheduler was built as. What is
built as something else now takes effect on what is restored:

- An optimizer's setting is that of the configuration. An optimizer of another class begins anew, and so does one whose
  steps need what the checkpoint does not have.
- A scheduler is where it would be had it had its settings, and the optimizer its rate, from the start. One of another
  class or interval begins now. `ReduceLROnPlateau` keeps what it has seen, and goes on from a rate that was changed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.utilities.types import (
    LRSchedulerConfigType,
    LRSchedulerTypeUnion,
    OptimizerConfig,
    OptimizerLRSchedulerConfig,
)
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from ae_lightning.errors import CheckpointError, ConfigError, first_line
from ae_lightning.hyperparameters import class_path
from ae_lightning.training.optimizers import configure_optimizer
from ae_lightning.training.plateaus import configure_scheduler

MAX_STEPS = 10_000_000
"""Of a scheduler that are taken once more, which takes a minute or two; no training has had more."""

_OPTIMIZER, _GROUPS, _SCHEDULER, _INTERVAL, _STATE = "optimizer", "groups", "scheduler", "interval", "state"


@dataclass(frozen=True, eq=False)
class Built:
    """An optimizer and its scheduler, just built.

    Attributes:
        key: The model's argument that gave the optimizer.
        build: Makes the optimizer from parameters.
        optimizer: The optimizer.
        scheduler: Its scheduler, if it has one.
        description: What both were built as, in plain values.
    """

    key: str
    build: OptimizerCallable
    optimizer: Optimizer
    scheduler: LRSchedulerTypeUnion | None
    description: dict[str, Any]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """The settings of the optimizer's groups, which a scheduler may have changed."""
        return [_without_parameters(group) for group in self.optimizer.param_groups]

    def for_lightning(self, *, steps_plateau: bool) -> OptimizerLRSchedulerConfig | OptimizerConfig:
        """Return both as Lightning takes them.

        Args:
            steps_plateau: Whether Lightning is to take a plateau for one.
        """
        if self.scheduler is None:
            return {"optimizer": self.optimizer}
        settings: LRSchedulerConfigType = {"scheduler": self.scheduler, "interval": self.description[_INTERVAL]}
        if isinstance(self.scheduler, ReduceLROnPlateau) and not steps_plateau:
            settings["reduce_on_plateau"] = False
        return {"optimizer": self.optimizer, "lr_scheduler": settings}


def build_both(
    key: str,
    build: OptimizerCallable,
    parameters: Sequence[nn.Parameter],
    build_scheduler: LRSchedulerCallable | None,
    interval: str,
    *,
    has_closure: bool,
) -> Built:
    """Build an optimizer and its scheduler.

    Args:
        key: The model's argument that gave `build`, for errors.
        build: Makes the optimizer from the parameters.
        parameters: What it steps.
        build_scheduler: Makes the scheduler from the optimizer; None for none.
        interval: Whether the scheduler steps once an epoch or once a step.
        has_closure: Whether the optimizer's steps are given what computes the loss anew.

    Raises:
        ConfigError: If one of them refuses its settings, or cannot be used.
    """
    optimizer = configure_optimizer(key, build, parameters, has_closure=has_closure)
    description: dict[str, Any] = {
        _OPTIMIZER: class_path(type(optimizer)),
        _GROUPS: [_plain(_without_parameters(group)) for group in optimizer.param_groups],
    }
    scheduler = None if build_scheduler is None else configure_scheduler(build_scheduler, optimizer)
    if scheduler is not None:
        state = _plain(scheduler.state_dict())
        description |= {_SCHEDULER: class_path(type(scheduler)), _INTERVAL: interval, _STATE: state}
    return Built(key, build, optimizer, scheduler, description)


def changed_keys(built: Built, kept: Mapping[str, Any]) -> list[str]:
    """Name the settings that are not what a checkpoint's were built as, as keys of the configuration."""
    now = built.description
    if now[_OPTIMIZER] != kept[_OPTIMIZER]:
        return [built.key]
    names = {name for one, other in _pairs_of_groups(now, kept) for name in _differing(one, other)}
    keys = [f"{built.key}.{name}" for name in sorted(names)]
    if now.get(_SCHEDULER) != kept.get(_SCHEDULER):
        return [*keys, "model.scheduler"]
    if now.get(_INTERVAL) != kept.get(_INTERVAL):
        return [*keys, "model.scheduler_interval"]
    # The rates that it took from the optimizer are no argument of its own.
    own = [
        name for name in _differing(now.get(_STATE, {}), kept.get(_STATE, {})) if name[0] != "_" and name != "base_lrs"
    ]
    return [*keys, *(f"model.scheduler.{name}" for name in own)]


def restore_under(
    checkpoint: dict[str, Any], built: Sequence[Built], kept: Sequence[Mapping[str, Any]], *, in_place: bool
) -> None:
    """Let settings that have changed since a checkpoint was written take effect on what it restores.

    Args:
        checkpoint: Its states of optimizers and schedulers; replaced.
        built: What the configuration says, just built; changed.
        kept: What they were built as when the checkpoint was written; empty where it is not known.
        in_place: Whether they are restored from there; a strategy that has its own way lets no setting change.

    Raises:
        CheckpointError: If the optimizers do not fit the model.
        ConfigError: If a change cannot take effect on a training that is as far as this one.
    """
    if not in_place:
        changed = [key for pair in zip(built, kept, strict=False) for key in changed_keys(*pair)]
        if changed:
            raise ConfigError(f"{changed[0]}: another value than the checkpoint's is not allowed under FSDP")
        return
    try:
        states = _states_under(checkpoint["optimizer_states"], checkpoint["lr_schedulers"], built, kept)
    except (LookupError, ValueError, TypeError, RuntimeError, AttributeError, ArithmeticError) as error:
        reason = first_line(error)
        raise CheckpointError(f"the checkpoint's optimizers are not what this model's were ({reason})") from error
    checkpoint["optimizer_states"], checkpoint["lr_schedulers"] = states


def _states_under(
    optimizers: list[dict[str, Any]],
    schedulers: list[dict[str, Any]],
    built: Sequence[Built],
    kept: Sequence[Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    if len(optimizers) != len(built):
        raise ValueError(f"{len(optimizers)} in place of {len(built)}")
    if len(kept) == len(built):
        had = schedulers if len(schedulers) == len(built) else [None] * len(built)
        restored = [_restore(*parts) for parts in zip(built, kept, optimizers, had, strict=True)]
        optimizers = [optimizer for optimizer, _ in restored]
        schedulers = [scheduler for _, scheduler in restored if scheduler is not None]
    for now, state in zip(built, optimizers, strict=True):
        _try_step(now.optimizer, state)
        now.optimizer.load_state_dict(state)
    for now, state in zip((one for one in built if one.scheduler is not None), schedulers, strict=False):
        _try_schedule(now.scheduler, state)
    return optimizers, schedulers


def _try_step(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Step once from a state, and leave everything as it was: what does not step is known before the first batch.

    Raises:
        LookupError, ValueError, TypeError, RuntimeError, AttributeError: If the optimizer cannot.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    before = [(parameter.detach().clone(), parameter.grad) for parameter in parameters]
    optimizer.load_state_dict(deepcopy(state))
    try:
        for parameter in parameters:
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step(lambda: 0.0)
    finally:
        with torch.no_grad():
            for parameter, (values, gradient) in zip(parameters, before, strict=True):
                parameter.copy_(values)
                parameter.grad = gradient


def _try_schedule(scheduler: Any, state: dict[str, Any]) -> None:
    """Step a scheduler once from a state.

    Raises:
        LookupError, TypeError, RuntimeError, AttributeError, OverflowError: If it cannot. One that has come to its end
            refuses in words, which are said if a step is to be taken.
    """
    scheduler.load_state_dict(deepcopy(state))
    with warnings.catch_warnings(), suppress(ValueError, ZeroDivisionError):
        # It misses the optimizer's own steps.
        warnings.simplefilter("ignore")
        scheduler.step(*[0.0] * isinstance(scheduler, ReduceLROnPlateau))


def _restore(
    now: Built, kept: Mapping[str, Any], state: dict[str, Any], scheduler_state: dict[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the states of optimizer and scheduler to restore."""
    if now.description == kept:
        return state, scheduler_state
    scheduler, is_schedule_kept = _restored_scheduler(now, kept, scheduler_state)
    fresh = now.optimizer.state_dict()
    if now.description[_OPTIMIZER] != kept[_OPTIMIZER]:
        theirs, own = (str(path).rpartition(".")[2] for path in (kept[_OPTIMIZER], now.description[_OPTIMIZER]))
        rank_zero_warn(f"{now.key}: {own} begins anew, since the checkpoint has the state of {theirs}")
        return fresh, scheduler
    groups = [{**group, "params": own["params"]} for group, own in zip(now.groups, fresh["param_groups"], strict=True)]
    if is_schedule_kept:
        pairs = list(_pairs_of_groups(now.description, kept))
        changed = [
            {name: group[name] for name in _differing(*pair)} for group, pair in zip(groups, pairs, strict=False)
        ]
        groups = [{**group, **news} for group, news in zip(state["param_groups"], changed, strict=False)]
    restored = {**state, "param_groups": groups}
    if _steps_from(now, restored):
        return restored, scheduler
    rank_zero_warn(f"{now.key}: begins anew, since the checkpoint does not have the state that its settings need")
    return {**fresh, "param_groups": groups}, scheduler


def _restored_scheduler(
    now: Built, kept: Mapping[str, Any], state: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, bool]:
    """Return the state of the scheduler, and whether the rates are what the checkpoint's scheduler left them at."""
    description, scheduler = now.description, now.scheduler
    if scheduler is None:
        return None, _SCHEDULER not in kept
    is_other = any(description[name] != kept.get(name) for name in (_SCHEDULER, _INTERVAL))
    if is_other or state is None:
        return scheduler.state_dict(), False
    changed = _differing(description[_STATE], kept[_STATE])
    if isinstance(scheduler, ReduceLROnPlateau):
        own = scheduler.state_dict()
        if {"monitor", "mode"} & set(changed):
            # What was best of another measure says nothing.
            return own, True
        return {**state, **{name: own[name] for name in changed}}, True
    is_other_rate = any("lr" in _differing(*pair) for pair in _pairs_of_groups(description, kept))
    if not changed and not is_other_rate and description[_OPTIMIZER] == kept[_OPTIMIZER]:
        return state, True
    _step_as_often(scheduler, state.get("last_epoch"))
    return scheduler.state_dict(), False


def _step_as_often(scheduler: Any, num: int | None) -> None:
    name = type(scheduler).__name__
    if num is None or num > MAX_STEPS:
        raise ConfigError(f"model.scheduler: {name} does not say how far it is, and cannot be changed when going on")
    try:
        with warnings.catch_warnings():
            # It misses the optimizer's own steps.
            warnings.simplefilter("ignore")
            for _ in range(num):
                scheduler.step()
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"model.scheduler: {name} cannot go on after {num} steps ({error})") from error


def _steps_from(now: Built, state: dict[str, Any]) -> bool:
    """Whether the optimizer steps from a state, its settings included."""
    try:
        _try_step(now.optimizer, state)
    except (LookupError, TypeError, RuntimeError, AttributeError):
        return False
    return True


def _without_parameters(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}


def _pairs_of_groups(now: Mapping[str, Any], kept: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    return zip(now[_GROUPS], kept[_GROUPS], strict=False)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the names under which the first has other values than the second, in the first's order."""
    return [name for name, value in one.items() if name not in other or other[name] != value]


def _plain(value: Any) -> Any:
    """Return what there is of plain values in a value: what else it holds no checkpoint could keep."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Tensor):
        return value.tolist()
    return value if value is None or isinstance(value, bool | int | float | str) else None
