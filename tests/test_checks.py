"""Sizes that a user gives in GiB."""

from __future__ import annotations

import sys

import pytest

from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.checks import bytes_of_gib
from ae_lightning.data.store.cache import DataCache
from ae_lightning.errors import ConfigError


@pytest.mark.parametrize(
    ("gib", "expected"), [(1, 2**30), (0.5, 2**29), (1e308, sys.maxsize), (float("inf"), sys.maxsize)]
)
def test_a_size_is_countable_however_large(gib, expected):
    assert bytes_of_gib("key", gib) == expected
    assert DataCache(None, gib).max_bytes == expected
    assert Evaluation(max_gib=gib).max_gib == gib


@pytest.mark.parametrize("gib", [0, -1.0, float("nan")])
def test_none_is_refused_by_name(gib):
    with pytest.raises(ConfigError, match=r"^evaluation\.max_gib: .* is not allowed; it must be above 0"):
        Evaluation(max_gib=gib)
