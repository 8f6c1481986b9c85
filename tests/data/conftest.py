"""Places of real data, and generated stand-ins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def real_data() -> Path:
    """The folder of real data sets, where the machine has one."""
    place = os.environ.get("AE_LIGHTNING_DATA")
    if not place:
        pytest.skip("AE_LIGHTNING_DATA is not set: no real data on this machine")
    return Path(place)
