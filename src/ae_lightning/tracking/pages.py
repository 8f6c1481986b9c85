"""Pages of MLflow's web interface: an experiment's runs and a run, as the part for training models shows them."""

from __future__ import annotations

from dataclasses import dataclass

from ae_lightning.errors import ConfigError
from ae_lightning.tracking.addresses import database_of, shown_uri

_FOR_TRAINING = "workflowType=machine_learning"
"""Without it MLflow opens the part for language models, in which trained runs seem not to be there."""


@dataclass(frozen=True)
class FirstPage:
    """The experiment that is to be looked at.

    Attributes:
        experiment_id: Its id.
        name: What it is called.
        has_view: Whether it has the view of its main measures.
    """

    experiment_id: str
    name: str
    has_view: bool


def run_page(server: str, experiment_id: str | None, run_id: str | None) -> str:
    """Return the address of a run's page.

    Args:
        server: Address of MLflow's server.
        experiment_id: The run's experiment.
        run_id: The run.
    """
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?{_FOR_TRAINING}"


def experiment_page(server: str, experiment_id: str | None, *, has_view: bool) -> str:
    """Return the address of an experiment's page.

    Args:
        server: Address of MLflow's server.
        experiment_id: The experiment.
        has_view: Whether it has the view of its main measures: MLflow goes elsewhere where it does not find the one
            that it is to open.
    """
    from ae_lightning.tracking.shared_view import VIEW_KEY

    view = f"&compareRunsMode=CHART&viewStateShareKey={VIEW_KEY}" if has_view else ""
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?{_FOR_TRAINING}{view}"


def first_page(tracking_uri: str, name: str | None) -> FirstPage:
    """Find the experiment that is to be looked at, and give it the view of its main measures.

    Args:
        tracking_uri: The store.
        name: The experiment; by default the one that MLflow's variables give, else the one with the newest run.

    Raises:
        ConfigError: If there is none.
        TrackingError: If the store does not answer.
    """
    from ae_lightning.tracking.comparison import chosen_experiments
    from ae_lightning.tracking.shared_view import keep_view
    from ae_lightning.tracking.store import answers_explained, connect

    database = database_of(tracking_uri)
    if database is not None and not database.exists():
        raise ConfigError(f"there are no runs yet: {database} is not there, and `fit` makes it")
    client = connect(tracking_uri)
    with answers_explained(tracking_uri):
        found = next(iter(chosen_experiments(client, tracking_uri, name)), None)
        if found is None:
            raise ConfigError(f"MLflow at {shown_uri(tracking_uri)!r} has no runs yet; `fit` makes them")
        return FirstPage(str(found.experiment_id), found.name, keep_view(client, found))
