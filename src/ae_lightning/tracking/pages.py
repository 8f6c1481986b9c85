"""Pages of MLflow's web interface: an experiment's runs and a run, as the part for training models shows them."""

from __future__ import annotations

_FOR_TRAINING = "workflowType=machine_learning"
"""Without it MLflow opens the part for language models, in which trained runs seem not to be there."""


def run_page(server: str, experiment_id: str | None, run_id: str | None) -> str:
    """Return the address of a run's page.

    Args:
        server: Address of MLflow's server.
        experiment_id: The run's experiment.
        run_id: The run.
    """
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?{_FOR_TRAINING}"
