"""Durations as people write them."""

from __future__ import annotations

import pytest

from ae_lightning.errors import ConfigError
from ae_lightning.sweep.duration import parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28_800), ("1h30m", 5_400), ("45s", 45), ("90", 90), (90, 90), ("1.5m", 90)],
)
def test_seconds(text, seconds):
    assert parse_seconds("timeout", text) == seconds


@pytest.mark.parametrize("text", ["", "8 hours", "-3s", "0", "h8", "8hh"])
def test_what_is_no_duration(text):
    with pytest.raises(ConfigError, match="such as 8h"):
        parse_seconds("timeout", text)
