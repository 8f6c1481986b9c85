"""Several workers on one machine: started, watched and ended together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict

import torch

from ae_lightning.sweep.checking import Surroundings
from ae_lightning.sweep.command import Options
from ae_lightning.sweep.gpu_shares import gpus_of_worker
from ae_lightning.sweep.stopping import SECONDS_FOR_A_WORKER, Stop
from ae_lightning.sweep.worker import SweepFailedError

SECONDS_BETWEEN_LOOKS = 1.0


class WorkerGroup:
    """The worker processes of a study on this machine.

    Each has a device of its own where there are several, and its share of the threads.

    Args:
        options: Of the command line.
        surroundings: What the parent found out, so that no worker checks it again.
        stop: Says whether the night is over.
    """

    def __init__(self, options: Options, surroundings: Surroundings, stop: Stop) -> None:
        self._options = options
        self._surroundings = surroundings
        self._stop = stop

    def work(self, look: Callable[[], None]) -> None:
        """Start the workers, and wait until all have ended.

        Args:
            look: Called about once a second.

        Raises:
            SweepFailedError: If every worker failed.
        """
        workers = [self._start(index) for index in range(self._options.num_workers)]
        try:
            while num_running(workers) and self._stop.reason is None:
                self._stop.wait(SECONDS_BETWEEN_LOOKS)
                look()
        finally:
            end(workers)
        look()
        if self._stop.reason is None and all(worker.returncode not in (0, None) for worker in workers):
            raise SweepFailedError(f"all {len(workers)} workers failed; what they said stands above")

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "ae_lightning", "sweep", "-c", str(self._options.study)]
        # What stands in addresses of the store and the storage, a password perhaps, is not for the list of processes.
        found = {key: value for key, value in asdict(self._surroundings).items() if key != "tracking_uri"}
        command += ["--worker", json.dumps(found)]
        overrides = {**self._options.overrides, "timeout": self._seconds_left()}
        command += [part for key, value in overrides.items() if value is not None for part in (f"--{key}", str(value))]
        # In a session of its own: Ctrl-C reaches it through the parent, once.
        return subprocess.Popen(command, env=self._environment(index), start_new_session=True)

    def _seconds_left(self) -> int | None:
        left = self._stop.seconds_left
        return None if left is None else max(1, round(left))

    def _environment(self, index: int) -> dict[str, str]:
        num_threads = max(1, len(os.sched_getaffinity(0)) // self._options.num_workers)
        environment = {"OMP_NUM_THREADS": str(num_threads), **os.environ}
        environment["MLFLOW_TRACKING_URI"] = self._surroundings.tracking_uri
        num_devices = torch.cuda.device_count()
        if num_devices:
            visible = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(num_devices)))
            own = gpus_of_worker(index, self._surroundings.num_devices, visible.split(","))
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(own)
        return environment


def num_running(workers: list[subprocess.Popen[bytes]]) -> int:
    """Count the workers that run; asking each keeps the dead from staying in the list of processes."""
    return sum(worker.poll() is None for worker in workers)


def end(workers: list[subprocess.Popen[bytes]]) -> None:
    """End the workers that still run: each puts its trial back first; one that does not is killed."""
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
    for worker in workers:
        try:
            worker.wait(SECONDS_FOR_A_WORKER)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
