"""The source of the examples, in a run from the command line."""

from __future__ import annotations

import pytest
import torch
from spirals import Spirals

from ae_lightning.data import DataModule
from ae_lightning.errors import ConfigError
from quick_options import QUICK


def test_its_points_lie_on_their_arms():
    data = DataModule(name="spirals.Spirals", num_val=100)
    split = data.split("train")
    assert data.spec.shape == (2,)
    assert len(split) == 500
    turns = split.x.norm(dim=1)
    along = torch.atan2(split.x[:, 1], split.x[:, 0]) / (2 * torch.pi) - split.labels / 3 - turns
    assert (along - along.round()).abs()[turns > 0.3].max() < 0.12
    assert data.class_names == ("arm 0", "arm 1", "arm 2")


def test_a_path_is_none_of_its_settings():
    with pytest.raises(ConfigError, match=r"^data\.path is for .*, stream only; data\.name is spirals\.Spirals$"):
        DataModule(name="spirals.Spirals", path="somewhere")


def test_a_source_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"^data\.name: 'spirals\.Circles' is not there"):
        DataModule(name="spirals.Circles")


def test_it_is_trained_on(workspace):
    outcome = workspace("fit", "--model", "VanillaAE", "--data.name", "spirals.Spirals", *QUICK)
    assert outcome.code == 0, outcome.err
    assert "spirals: 2; 540 train, 60 val, 200 test; 3 classes" in outcome.err
    assert Spirals.name == "spirals"
