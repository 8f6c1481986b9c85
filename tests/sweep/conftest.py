"""Small studies, and what they leave."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
import yaml

QUICK_SETTINGS = {
    "model": "VanillaAE",
    "model.network": "Linear",
    "trainer.max_epochs": 1,
    "trainer.num_sanity_val_steps": 0,
    "trainer.logger.system_metrics": False,
    "evaluation.every_n_epochs": 0,
    "evaluation.measures": ["mse"],
    "evaluation.pictures": [],
    "evaluation.pca": False,
}
"""Trials of a second or less."""


def describe(**changes):
    """A study of three quick trials, some of its keys replaced or, with None, left out."""
    study = {
        "settings": QUICK_SETTINGS,
        "space": {
            "model.latent_dim": {"type": "int", "low": 2, "high": 16},
            "model.optimizer.lr": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
        },
        "objectives": {"val/mse": "minimize"},
        "trials": 3,
        **changes,
    }
    return {key: value for key, value in study.items() if value is not None}


def write(folder: Path, name="small", **changes) -> Path:
    """Write a study's YAML into a folder."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(describe(**changes), sort_keys=False))
    return path


def load(folder: Path, name="small") -> optuna.Study:
    """Load a study from the default storage of a folder."""
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / 'optuna.db'}")


@pytest.fixture
def sweep(workspace):
    """Sweep a study described by what differs from the small one, and give the outcome."""

    def run(*options, name="small", **changes):
        return workspace("sweep", "-c", write(workspace.folder, name, **changes), *options)

    return run


@pytest.fixture
def quick():
    """The settings of quick trials."""
    return dict(QUICK_SETTINGS)


@pytest.fixture
def study_of(workspace):
    """Load the study that the working directory's storage holds."""

    def find(name="small"):
        return load(workspace.folder, name)

    return find


@pytest.fixture(scope="module")
def write_study():
    """Write a study's YAML, from what differs from the small one, into a folder."""
    return write


@pytest.fixture(scope="module")
def load_study():
    """Load the study that the default storage of a folder holds."""
    return load
