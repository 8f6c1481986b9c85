"""Sizes that a user gives in GiB, and paths."""

from __future__ import annotations

import sys

import pytest

from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.checks import bytes_of_gib, expanded
from ae_lightning.data.datamodule import DataModule
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


@pytest.mark.parametrize(
    ("key", "take"),
    [
        ("data.cache", lambda path: DataModule(cache=path)),
        ("evaluation.cache", lambda path: Evaluation(cache=path)),
        ("data.path", lambda path: DataModule("folder", path=path)),
        ("data.root", lambda path: DataModule(root=path).split("train")),
    ],
)
def test_a_home_of_nobody_is_refused_by_name(key, take):
    with pytest.raises(ConfigError, match=rf"^{key}: ~no-such-user/x begins with what is no user's name$"):
        take("~no-such-user/x")


def test_a_tilde_is_the_users_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("key", "~/x") == tmp_path / "x"
