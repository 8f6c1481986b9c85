from __future__ import annotations

import pytest

from ae_lightning.testing.training import one_thread


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    with one_thread():
        yield
