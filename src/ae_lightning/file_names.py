"""Names of files and folders that a command line tells of before it imports what writes them."""

from __future__ import annotations

WEIGHTS_SUFFIX = ".safetensors"
"""Of a file of weights alone."""

RUNS_IN_MLFLOW, OTHER_RUNS = "checkpoints", "runs"
"""Where the folders of runs are: of those in MLflow, called by their ids, and of all others."""

DEFAULT_SPOOL = "mlruns/spool"
"""Where what MLflow did not take waits."""
