"""A user's own measure and picture, given by dotted path."""

from __future__ import annotations

import re
import sys

import pytest

from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.errors import ConfigError
from ae_lightning.judging.measure import select_measures
from ae_lightning.judging.picture import select_pictures

OWN = """
import abc
from ae_lightning.judging.measure import Measure
from ae_lightning.judging.picture import Picture

class Sharpness(Measure):
    name = "sharpness"
    cost = "cheap"
    metrics = {"sharpness": "higher", "softness": "lower"}
    needs = frozenset({"reconstructions"})

    def compute(self, case):
        images, reconstructions = case.pixels
        sharpness = float(reconstructions.std() / images.std())
        return {"sharpness": sharpness, "softness": -sharpness}

class OfOverlays(Sharpness):
    name = "of_overlays"
    metrics = {"of_overlays": "none"}
    needs = frozenset({"overlaid images"})

class Undeclared(Sharpness):
    name = "undeclared"
    metrics = {"declared": "none"}

class MeanImage(Picture):
    name = "mean_image"

    def draw(self, case):
        from matplotlib.figure import Figure

        figure = Figure()
        figure.subplots().imshow(case.evaluated.x.mean(axis=(0, 1)))
        return figure

    def write(self, case):
        return f"<p>{len(case.evaluated)} images, seed {case.seed}</p>"

class Unnamed(Sharpness):
    name = "no name"

class Taken(Sharpness):
    name = "mse"

class Doubled(Sharpness):
    name = "doubled"
    metrics = {"psnr": "lower"}

class Needy(Sharpness):
    name = "needy"
    needs = frozenset({"label"})

class Costly(Sharpness):
    name = "costly"
    cost = "chep"

class Sideways(Sharpness):
    name = "sideways"
    metrics = {"sideways": "up"}

class Silent(Measure):
    name = "silent"
    metrics = {"silent": "none"}

class Asking(Sharpness):
    name = "asking"

    def __init__(self, width):
        self.width = width
"""


@pytest.fixture
def own_parts(tmp_path, monkeypatch):
    """Modules of one's own, `own_parts` and `others`."""
    for name in ("own_parts", "others"):
        (tmp_path / f"{name}.py").write_text(OWN)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.filterwarnings("ignore:left out of the evaluation")
def test_a_users_own_measure_and_picture_are_run_logged_and_drawn(workspace, own_parts):
    outcome = workspace.fit(
        *("--evaluation.measures", "[mse, own_parts.Sharpness, own_parts.OfOverlays, own_parts.Undeclared]"),
        *("--evaluation.training_measures", "[own_parts.Sharpness]", "--evaluation.every_n_epochs", "1"),
        *("--evaluation.pictures", "[samples, own_parts.MeanImage]", "--evaluation.pca", "true"),
    )
    assert outcome.code == 0, outcome.err
    run = workspace.run()
    measured = {name.removeprefix("test/") for name in run.data.metrics if name.startswith("test/")}
    own = {"mse", "sharpness", "softness"}
    assert measured - {"loss", "reconstruction", "kl"} == own | {f"pca_{name}" for name in own}
    assert "val/sharpness" in run.data.metrics
    assert workspace.artifacts(run.info.run_id, "plots") == {"samples.png", "mean_image.png", "mean_image.html"}
    assert workspace.artifact(run.info.run_id, "plots/mean_image.html").read_text() == "<p>359 images, seed 0</p>"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no_such_module.Mine", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("own_parts.Mine", "the module own_parts has no Mine"),
        ("own_parts.MeanImage", "is no subclass of ae_lightning.judging.measure.Measure"),
        ("own_parts.OWN.Sharpness", "cannot be imported"),
        (".Sharpness", "cannot be imported"),
        ("own_parts.Unnamed", "needs a class attribute `name`"),
        ("own_parts.Taken", "calls itself 'mse', which is this package's own"),
        ("own_parts.Doubled", "'doubled' gives 'psnr', as the measure 'psnr' does"),
        ("own_parts.Needy", "'label' is not known; did you mean 'labels'?"),
        ("own_parts.Costly", "'chep' is not known; did you mean 'cheap'?"),
        ("own_parts.Sideways", "'up' is not known"),
        ("own_parts.Silent", "leaves out what every Measure has: compute"),
        ("own_parts.Asking", "must be made without arguments"),
    ],
)
def test_what_cannot_be_used_is_refused_at_once(own_parts, path, said):
    with pytest.raises(ConfigError, match=re.escape(said)) as refusal:
        Evaluation(measures=[path])
    assert str(refusal.value).startswith("evaluation.measures: ")
    assert len(str(refusal.value).splitlines()) == 1


def test_an_unusable_picture_is_refused_too(own_parts):
    said = "evaluation.training_pictures: 'own_parts.Sharpness' is no subclass of ae_lightning.judging.picture.Picture"
    with pytest.raises(ConfigError, match=re.escape(said)):
        Evaluation(training_pictures=["own_parts.Sharpness"])


def test_two_parts_of_one_name_would_overwrite_each_other(own_parts):
    with pytest.raises(ConfigError, match="two of one's own are called 'sharpness'"):
        Evaluation(measures=["own_parts.Sharpness", "others.Sharpness"])


def test_a_path_that_leads_nowhere_is_one_line_and_exit_code_2(workspace):
    outcome = workspace.fit("--evaluation.pictures", "[no_such_module.Mine]")
    assert outcome.code == 2
    (line,) = outcome.err.strip().splitlines()
    assert "evaluation.pictures: 'no_such_module.Mine' cannot be imported" in line
    assert not workspace.runs()


def test_all_means_those_of_this_package():
    assert all(measure.is_built_in for measure in select_measures("evaluation.measures", "all"))
    assert all(picture.is_built_in for picture in select_pictures("evaluation.pictures", "all"))
