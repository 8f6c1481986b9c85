"""A server and a run that several tests look at."""

from __future__ import annotations

import shutil

import pytest

from mlflow_servers import Server


@pytest.fixture(scope="package")
def server(tmp_path_factory, empty_store):
    """A server that keeps its artifacts itself; whoever stops it starts it again."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(empty_store, folder / "server.db")
    started = Server(folder)
    started.start()
    yield started
    started.stop()


@pytest.fixture
def tracker(workspace):
    """A tracker with an open run in the default store."""
    from ae_lightning.tracking import MLflowTracker

    opened = MLflowTracker(system_metrics=False)
    opened.open()
    yield opened
    opened.finalize()
