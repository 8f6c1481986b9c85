"""What a program has set for all of torch or matplotlib changes nothing of what is trained, measured and drawn."""

from __future__ import annotations

from contextlib import contextmanager

import matplotlib
import matplotlib.style
import numpy as np
import pytest
import torch

import ae_lightning as ael
from ae_lightning.judging.drawing.style import to_png
from ae_lightning.machine.torch_defaults import torch_defaults

pytestmark = pytest.mark.slow

SAMPLES = np.random.default_rng(0).random((90, 8, 8), dtype=np.float32)
CLASSES = np.arange(90) % 3
QUICK = {
    "tracking": False,
    "trainer": {"max_epochs": 1, "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False},
    "evaluation": {"measures": ["mse", "kmeans"], "pictures": []},
}


@contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS = {
    "float64": lambda: default_dtype(torch.float64),
    "another device": lambda: torch.device("meta"),
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


def made():
    """Everything that a program may ask for, as values."""
    result = ael.fit("vae", SAMPLES, CLASSES, network="MLP", latent_dim=2, **QUICK)
    loaded = ael.load(result.checkpoint, SAMPLES, CLASSES)
    parts = [result.codes, result.encode(SAMPLES[:3]), result.reconstruct(SAMPLES[:3]), result.sample(2)]
    drawn = to_png(result.plot("reconstructions"))
    return result.measures, [part.tobytes() for part in [*parts, loaded.codes, loaded.sample(2)]], drawn


def settings_now():
    enabled = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    return torch.get_default_dtype(), torch.get_default_device(), enabled


@pytest.fixture(scope="module")
def plain(tmp_path_factory, work_in):
    with work_in(tmp_path_factory.mktemp("plain")):
        return made()


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_settings_of_torch_are_left_out_and_left_alone(workspace, plain, setting):
    with setting():
        before = settings_now()
        assert made() == plain
        assert settings_now() == before


def test_how_matrices_are_multiplied_is_what_it_was_again():
    """On a GPU, `fit` lets them be multiplied in TF32."""
    before = torch.get_float32_matmul_precision()
    with torch_defaults():
        torch.set_float32_matmul_precision("medium")
    assert torch.get_float32_matmul_precision() == before != "medium"


@pytest.mark.parametrize("change", [torch.nn.Module.double, torch.nn.Module.half], ids=["double", "half"])
def test_a_built_model_with_other_weights_is_refused(workspace, change):
    model = change(ael.VAE(spec=ael.spec_of(SAMPLES), network=ael.MLP(), latent_dim=2))
    with pytest.raises(ael.UserError, match=r"model: it has weights in torch\.float\d\d; float32 is trained: model"):
        ael.fit(model, SAMPLES, **QUICK)


def test_a_double_model_trains_where_that_is_asked_for(workspace):
    model = ael.VAE(spec=ael.spec_of(SAMPLES), network=ael.MLP(), latent_dim=2).double()
    result = ael.fit(model, SAMPLES, **{**QUICK, "trainer": {**QUICK["trainer"], "precision": "64-true"}})
    assert {weights.dtype for weights in result.model.parameters()} == {torch.float64}


def test_a_style_of_matplotlib_is_left_out_and_left_alone(workspace, plain):
    """A page for dark screens has white texts, and a paper's are set by LaTeX, which need not be there."""
    with matplotlib.rc_context({"text.usetex": True}), matplotlib.style.context("dark_background"):
        before = dict(matplotlib.rcParams)
        assert made() == plain
        assert dict(matplotlib.rcParams) == before


def test_fonts_stay_those_that_were_chosen(workspace):
    """Names of classes may have letters that the default one lacks."""
    result = ael.fit("vae", SAMPLES, CLASSES, network="MLP", latent_dim=2, **QUICK)
    usual = to_png(result.plot("reconstructions"))
    with matplotlib.rc_context({"font.family": "monospace"}):
        assert to_png(result.plot("reconstructions")) != usual
