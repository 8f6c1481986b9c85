"""A server and a run that several tests look at."""

from __future__ import annotations

import pytest

from mlflow_servers import serving


@pytest.fixture(scope="package")
def server(tmp_path_factory, empty_store):
    """A server that keeps its artifacts itself; whoever stops it starts it again."""
    yield from serving(tmp_path_factory.mktemp("server"), empty_store)


@pytest.fixture
def without_ticks(monkeypatch):
    """Let writers deliver when a test says so, and not also every second, which may be just before."""
    monkeypatch.setattr("ae_lightning.tracking.writer.SECONDS_BETWEEN_REQUESTS", 3600)


@pytest.fixture
def tracker(workspace, without_ticks):
    """A tracker with an open run in the default store."""
    from ae_lightning.tracking import MLflowTracker

    opened = MLflowTracker(system_metrics=False)
    opened.open()
    yield opened
    opened.finalize()
