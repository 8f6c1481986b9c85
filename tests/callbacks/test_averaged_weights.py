"""What Lightning's `WeightAveraging` averages is judged and drawn during `fit`, wherever it stands among callbacks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging

from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.judging.picture import Picture
from ae_lightning.testing.training import build_trainer, weights_of
from ae_lightning.tracking import FolderLogger
from ae_lightning.variants.vanilla import VanillaAE
from small_trainings import SHAPE, SMALL, small_data

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

DRAWN = []


class Decoded(Picture):
    """Notes what the model that is drawn makes of the codes that were judged, and what that was then."""

    name = "decoded"

    def draw(self, case):
        evaluated = case.case.evaluated
        DRAWN.append((case.case.model.decode(evaluated.codes), evaluated.reconstructions))


class Trained(Callback):
    """Keeps the weights that each epoch ends with."""

    def __init__(self):
        self.weights = []

    def on_train_epoch_end(self, trainer, pl_module):
        self.weights.append(weights_of(pl_module))


def trained(folder, *callbacks):
    """Train for two epochs; return what was measured, and the weights that each ended with."""
    torch.manual_seed(0)
    keeping = Trained()
    trainer = build_trainer(epochs=2, callbacks=[*callbacks, keeping], validate=True)
    trainer.loggers = [FolderLogger(folder, "run")]
    trainer.fit(VanillaAE(**SMALL), small_data(folder))
    return trainer.callback_metrics, keeping.weights


@pytest.mark.parametrize("is_first", [True, False])
def test_the_average_is_judged_and_drawn_and_training_goes_on_from_its_own_weights(tmp_path, is_first):
    pictures = [f"{__name__}.Decoded"]
    evaluation = Evaluation(1, 1, training_measures=["mse"], training_pictures=pictures, pca=False, cache=None)
    average = EMAWeightAveraging(decay=0.999)
    DRAWN.clear()
    measured, weights = trained(tmp_path, *([average, evaluation] if is_first else [evaluation, average]))
    # The loss is the squared error of an image, taken while the average was in place.
    assert float(measured["val/mse"]) * math.prod(SHAPE) == pytest.approx(float(measured["val/loss"]), rel=1e-5)
    assert len(DRAWN) == 2
    for decoded, judged in DRAWN:
        np.testing.assert_allclose(decoded, judged, atol=1e-6)
    _, alone = trained(tmp_path)
    assert all(map(torch.equal, weights, alone))
