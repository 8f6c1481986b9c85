"""What a study's YAML says in words that people write."""

from __future__ import annotations

import pytest

from ae_lightning.errors import ConfigError
from ae_lightning.sweep.study_file import StudyFile


def read_timeout(given):
    space = {"model.latent_dim": {"type": "int", "low": 2, "high": 3}}
    study = {"name": "study", "space": space, "objectives": {"val/loss": "minimize"}, "timeout": given}
    return StudyFile.model_validate(study).timeout


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("8h", 28_800),
        ("1h30m", 5_400),
        ("45s", 45),
        ("90", 90),
        (90, 90),
        (12.5, 12.5),
        ("1.5m", 90),
        ("1d", 86_400),
        ("1D12h", 129_600),
    ],
)
def test_a_timeout_in_seconds(given, seconds):
    assert read_timeout(given) == seconds


@pytest.mark.parametrize("given", ["", "8 hours", "-3s", "0", "h8", "8hh", "inf"])
def test_a_timeout_that_is_no_duration(given):
    with pytest.raises(ConfigError, match="such as 8h"):
        read_timeout(given)
