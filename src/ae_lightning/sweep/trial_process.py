"""Trainings on more than one device: in processes of their own.

Lightning starts the other ranks by running the program again. What it runs again must be a training, and no sweep, or
every rank would sample a trial for itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import optuna

from ae_lightning.command_line.launch import prepare
from ae_lightning.sweep.command import TRAINING_OPTION
from ae_lightning.sweep.open_study import open_study
from ae_lightning.sweep.stopping import SECONDS_FOR_A_TRAINING, Stop
from ae_lightning.sweep.training import Order, train
from ae_lightning.sweep.trial_result import has_result, read_result, result_of, write_result
from ae_lightning.sweep.watching import TrialInterrupted

SECONDS_BETWEEN_LOOKS = 1.0


def train_in_own_process(order: Order, stop: Stop) -> dict[str, float]:
    """Train what an order says, in processes of their own.

    Returns:
        Metrics by name.

    Raises:
        TrialInterrupted: If the night is over.
        Exception: As `read_result` says.
    """
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "order.json")
        path.write_text(order.model_dump_json())
        command = [sys.executable, "-m", "ae_lightning", "sweep", TRAINING_OPTION, str(path)]
        process = subprocess.Popen(command, start_new_session=True)
        try:
            while process.poll() is None and stop.reason is None:
                stop.wait(SECONDS_BETWEEN_LOOKS)
            _end(process)
        except BaseException:
            _kill(process)
            raise
        if stop.reason is not None and not has_result(path):
            # It was asked to end before it could answer, or took too long to.
            raise TrialInterrupted(stop.reason)
        return read_result(path, process.returncode)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end if it has not, and kill it if it takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(SECONDS_FOR_A_TRAINING)
    except subprocess.TimeoutExpired:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its ranks, which are of its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def train_for_parent(path: Path) -> int:
    """Train what an order in a file says, as one of its ranks; return the exit code."""
    order = Order.model_validate_json(path.read_text())
    is_first_rank = int(os.environ.get("LOCAL_RANK", "0")) == 0
    stop = Stop(follows_parent=is_first_rank)

    def training() -> dict[str, float]:
        prepare()
        trial = optuna.Trial(open_study(order.study), order.trial_id) if is_first_rank else None
        return train(order, trial, stop)

    with stop.on_signals():
        result = result_of(training)
    if is_first_rank:
        write_result(path, result)
    return 0
