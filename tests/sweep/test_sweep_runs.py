"""A sweep from end to end: what it leaves in Optuna and in MLflow, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import optuna
import pytest
import yaml
from optuna.trial import TrialState

from ae_lightning.sweep.results import Publisher
from ae_lightning.sweep.space import suggest
from ae_lightning.sweep.study_file import read_study
from ae_lightning.sweep.trial_queue import claim
from ae_lightning.tracking.studies import open_study_run

PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class Swept:
    workspace: Any
    study: Any
    outcome: Any
    again: Any

    @property
    def parent(self):
        return next(run for run in self.workspace.runs() if PARENT not in run.data.tags)

    @property
    def children(self):
        found = [run for run in self.workspace.runs() if PARENT in run.data.tags]
        return sorted(found, key=lambda run: int(run.data.tags["optuna.trial"]))


@pytest.fixture(scope="module")
def swept(open_workspace, write_study, load_study):
    """A study of three trials, swept on two nights, the second with nothing left to do; tests only read it."""
    with open_workspace() as workspace:
        path = write_study(workspace.folder, plot_every=2)
        outcome = workspace("sweep", "-c", path)
        again = workspace("sweep", "-c", path)
        yield Swept(workspace, load_study(workspace.folder), outcome, again)


def test_the_trials_are_complete(swept):
    assert swept.outcome.code == 0, swept.outcome.err
    assert [trial.state for trial in swept.study.trials] == [TrialState.COMPLETE] * 3
    assert len({str(trial.params) for trial in swept.study.trials}) == 3


def test_values_are_those_of_the_validation_split(swept):
    for trial, run in zip(swept.study.trials, swept.children, strict=True):
        assert trial.value == pytest.approx(run.data.metrics["val/mse"])
        assert trial.params["model.latent_dim"] == int(run.data.params["model.latent_dim"])
        assert trial.params["model.optimizer.lr"] == pytest.approx(float(run.data.params["model.optimizer.lr"]))


def test_trials_leave_the_test_split_alone(swept):
    for run in swept.workspace.runs():
        assert not [name for name in run.data.metrics if name.startswith("test/")]


def test_a_run_a_trial_below_that_of_the_study(swept):
    parent = swept.parent
    assert parent.info.status == "FINISHED"
    for number, run in enumerate(swept.children):
        assert run.data.tags[PARENT] == parent.info.run_id
        assert run.info.experiment_id == parent.info.experiment_id
        assert run.info.status == "FINISHED"
        tags = {name: run.data.tags[f"optuna.{name}"] for name in ("study", "trial", "state")}
        assert tags == {"study": "small", "trial": str(number), "state": "complete"}
        assert swept.workspace.history(run.info.run_id, "val/loss")


def test_plots_for_eye_and_mouse(swept):
    names = {"history", "importances", "slice", "contour", "parallel_coordinates"}
    found = swept.workspace.artifacts(swept.parent.info.run_id, "plots")
    assert found == {f"{name}.{kind}" for name in names for kind in ("html", "png")}
    page = swept.workspace.artifact(swept.parent.info.run_id, "plots/history.html").read_text()
    assert "plotly.js v" in page
    assert '<script src="http' not in page


def test_the_best_configuration_runs_unchanged(swept):
    path = swept.workspace.artifact(swept.parent.info.run_id, "best.yaml")
    config = yaml.safe_load(path.read_text())
    best = swept.study.best_trial
    assert config["model"]["init_args"]["latent_dim"] == best.params["model.latent_dim"]
    assert config["trainer"]["enable_checkpointing"] is None
    assert config["trainer"]["enable_progress_bar"] is None
    outcome = swept.workspace("fit", "-c", path)
    assert outcome.code == 0, outcome.err
    run = swept.workspace.run()
    assert run.data.metrics["val/loss"] == pytest.approx(swept.children[best.number].data.metrics["val/loss"])
    assert "test/mse" in run.data.metrics
    swept.workspace.client.delete_run(run.info.run_id)


def test_the_best_model_is_registered(swept):
    version = swept.workspace.client.get_model_version_by_alias("small", "best")
    assert version.run_id == swept.children[swept.study.best_trial.number].info.run_id
    assert [found.version for found in swept.workspace.client.search_model_versions("name='small'")] == [
        version.version
    ]


def test_what_it_says(swept):
    lines = swept.outcome.err.splitlines()
    assert [line.split("  ")[:2] for line in lines if line.startswith("trial ")] == [
        [f"trial {number}", "complete"] for number in range(3)
    ]
    best = swept.study.best_trial
    assert f"study small: 3 complete; best val/mse {best.value:.4g} (trial {best.number}: " in swept.outcome.out
    assert swept.outcome.out.rstrip().endswith("the first result")


def test_a_night_that_finds_nothing_says_so(swept):
    assert swept.again.code == 3
    assert swept.again.out.rstrip().endswith("no improvement on earlier nights")
    noted = [metric.step for metric in swept.workspace.history(swept.parent.info.run_id, "best/val/mse")]
    assert len(noted) == len(set(noted)), "each best is noted once, over all nights"
    assert len(swept.study.trials) == 3


def test_the_newest_of_a_studys_bests_is_the_best_though_trials_end_out_of_order(workspace, write_study):
    """MLflow shows the value of the largest step."""
    file = read_study(write_study(workspace.folder))
    run = open_study_run(workspace.uri, "sweeps", "small", None)
    study = optuna.create_study()
    first, second = study.ask(), study.ask()
    publisher = Publisher(study, file, run)
    for trial, value in ((second, 0.5), (first, 0.4)):
        study.tell(trial, value)
        publisher.after_trial()
    assert workspace.client.get_run(run.run_id).data.metrics["best/val/mse"] == study.best_value == 0.4
    assert [metric.step for metric in workspace.history(run.run_id, "best/val/mse")] == [0, 1]


@pytest.mark.slow
def test_what_is_published_was_trained_though_the_study_was_edited_since(sweep, study_of, workspace, quick):
    rate = {"model.optimizer.lr": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}}
    assert sweep(trials=1).code == 0
    outcome = sweep(trials=1, space=rate, settings={**quick, "trainer.max_epochs": 2})
    assert outcome.code == 3, outcome.err
    parent = next(run for run in workspace.runs() if PARENT not in run.data.tags)
    config = yaml.safe_load(workspace.artifact(parent.info.run_id, "best.yaml").read_text())
    assert config["trainer"]["max_epochs"] == 1
    assert config["model"]["init_args"]["latent_dim"] == study_of().trials[0].params["model.latent_dim"]
    outcome = sweep(trials=2, space={"model.optimizer.lr": {"type": "categorical", "choices": [1e-3]}})
    assert outcome.code == 2
    assert "space.model.optimizer.lr: earlier trials of the study" in outcome.err


GRID = {"class_path": "GridSampler", "init_args": {"search_space": {"model.latent_dim": [2, 3]}}}


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [GRID, "BruteForceSampler"])
def test_a_sampler_that_has_tried_everything_ends_the_study(sweep, study_of, workspace, sampler):
    changes = {"sampler": sampler, "space": {"model.latent_dim": {"type": "int", "low": 2, "high": 3}}, "trials": None}
    outcome = sweep("--timeout", "100s", **changes)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("study small: 2 complete, nothing left to try; best val/mse")
    again = sweep("--timeout", "100s", **changes)
    assert again.code == 3, again.err
    assert [trial.state for trial in study_of().trials] == [TrialState.COMPLETE] * 2
    assert {run.info.status for run in workspace.runs()} == {"FINISHED"}


def test_a_sampler_within_another_is_seeded_by_the_trial(tmp_path, write_study):
    space = {"type": "float", "low": 0, "high": 1}
    fixed = {
        "class_path": "PartialFixedSampler",
        "init_args": {"fixed_params": {"y": 0.5}, "base_sampler": "TPESampler"},
    }

    def chosen(sampler):
        file = read_study(write_study(tmp_path, sampler=sampler, space={"x": space, "y": space}))
        study = optuna.create_study()
        return [suggest(file.space, claim(study, file)) for _ in range(3)]

    assert [values["y"] for values in chosen(fixed)] == [0.5] * 3
    assert [values["x"] for values in chosen(fixed)] == [values["x"] for values in chosen("TPESampler")]


@pytest.mark.slow
def test_more_trials_on_the_next_night_go_on_counting(sweep, study_of):
    assert sweep(trials=1).code == 0
    outcome = sweep("--trials", "3", trials=1)
    assert outcome.code in (0, 3)
    study = study_of()
    assert [trial.number for trial in study.trials] == [0, 1, 2]
    improved = study.best_trial.number > 0
    assert outcome.code == (0 if improved else 3)
    assert ("; improved on earlier nights" in outcome.out) == improved


def front_of(workspace, parent):
    listed = yaml.safe_load(workspace.artifact(parent.info.run_id, "pareto_front.yaml").read_text())
    return [entry["trial"] for entry in listed]


@pytest.mark.slow
@pytest.mark.slow
def test_a_run_that_is_given_is_the_studys_and_no_trials(sweep, workspace, monkeypatch):
    experiment_id = workspace.client.create_experiment("theirs")
    given = workspace.client.create_run(experiment_id).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", experiment_id)
    outcome = sweep(trials=2)
    assert outcome.code == 0, outcome.err
    runs = {run.info.run_id: run for run in workspace.runs()}
    assert runs.pop(given).info.status == "FINISHED"
    assert len(runs) == 2
    for run in runs.values():
        assert run.data.tags[PARENT] == given
        assert run.info.experiment_id == experiment_id


@pytest.mark.slow
def test_what_has_left_the_pareto_front_is_said_to_be_on_it_no_more(sweep, study_of, workspace):
    space = {"model.optimizer.lr": {"type": "categorical", "choices": [1e-5, 1e-2]}}
    objectives = {"val/mse": "minimize", "num_parameters": "minimize"}
    first = [{"model.optimizer.lr": 1e-5}]
    for number in (0, 1):
        assert sweep(space=space, objectives=objectives, first=first, trials=number + 1).code == 0
        parent = next(run for run in workspace.runs() if PARENT not in run.data.tags)
        assert front_of(workspace, parent) == [number]
        study_of().enqueue_trial({"model.optimizer.lr": 1e-2})


@pytest.mark.slow
def test_several_objectives_and_conditions(sweep, study_of, workspace, quick):
    settings = {key: value for key, value in quick.items() if key != "model"}
    space = {
        "model": {"type": "categorical", "choices": ["VAE", "VanillaAE"]},
        "model.beta": {"type": "float", "low": 0.1, "high": 1, "when": {"model": ["VAE"]}},
        "model.latent_dim": {"type": "int", "low": 2, "high": 4},
    }
    first = [{"model": "VanillaAE"}, {"model": "VAE"}]
    objectives = {"val/mse": "minimize", "latent_dim": "minimize"}
    outcome = sweep(
        settings=settings, space=space, first=first, objectives=objectives, constraints={"num_parameters": {"min": 1}}
    )
    assert outcome.code == 0, outcome.err
    study = study_of()
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
    assert "model.beta" not in study.trials[0].params
    assert "model.beta" in study.trials[1].params
    for trial in study.trials:
        assert trial.values[1] == trial.params["model.latent_dim"]
        assert trial.constraints["num_parameters"] == 1 - trial.user_attrs["num_parameters"]
    parent = next(run for run in workspace.runs() if PARENT not in run.data.tags)
    front = {f"trial_{trial.number:04}.yaml" for trial in study.best_trials}
    assert workspace.artifacts(parent.info.run_id, "pareto_front") == front
    assert front_of(workspace, parent) == [trial.number for trial in study.best_trials]
    assert "best.yaml" not in workspace.artifacts(parent.info.run_id)
    assert workspace.client.search_registered_models() == []
    assert {"pareto_front.html", "pareto_front.png"} <= workspace.artifacts(parent.info.run_id, "plots")
    assert "on the Pareto front" in outcome.out


@pytest.mark.slow
def test_a_trial_of_several_seeds_has_their_mean(sweep, study_of, workspace):
    assert sweep(trials=1, seeds=2).code == 0
    runs = [run for run in workspace.runs() if PARENT in run.data.tags]
    assert {run.data.params["seed_everything"] for run in runs} == {"0", "1"}
    values = [run.data.metrics["val/mse"] for run in runs]
    assert values[0] != values[1]
    assert study_of().trials[0].value == pytest.approx(sum(values) / 2)


@pytest.mark.slow
def test_a_constraint_decides_over_the_objective_and_stays_what_it_was(sweep, study_of):
    space = {"model.latent_dim": {"type": "categorical", "choices": [2, 16]}}
    first = [{"model.latent_dim": 16}, {"model.latent_dim": 2}]
    outcome = sweep(space=space, first=first, trials=2, constraints={"latent_dim": {"max": 8}})
    again = sweep(space=space, first=first, trials=3, constraints={"latent_dim": {"max": 1}})
    study = study_of()
    assert study.trials[0].value < study.trials[1].value
    assert "(trial 1: latent_dim 2)" in outcome.out
    assert again.code == 2
    assert "ae_lightning: error: constraints.latent_dim: earlier trials of the study" in again.err
    assert len(study.trials) == 2


OWN_DATA = """
from pathlib import Path
from lightning.pytorch.callbacks import Callback
from ae_lightning.data import DataModule

class Measured(DataModule):
    def __init__(self, seed: int = 0):
        super().__init__(name="digits", seed=seed)
        self.save_hyperparameters(logger=False)

    def read(self):
        open("measured.csv").close()
        return super().read()

class Removing(Callback):
    def on_fit_end(self, trainer, pl_module):
        Path("measured.csv").unlink()
"""


@pytest.mark.slow
def test_data_that_went_away_are_not_taken_for_mlflow(sweep, workspace, quick):
    (workspace.folder / "own_leaving_data.py").write_text(OWN_DATA)
    (workspace.folder / "measured.csv").touch()
    own = {"data": "own_leaving_data.Measured", "trainer.callbacks": "own_leaving_data.Removing"}
    with pytest.warns(UserWarning, match=r"the best model is not registered: .*measured\.csv"):
        outcome = sweep(trials=1, settings={**quick, **own})
    assert outcome.code == 0, outcome.err
