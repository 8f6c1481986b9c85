"""A study checked against the real command line, before its first trial."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch.accelerators import CUDAAccelerator

from ae_lightning.command_line.class_keys import CLASS_KINDS
from ae_lightning.errors import ConfigError, UserError, unknown_name
from ae_lightning.sweep.classes import build_pruner, build_sampler
from ae_lightning.sweep.space import Parameter, arguments, choose
from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.trial_cli import QUIET, UNTRACKED, build_only, probe_metrics
from ae_lightning.tracking import trackers

ALL_DEVICES = ("auto", "-1")
"""What `trainer.devices` says to take all there are."""


@dataclass(frozen=True)
class Surroundings:
    """What the configurations of a study say about all of its trials.

    Attributes:
        tracking_uri: The MLflow store.
        experiment_name: The MLflow experiment.
        seed: Of the first training of a trial.
        num_devices: How many devices a trial takes.
        spool: Where everything waits that MLflow does not take.
    """

    tracking_uri: str
    experiment_name: str
    seed: int
    num_devices: int
    spool: str


def fit_arguments(study: StudyFile, values: dict[str, Any]) -> list[str]:
    """Return the arguments of the `fit` that a trial is."""
    configs = [argument for config in study.configs for argument in ("-c", str(config))]
    # A value of the space stands for a setting of the same key.
    settings = {key: value for key, value in study.settings.items() if key not in values}
    return [*configs, *arguments({**settings, **values})]


def check_study(study: StudyFile, num_workers: int = 1) -> Surroundings:
    """Build what the ends of every parameter say, and look which metrics there are.

    Args:
        study: The study.
        num_workers: How many processes share this machine's devices.

    Raises:
        UserError: If a key, class, value or metric is wrong.
    """
    build_sampler(study.sampler, study.seed)
    build_pruner(study.pruner)
    surroundings = _look_around(study, _needed(study, {}), num_workers)
    for key, value in _to_check(study):
        values = _needed(study, {key: value})
        try:
            build_only([*fit_arguments(study, values), *UNTRACKED, *QUIET])
        except UserError as error:
            raise ConfigError(f"space.{key}: {value!r} cannot be used ({error})") from error
    _check_metrics(study, _needed(study, {}))
    return surroundings


def _look_around(study: StudyFile, values: dict[str, Any], num_workers: int) -> Surroundings:
    cli = build_only([*fit_arguments(study, values), *UNTRACKED[1:], *QUIET])
    found = trackers(cli.trainer)
    if not found:
        raise ConfigError("settings: trainer.logger is no MLflowTracker, and a sweep keeps its trials in MLflow")
    if cli.trainer.num_nodes > 1:
        raise ConfigError("settings: trainer.num_nodes is above 1; a trial runs on one machine, the study on many")
    config = cli.plain_config()
    num_devices = cli.trainer.world_size
    if num_workers > 1 and isinstance(cli.trainer.accelerator, CUDAAccelerator):
        given = str(config["trainer"]["devices"])
        num_devices = share_of_gpus(given, num_devices, torch.cuda.device_count(), num_workers)
    tracker = found[0]
    return Surroundings(
        tracking_uri=tracker.tracking_uri,
        experiment_name=tracker.find_experiment_name(),
        seed=int(config["seed_everything"]),
        num_devices=num_devices,
        spool=str(tracker.spool_root),
    )


def share_of_gpus(devices: str, num_taken: int, num_gpus: int, num_workers: int) -> int:
    """Return how many GPUs each worker has for a trial.

    Workers whose trials take one GPU each may be more than there are GPUs: they share them.

    Args:
        devices: `trainer.devices` as given.
        num_taken: How many GPUs a trial takes where it sees all of them.
        num_gpus: How many there are.
        num_workers: How many workers there are.

    Raises:
        ConfigError: If trials on several GPUs each do not find room beside each other, or name one by a number that it
            does not have among a worker's own.
    """
    if devices in ALL_DEVICES:
        return max(1, num_gpus // num_workers)
    numbers = re.findall(r"\d+", devices) if re.search(r"[\[,]", devices) else []
    if any(int(number) >= num_taken for number in numbers):
        own = list(range(num_taken))
        raise ConfigError(
            f"trainer.devices: {devices} is not allowed with --workers {num_workers}, each of which sees its own GPUs "
            f"alone and counts them from 0; give {num_taken} or {own}"
        )
    if num_taken > 1 and num_workers * num_taken > num_gpus:
        raise ConfigError(
            f"--workers: {num_workers} workers with {num_taken} devices each (trainer.devices) need "
            f"{num_workers * num_taken} GPUs, and there are {num_gpus}"
        )
    return num_taken


def _to_check(study: StudyFile) -> Iterator[tuple[str, Any]]:
    for key, parameter in study.space.items():
        for value in {repr(edge): edge for edge in parameter.edges()}.values():
            yield key, value


def _needed(study: StudyFile, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the values wanted, and those that they or a whole configuration cannot do without."""
    fixed = dict(wanted)
    for key in reversed(list(study.space)):
        if key in fixed:
            for other, allowed in study.space[key].when.items():
                fixed.setdefault(other, allowed[0])

    def chooser(key: str, parameter: Parameter) -> Any:
        return fixed.get(key, parameter.edges()[0])

    chosen = choose(study.space, chooser)
    return {key: value for key, value in chosen.items() if key in fixed or key in CLASS_KINDS}


def _check_metrics(study: StudyFile, values: dict[str, Any]) -> None:
    known = probe_metrics(fit_arguments(study, values))
    for name in study.metrics:
        if name not in known:
            kind = "objectives" if name in study.objectives else "constraints"
            raise ConfigError(unknown_name(kind, name, known))
