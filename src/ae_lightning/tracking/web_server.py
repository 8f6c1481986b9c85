"""MLflow's own server on a store of this machine, for as long as somebody looks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ae_lightning.errors import ConfigError
from ae_lightning.tracking.addresses import absolute_uri

HOST = "127.0.0.1"
SECONDS_TO_START = 300.0
_SECONDS_TO_END = 10.0

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Evaluations of language models, which need eight processes more.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def address(port: int) -> str:
    """Return the address of a server of this machine."""
    return f"http://{HOST}:{port}"


def require_free(port: int) -> None:
    """Make sure that nobody listens at a port.

    Raises:
        ConfigError: If somebody does, or the port may not be listened at.
    """
    with socket.socket() as probe:
        # As servers do: a port whose last connections are not forgotten yet can be had.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigError(
                f"--port: {port} cannot be had ({error.strerror}): is a server running already, at {address(port)}? "
                f"--port {port + 1} takes another"
            ) from error


@contextmanager
def serving(tracking_uri: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a store on loopback; ready to be asked when the block begins, and gone after it.

    Args:
        tracking_uri: The store, which is no server.
        port: Where to listen.

    Yields:
        The server's process.

    Raises:
        ConfigError: If it does not start.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    # Others may read a command line, and the address of a store may hold a password.
    environment = {**_SETTINGS, **os.environ, "MLFLOW_BACKEND_STORE_URI": absolute_uri(tracking_uri)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_until_it_answers(process, port, log.fileno())
            yield process
        finally:
            _end(process)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: int) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = [line for line in Path(f"/dev/fd/{log}").read_text(errors="replace").splitlines() if line.strip()]
            raise ConfigError(f"MLflow's server does not start: {lines[-1].strip() if lines else 'it says nothing'}")
        time.sleep(0.1)


def _answers(port: int) -> bool:
    # Past any proxy that the environment names: it would look on its own machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{address(port)}/health", timeout=5):
            return True
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and what it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS_TO_END)
            return
