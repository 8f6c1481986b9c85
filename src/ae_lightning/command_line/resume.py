"""`fit --resume`: go on with a run that did not finish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only, rank_zero_warn

from ae_lightning.checkpoints.files import newest_sound
from ae_lightning.checkpoints.loading import read_checkpoint
from ae_lightning.command_line.unparsed_options import find_option
from ae_lightning.errors import ConfigError
from ae_lightning.machine.run_lock import RunLock
from ae_lightning.tracking import Run, checkpoint_folder, find_run, shown_uri, unfinished_runs

OPTION = "--resume"
_CHECKPOINT, _LAST = "--ckpt_path", "last"


class RunInUseError(ConfigError):
    """Another process trains the run."""


@dataclass(frozen=True)
class ResumePoint:
    """Where to go on.

    Attributes:
        run_id: The MLflow run to go on with; None for a run that is in a folder alone.
        checkpoint: Its newest checkpoint that is whole.
        lock: Keeps other processes from going on with it too, as long as this is there; rank 0 has it for all.
        store: The MLflow store where the run was found, if it was in one.
    """

    run_id: str | None
    checkpoint: Path
    lock: RunLock
    store: str | None = None


def split_resume(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Take `--resume [RUN]` out of the arguments, or `--ckpt_path last`, which means the same for `fit`.

    Args:
        arguments: Of the command line.

    Returns:
        The other arguments, and the run's id or folder; an empty one where none was given, None without the option.

    Raises:
        ConfigError: If the option stands beside another command than `fit`, with `--ckpt_path`, or twice.
    """
    arguments = _with_keyword_replaced(arguments)
    positions = [i for i, argument in enumerate(arguments) if argument.split("=")[0] == OPTION]
    if not positions:
        return list(arguments), None
    if len(positions) > 1:
        raise ConfigError(f"{OPTION}: given {len(positions)} times, counting `{_CHECKPOINT} {_LAST}`; once is enough")
    if arguments[0] != "fit" or any(argument.split("=")[0] == _CHECKPOINT for argument in arguments):
        raise ConfigError(f"{OPTION}: only `fit` takes it, and without --ckpt_path")
    position = positions[0]
    before, after = list(arguments[:position]), list(arguments[position + 1 :])
    _, equals, run_id = arguments[position].partition("=")
    if not equals and after and not after[0].startswith("-"):
        run_id = after.pop(0)
    return before + after, run_id


def _with_keyword_replaced(arguments: Sequence[str]) -> list[str]:
    if arguments[:1] != ["fit"] or find_option(arguments, _CHECKPOINT) != _LAST:
        return list(arguments)
    others = [
        argument
        for argument, before in zip(arguments, ["", *arguments], strict=False)
        if argument not in (_CHECKPOINT, f"{_CHECKPOINT}={_LAST}") and (before, argument) != (_CHECKPOINT, _LAST)
    ]
    return [*others, OPTION]


def resume_point_in(folder: Path) -> ResumePoint:
    """Find the newest sound checkpoint of a run that is in a folder.

    Raises:
        ConfigError: If it has none.
        RunInUseError: If it still trains.
    """
    lock = _lock_of(str(folder), folder)
    checkpoint = _newest_in(folder)
    if checkpoint is None:
        raise ConfigError(f"{OPTION}: {folder} holds no sound checkpoint to go on from")
    return ResumePoint(None, checkpoint, lock)


def resume_point(tracking_uri: str, run_id: str) -> ResumePoint:
    """Find the newest sound checkpoint of a run.

    Raises:
        ConfigError: If the run does not exist or has no checkpoint.
        RunInUseError: If it still trains.
        TrackingError: If MLflow does not answer.
    """
    run = find_run(tracking_uri, run_id)
    if run is None:
        raise ConfigError(f"{OPTION}: MLflow at {shown_uri(tracking_uri)!r} has no run {run_id!r}")
    point = _point_of(run, tracking_uri)
    if point is None:
        raise ConfigError(f"{OPTION}: run {run_id} left no sound checkpoint to go on from")
    return point


def newest_resume_point(tracking_uri: str, config_hash: str) -> ResumePoint | None:
    """Find the newest unfinished run with a configuration that left a checkpoint; None where there is none.

    Raises:
        RunInUseError: If it still trains.
        TrackingError: If MLflow does not answer.
    """
    points = (_point_of(run, tracking_uri) for run in unfinished_runs(tracking_uri, config_hash))
    return next((point for point in points if point is not None), None)


def stays_in_place(point: ResumePoint, config: Mapping[str, Any]) -> bool:
    """Whether the checkpoints of a run that is gone on with stay where they are.

    Args:
        point: Where it goes on.
        config: What it is to go on with; checkpoints go elsewhere where that asks for another directory than the run's.
    """
    begun = read_checkpoint(point.checkpoint).config.get("checkpoint", {})
    return bool(begun.get("directory") == config["checkpoint"]["directory"])


def is_rank_0() -> bool:
    """Whether this process is the first of its training, as far as that is known before the Trainer is there."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _point_of(run: Run, tracking_uri: str) -> ResumePoint | None:
    folder = checkpoint_folder(run.tags, tracking_uri)
    if folder is None:
        return None
    lock = _lock_of(run.run_id, folder)
    checkpoint = _newest_in(folder)
    return None if checkpoint is None else ResumePoint(run.run_id, checkpoint, lock, tracking_uri)


def _newest_in(folder: Path) -> Path | None:
    checkpoint, said = newest_sound(folder)
    for line in said:
        rank_zero_warn(line)
    return checkpoint


def _lock_of(run: str, folder: Path) -> RunLock:
    lock = RunLock(folder)
    if folder.is_dir() and is_rank_0() and not lock.take():
        raise RunInUseError(f"{OPTION}: run {run} still trains in another process; end that one first")
    return lock
