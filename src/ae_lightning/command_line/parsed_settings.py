"""What the settings of a parsed configuration mean, and which cannot work: before anything is built from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jsonargparse import Namespace
from lightning.pytorch.callbacks import ProgressBar

from ae_lightning.checks import require_at_least
from ae_lightning.command_line.checkpoint_config import LIGHTNING_KEYWORDS
from ae_lightning.command_line.class_keys import GIVEN_BY_OTHERS
from ae_lightning.command_line.config_errors import no_model
from ae_lightning.command_line.store_option import tracker_in
from ae_lightning.command_line.unparsed_options import given_options
from ae_lightning.errors import ConfigError
from ae_lightning.file_names import OTHER_RUNS
from ae_lightning.judging.directions import is_measure
from ae_lightning.machine.precision import PRECISIONS
from ae_lightning.variants import holds_variants


def is_distributed(settings: Mapping[str, Any]) -> bool:
    """Whether the Trainer's settings ask for more than one process."""
    devices = settings["devices"]
    if settings["num_nodes"] > 1 or isinstance(devices, list):
        return settings["num_nodes"] > 1 or len(devices) > 1
    if devices in ("auto", -1, "-1"):
        return torch.cuda.device_count() > 1 and settings["accelerator"] in ("auto", "gpu", "cuda")
    named = str(devices).split(",")
    if len(named) > 1:  # "0,1" names two devices, "3," the one numbered 3
        return sum(bool(name.strip()) for name in named) > 1
    return named[0].isdigit() and int(named[0]) > 1


def has_progress_bar(settings: Mapping[str, Any]) -> bool:
    """Whether the Trainer's built settings bring a progress bar of the user's, in whose place there can be no other."""
    callbacks = settings["callbacks"] or []
    return any(isinstance(one, ProgressBar) for one in (callbacks if isinstance(callbacks, list) else [callbacks]))


def leave_bare(trainer: Namespace) -> list[str]:
    """Turn off what the defaults turn on and Lightning's `barebones`, a loop that is timed alone, forbids.

    Returns:
        The settings that were asked for, and are turned off too.
    """
    named = trainer.logger if isinstance(trainer.logger, list) else [trainer.logger]
    asked = {"logger": any(one and tracker_in(one) is None for one in named)}
    asked |= {name: trainer[name] for name in ("enable_checkpointing", "enable_progress_bar", "enable_model_summary")}
    for name in asked:
        trainer[name] = False
    trainer.log_every_n_steps = trainer.num_sanity_val_steps = 0
    return [f"trainer.{name}" for name, is_asked in asked.items() if is_asked]


def tracker_of(settings: Namespace) -> Namespace:
    """Return what a configuration says of the logger that tracks in MLflow, which can be changed.

    Raises:
        ConfigError: If it has none.
    """
    tracker: Namespace | None = tracker_in(settings.trainer.logger)
    if tracker is None:
        raise ConfigError(
            "--resume: trainer.logger is no MLflowTracker, so that MLflow has no run to go on with; name the folder "
            f"of one: --resume {OTHER_RUNS}/NAME-TIME"
        )
    arguments: Namespace = tracker.init_args
    return arguments


def require_no_tracker(settings: Namespace) -> None:
    """Refuse to go on in MLflow with a run that is in a folder.

    Raises:
        ConfigError: If a logger tracks in MLflow.
    """
    if tracker_in(settings.trainer.logger) is not None:
        raise ConfigError(
            "--resume: trainer.logger is an MLflowTracker; a run in MLflow is gone on with by its id, and one in a "
            "folder without MLflow"
        )


LIMITS = {"validate": "limit_val_batches", "test": "limit_test_batches", "predict": "limit_predict_batches"}
"""The Trainer's setting that may leave a command nothing to do."""

PRECISIONS_OF_16_BITS = ("16-true", "bf16-true", "transformer-engine", "transformer-engine-float16")
"""Those that keep weights in 16 bits: the steps of an optimizer are smaller than what they can hold."""


def require_possible(command: str, settings: Namespace, arguments: Sequence[str]) -> None:
    """Refuse what cannot work.

    Args:
        command: `fit`, `validate`, `test` or `predict`.
        settings: Of the command, as parsed.
        arguments: The command line.

    Raises:
        ConfigError: If something cannot work; it names the key.
    """
    _check_model(command, settings, arguments)
    _check_trainer(command, settings.trainer)
    if command == "fit":
        _check_monitors(settings)
    if settings.get("ckpt_path") in LIGHTNING_KEYWORDS:
        raise ConfigError(f"ckpt_path: {settings.ckpt_path!r} names no file; give checkpoints/RUN_ID/last.ckpt")
    if settings.get("weights_only") is False:
        raise ConfigError("weights_only: false is not allowed; what else a checkpoint holds could be a program")


def _check_model(command: str, settings: Namespace, arguments: Sequence[str]) -> None:
    if settings.get("model") is None or not holds_variants(settings.model.class_path.rpartition(".")[0]):
        raise ConfigError(no_model(command))
    for name in ("network", "prior"):
        if settings.model.get(f"init_args.{name}", "") is None:
            raise ConfigError(f"model.{name}: null is not allowed; leave it out for the default")
    given = {option.replace(".init_args.", ".") for option, _ in given_options(arguments)}
    for name, instead in GIVEN_BY_OTHERS.items():
        if f"--model.{name}" in given:
            raise ConfigError(f"model.{name}: not allowed; {instead}")


def _check_trainer(command: str, trainer: Namespace) -> None:
    for key in ("accumulate_grad_batches", "check_val_every_n_epoch"):
        if trainer[key] is not None:
            require_at_least(f"trainer.{key}", trainer[key])
    if trainer.logger is True:
        raise ConfigError("trainer.logger: true is not allowed; leave it out for MLflow, name a logger, or give false")
    if trainer.precision in PRECISIONS_OF_16_BITS:
        raise ConfigError(f"trainer.precision: {trainer.precision!r} is not allowed; Allowed: {', '.join(PRECISIONS)}")
    limit = LIMITS.get(command)
    if limit is not None and trainer[limit] == 0:
        # Whether a 0 was read as a whole number or as a share hangs on which union of both types Python made first.
        raise ConfigError(f"trainer.{limit}: {trainer[limit]:g} is not allowed; it leaves no images")


def _check_monitors(settings: Namespace) -> None:
    """Refuse a measure that decides and is not taken whenever it is asked for."""
    interval = settings.evaluation.every_n_epochs
    monitor, every = settings.checkpoint.monitor, settings.checkpoint.every_n_epochs
    is_there = not is_measure(monitor) or (interval and every % interval == 0)
    if settings.trainer.enable_checkpointing is not False and not is_there:
        raise ConfigError(
            f"checkpoint.monitor: {monitor!r} needs checkpoint.every_n_epochs, {every}, to be a multiple of "
            f"evaluation.every_n_epochs, {interval}: it must be there for every checkpoint"
        )
    followed = settings.get("model.init_args.scheduler.init_args.monitor")
    if followed is not None and is_measure(followed) and interval != 1:
        raise ConfigError(
            f"model.scheduler.monitor: {followed!r} needs evaluation.every_n_epochs to be 1, not {interval}: it must "
            "be there in every epoch"
        )
    num = settings.trainer.check_val_every_n_epoch or 1
    if followed is not None and followed.startswith("val/") and num != 1:
        raise ConfigError(
            f"model.scheduler.monitor: {followed!r} needs trainer.check_val_every_n_epoch to be 1, not {num}: it must "
            "be there in every epoch"
        )
