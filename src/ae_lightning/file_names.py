"""Names of files and folders that a command line tells of before it imports what writes them."""

from __future__ import annotations

WEIGHTS_SUFFIX = ".safetensors"
"""Of a file of weights alone."""

DEFAULT_SPOOL = "mlruns/spool"
"""Where what MLflow did not take waits."""
