"""Real MLflow servers on loopback, of this MLflow or of that of the Python in AE_LIGHTNING_MLFLOW_SERVER."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress

import pytest

PYTHON = os.environ.get("AE_LIGHTNING_MLFLOW_SERVER", sys.executable)
"""Where users' servers are behind their clients by some versions, this one may be too."""


class Server:
    """An MLflow server that can be stopped and started again on the same port."""

    def __init__(self, folder):
        self.folder = folder
        self.database = folder / "server.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process = None

    def start(self):
        """Start, and wait: on a busy machine its imports alone take a minute."""
        self._launch()
        if self._answers_within(240):
            return
        self.stop()
        pytest.fail((self.folder / "server.log").read_text())

    def _launch(self):
        command = [PYTHON, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--backend-store-uri", f"sqlite:///{self.database}"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        # Without its job runners the server is one process fewer by eight. One that is killed leaves uploads behind.
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "TMPDIR": str(self.folder)}
        with (self.folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def _answers_within(self, seconds):
        deadline = time.monotonic() + seconds
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                return False
            time.sleep(0.1)
        return True

    def _answers(self):
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return True
        except OSError:
            return False

    def freeze(self):
        """Let it accept connections and answer none."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self):
        os.killpg(self._process.pid, signal.SIGCONT)

    @property
    def is_running(self):
        return self._process is not None

    @property
    def process_group(self):
        return self._process.pid

    def stop(self):
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def serving(folder, store):
    """Serve a copy of a database in a folder, for as long as a fixture lasts."""
    # Another version refuses the database of a newer one, and makes its own.
    if sys.executable == PYTHON:
        shutil.copy(store, folder / "server.db")
    started = Server(folder)
    started.start()
    yield started
    started.stop()
