"""A measure or a picture that fails takes nothing else with it."""

from __future__ import annotations

import pytest
import torch

from ae_lightning.callbacks.evaluation import left_out
from ae_lightning.errors import ConfigError, TrackingError
from ae_lightning.judging.measures.ssim import StructuralSimilarity
from ae_lightning.judging.pictures.reconstructions import Reconstructions

pytestmark = pytest.mark.slow

CHOSEN = ("--evaluation.measures", "[mse, ssim, active_units]", "--evaluation.pictures", "[reconstructions, samples]")


def failing(error):
    def fail(*_):
        raise error

    return fail


@pytest.fixture
def fit(workspace, monkeypatch):
    """Train and judge with one measure, or one picture, that raises."""

    def run(error, *, part):
        monkeypatch.setattr(part, "compute" if part is StructuralSimilarity else "draw", failing(error))
        return workspace.fit(*CHOSEN, "--evaluation.pca", "true", "--evaluation.cache", "null")

    return run


def judged(workspace):
    """The names of the test measures, without the terms of the loss, and of the pictures."""
    run = workspace.run()
    names = {name.removeprefix("test/") for name in run.data.metrics if name.startswith("test/")}
    return names - {"loss", "reconstruction", "kl"}, workspace.artifacts(run.info.run_id, "plots")


def test_a_measure_that_raises_is_left_out_with_its_reason(workspace, fit):
    with pytest.warns(UserWarning, match="left out of the evaluation: the measure ssim.*ValueError: too odd") as said:
        outcome = fit(ValueError("too odd"), part=StructuralSimilarity)
    assert outcome.code == 0, outcome.err
    assert any("the measure ssim of PCA" in str(one.message) for one in said)
    measured, drawn = judged(workspace)
    assert measured == {"mse", "active_units", "pca_mse", "pca_active_units"}
    assert drawn == {"reconstructions.png", "samples.png"}


def test_a_picture_that_raises_is_left_out_with_its_reason(workspace, fit):
    with pytest.warns(UserWarning, match="the picture reconstructions.png, which raised RuntimeError: no such shape"):
        outcome = fit(RuntimeError("no such shape"), part=Reconstructions)
    assert outcome.code == 0, outcome.err
    measured, drawn = judged(workspace)
    assert measured >= {"mse", "ssim"}
    assert drawn == {"samples.png"}


def test_the_measures_are_logged_before_anything_is_drawn(workspace, fit):
    outcome = fit(MemoryError("not enough memory for the picture"), part=Reconstructions)
    assert outcome.code == 1
    assert "out of memory" in outcome.err
    measured, drawn = judged(workspace)
    assert measured >= {"mse", "ssim"}
    assert not drawn


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("evaluation.convolution: 9"),
        TrackingError("the store is away"),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        OSError(28, "No space left on device"),
        KeyboardInterrupt(),
        SystemExit(143),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_concerns_the_whole_run_ends_it(error):
    with pytest.raises(type(error)), left_out("the measure ssim"):
        raise error


def test_no_memory_below_another_error_ends_it_too():
    def fit():
        try:
            raise MemoryError
        except MemoryError as error:
            raise ValueError("the fit failed") from error

    with pytest.raises(ValueError, match="the fit failed"), left_out("the measure gmm"):
        fit()
