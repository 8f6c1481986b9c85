"""The data that the trainings share."""

from __future__ import annotations

import pytest

from small_trainings import small_data


@pytest.fixture
def data(tmp_path):
    """22 training images in batches of 8, 8 and 6; 5 to validate on, 2 to test on."""
    return small_data(tmp_path)
