"""MLflow's import decides whether it reports to its makers."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
from ae_lightning.tracking import store
store.{opened}
from mlflow.telemetry import get_telemetry_client
print(get_telemetry_client())
"""


@pytest.mark.parametrize(
    "opened",
    ["connect('sqlite:///mlflow.db')", "client_of('http://127.0.0.1:9')", "gets_credentials('http://127.0.0.1:9')"],
)
def test_nothing_is_reported_to_anybody_but_the_store(workspace, program_environment, opened):
    # MLflow leaves off by itself in tests and in CI.
    kept = {name: program_environment[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in program_environment}
    command = [sys.executable, "-c", SCRIPT.format(opened=opened)]
    told = subprocess.run(command, env=kept, cwd=workspace.folder, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "None"
