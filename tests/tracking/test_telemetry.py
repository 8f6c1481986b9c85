"""MLflow's import decides whether it reports to its makers."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "mlflow":
            print(os.environ.pop("MLFLOW_DISABLE_TELEMETRY", "said nothing"))
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refusing())
from ae_lightning.tracking import store
for imports_mlflow in (store.connect, store.client_of, store.gets_credentials):
    try:
        imports_mlflow("http://127.0.0.1:9")
    except ModuleNotFoundError:
        pass
sys.meta_path.pop(0)
store.connect("sqlite:///mlflow.db")
from mlflow.telemetry import get_telemetry_client
print(get_telemetry_client())
"""
"""A process imports MLflow once: each way to it shows what the environment says by then, and the last is gone."""


@pytest.mark.slow
def test_nothing_is_reported_to_anybody_but_the_store(workspace, program_environment):
    # MLflow leaves off by itself in tests and in CI.
    kept = {name: program_environment[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in program_environment}
    command = [sys.executable, "-c", PROGRAM]
    told = subprocess.run(command, env=kept, cwd=workspace.folder, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["true", "true", "true", "None"]
