"""Processes that a sweep starts: each runs this program again, and reads in its environment what it is to do.

A worker of several takes trials from the storage, as the sweep itself would. A trial on several devices has a process
of its own: Lightning starts the other ranks by running the program once more, and what it runs then must be that trial,
and no sweep, or every rank would take a trial for itself. What becomes of a trial stands in the storage alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from pydantic import TypeAdapter

from ae_lightning.machine.processors import num_granted
from ae_lightning.sweep.checking import Surroundings
from ae_lightning.sweep.command import TASK_VARIABLE
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.study_file import StudyFile

SECONDS_FOR_A_TRIAL = 45.0
"""How long the process of a trial may take to end when it is asked to."""

SECONDS_FOR_A_WORKER = 60.0
"""The same of a worker: longer, as it may have to wait for its trial's, and then puts the trial back."""

SECONDS_BETWEEN_LOOKS = 1.0


@dataclass(frozen=True)
class Task:
    """What a process is to do.

    Attributes:
        file: The study.
        surroundings: What its trials share, so that no process finds it out again.
        run_id: Of the study's MLflow run.
        experiment_id: Of its experiment.
        trial_id: The trial to run; None to work at the study.
    """

    file: StudyFile
    surroundings: Surroundings
    run_id: str
    experiment_id: str
    trial_id: int | None


TASK = TypeAdapter(Task)
"""Reads a task."""


def run_processes(
    task: Task, number: int, stop: Stop, patience: float, look: Callable[[], None] = lambda: None
) -> list[int]:
    """Start processes, and wait until all have ended or the night is over; what still runs then is asked to end.

    Args:
        task: What each is to do.
        number: How many there are; several share the threads and GPUs out among them.
        stop: Says whether the night is over.
        patience: Seconds that they may take to end; what has not then is killed with all that it has started.
        look: Called about once a second.

    Returns:
        Their exit codes.
    """
    command = [sys.executable, "-m", "ae_lightning", "sweep"]
    # In sessions of their own: Ctrl-C reaches them through this process, once.
    processes = [
        subprocess.Popen(command, env=environment_of(task, index, number), start_new_session=True)
        for index in range(number)
    ]
    try:
        # Each is asked, lest a dead one stay in the list of processes.
        while None in [process.poll() for process in processes] and stop.reason is None:
            stop.wait(SECONDS_BETWEEN_LOOKS)
            look()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            except KeyboardInterrupt:
                # The second one. A worker goes on, and puts its trial back; a trial's own process may hang.
                if task.trial_id is not None:
                    os.killpg(process.pid, signal.SIGKILL)
                raise
    return [process.wait() for process in processes]


def environment_of(task: Task, index: int, number: int) -> dict[str, str]:
    """Return the environment of a process.

    Args:
        task: What it is to do: addresses with a password, perhaps, are not for the list of processes.
        index: Which process it is, from 0.
        number: How many share the machine.
    """
    # Pydantic's own JSON would make nothing of an infinity.
    environment = {**os.environ, TASK_VARIABLE: json.dumps(TASK.dump_python(task), default=str)}
    if number == 1:
        return environment
    environment.setdefault("OMP_NUM_THREADS", str(max(1, num_granted() // number)))
    if num_gpus := torch.cuda.device_count():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(num_gpus)))
        own = gpus_of_worker(index, task.surroundings.num_devices, visible.split(","))
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(own)
    return environment


def gpus_of_worker(index: int, share: int, visible: Sequence[str]) -> Sequence[str]:
    """Return the GPUs of a worker.

    Args:
        index: Of the worker, from 0.
        share: How many GPUs each has.
        visible: All GPUs, as `CUDA_VISIBLE_DEVICES` names them.
    """
    size = min(share, len(visible))
    first = index * size % (len(visible) // size * size)
    return visible[first : first + size]
