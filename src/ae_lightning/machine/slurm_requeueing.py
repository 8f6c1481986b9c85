"""SLURM jobs that are put back into the queue before their time is up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import Trainer
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.machine.signals import SIGUSR1, Interrupted

_SECONDS_TO_REQUEUE = 60


def take_over_requeueing(trainer: Trainer) -> int | None:
    """Keep Lightning from answering the signal with which SLURM announces a job's end, so that we can.

    Lightning closes the run and writes a checkpoint of its own, all in the middle of whatever the signal interrupted,
    and then trains on until it is killed; the job that follows starts a new run.

    Returns:
        The signal; None outside SLURM, and where the user's own `SLURMEnvironment` says `auto_requeue=False`.
    """
    environment = trainer._accelerator_connector.cluster_environment
    if not isinstance(environment, SLURMEnvironment) or not environment.auto_requeue:
        return None
    environment.auto_requeue = False
    return int(environment.requeue_signal or SIGUSR1)


@contextmanager
def requeued_after(number: int | None) -> Iterator[None]:
    """Put the job back into the queue if a signal ends what is done here.

    Args:
        number: The signal; None for none.
    """
    try:
        yield
    except Interrupted as end:
        if number is not None and end.number == number and os.environ.get("SLURM_PROCID") == "0":
            _requeue()
        raise


def _requeue() -> None:
    """Ask SLURM, which then ends all that is left of the job."""
    in_array = "SLURM_ARRAY_JOB_ID" in os.environ
    names = ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID") if in_array else ("SLURM_JOB_ID",)
    job = "_".join(os.environ[name] for name in names)
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, timeout=_SECONDS_TO_REQUEUE)
    except (OSError, subprocess.SubprocessError) as error:
        rank_zero_warn(f"SLURM did not put job {job} back into the queue: {error}")
