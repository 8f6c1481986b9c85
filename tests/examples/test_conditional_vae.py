"""The conditional VAE of the examples: a class asked for is the class that is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conditional_vae import ConditionalVAE
from sklearn.neighbors import KNeighborsClassifier

from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.spec import DataSpec
from ae_lightning.testing import VariantSuite
from ae_lightning.testing.training import build_trainer

pytestmark = pytest.mark.slow


class TestConditionalVAE(VariantSuite):
    variant = ConditionalVAE


def test_data_without_labels_are_refused():
    with pytest.raises(ConfigError, match=r"^model: ConditionalVAE needs labels, and these data have none$"):
        ConditionalVAE(spec=DataSpec((1, 8, 8)))


def test_without_a_class_it_says_so():
    model = ConditionalVAE(spec=DataSpec((1, 8, 8), num_classes=3))
    with pytest.raises(ValueError, match="give the classes"):
        model.reconstruct(torch.rand(2, 1, 8, 8))


def test_a_sample_is_of_the_class_asked_for_once_trained():
    """Of 50 samples a class, 5 nearest training digits name the one asked for in at least 80 %."""
    torch.manual_seed(0)
    data = DataModule(batch_size=64)
    model = ConditionalVAE(spec=data.spec, latent_dim=8)
    build_trainer(30).fit(model, data)
    split = data.split("train")
    judge = KNeighborsClassifier(5).fit(data.scale(split.x).flatten(1), split.labels)
    asked = torch.arange(10).repeat_interleave(50)
    drawn = model.eval().sample(500, given=asked)
    assert (judge.predict(drawn.flatten(1)) == asked.numpy()).mean() >= 0.8
    others = model.sample(500, given=(asked + 1) % 10)
    assert not np.allclose(drawn, others)
