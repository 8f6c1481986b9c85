"""Places of real data, and generated stand-ins."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets, where the machine has one."""
    place = os.environ.get("AE_LIGHTNING_DATA")
    if not place:
        pytest.skip("AE_LIGHTNING_DATA is not set: no real data on this machine")
    return Path(place)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail every connection at once, as a machine without a network does."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
