"""What a command imports before it has anything to do: users wait for it at every `--help`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ae_lightning.command_line.commands import COMMANDS

CHILD = """
import contextlib, io, json, sys
from ae_lightning.__main__ import main
for arguments in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code
    assert not code
    assert shown.getvalue(), arguments
print(json.dumps(sorted(sys.modules)))
"""

HEAVY = {"faiss", "mlflow", "optuna", "pandas", "plotly", "pyarrow", "sklearn", "sqlalchemy", "umap"}
OF_LIGHTNING = {"lightning", "matplotlib", "scipy", "torch", "torchmetrics", "torchvision"}
"""What `import lightning` brings by itself."""
LIGHT = [["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)]


@pytest.fixture
def imported(tmp_path, program_environment):
    """Run commands one after the other in one process of their own, and return the libraries that it then has."""

    def run(*commands):
        program = [sys.executable, "-c", CHILD, json.dumps(commands)]
        done = subprocess.run(
            program, cwd=tmp_path, env=program_environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}

    return run


def test_help_imports_neither_torch_nor_lightning(imported):
    found = imported(*LIGHT)
    assert not found & (HEAVY | OF_LIGHTNING)


@pytest.mark.slow
def test_help_of_fit_imports_what_lightning_does_and_little_else(imported):
    found = imported(["fit", "--help"], ["fit", "--model", "VAE", "--print_config"])
    assert not found & HEAVY


def test_help_names_every_command(bare_workspace):
    outcome = bare_workspace("--help")
    assert outcome.code == 0
    assert all(command in outcome.out for command in ("fit", "validate", "test", "predict", *COMMANDS))
