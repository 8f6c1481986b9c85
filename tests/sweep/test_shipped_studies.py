"""Every study that is shipped is one that the command line takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ae_lightning.command_line.launch import prepare
from ae_lightning.sweep.checking import check_study
from ae_lightning.sweep.study_file import read_study

SWEEPS = Path(__file__).parents[2] / "sweeps"
STUDIES = sorted(SWEEPS.glob("*.yaml"))


def test_there_are_studies():
    assert {path.stem for path in STUDIES} == {"conv", "nightly", "pareto"}


@pytest.mark.slow
@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_passes_its_check(bare_workspace, path):
    prepare()
    surroundings = check_study(read_study(path))
    assert surroundings.experiment_name == "digits"
    assert surroundings.num_devices == 1


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_is_described(path):
    assert f"`{path.name}`" in (SWEEPS / "README.md").read_text()
