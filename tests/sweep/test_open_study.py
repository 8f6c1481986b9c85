"""A new study that several machines begin at the same moment."""

from __future__ import annotations

from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState

from ae_lightning.errors import ConfigError
from ae_lightning.sweep import open_study as open_study_module
from ae_lightning.sweep.checking import Surroundings
from ae_lightning.sweep.open_study import PARENT_RUN, _lost, agree_on_constraints, open_run, open_study, queue_first
from ae_lightning.sweep.study_file import read_study
from ae_lightning.sweep.trial_queue import RUN_ID
from mlflow_servers import serving

pytestmark = pytest.mark.filterwarnings("ignore:.*is experimental")

FIRST = {"model.latent_dim": 3, "model.optimizer.lr": 1e-3}


@pytest.fixture
def file(workspace, write_study):
    return read_study(write_study(workspace.folder, first=[FIRST]))


@pytest.fixture
def begun_elsewhere(file):
    """The study as another machine has it: created, and nothing noted yet."""
    return optuna.create_study(storage=file.storage, study_name=file.name)


def test_the_first_trials_are_queued_once(file, begun_elsewhere):
    begun_elsewhere.enqueue_trial(FIRST)
    trials = open_study(file).trials
    assert [(trial.state, trial.system_attrs["fixed_params"]) for trial in trials] == [(TrialState.WAITING, FIRST)]


def test_first_trials_that_are_added_later_are_queued_where_the_study_has_room(workspace, write_study):
    second, third = {"model.latent_dim": 5}, {"model.latent_dim": 7}

    def night(trials, *first):
        file = read_study(write_study(workspace.folder, first=list(first), trials=trials))
        study = open_study(file)
        queue_first(study, file)
        return [trial.system_attrs.get("fixed_params") for trial in study.trials]

    assert night(3, FIRST) == [FIRST]
    assert night(2, third, FIRST, second) == [FIRST, third]
    assert night(2, third, FIRST, second) == [FIRST, third]
    assert night(9, third, FIRST, second) == [FIRST, third, second]


def test_other_objectives_that_were_noted_meanwhile_are_seen(file, begun_elsewhere, monkeypatch):
    original = optuna.Study.set_user_attr

    def overtaken(study, key, value):
        original(study, key, value)
        original(study, key, ["val/loss"])

    monkeypatch.setattr(optuna.Study, "set_user_attr", overtaken)
    with pytest.raises(ConfigError, match="other objectives"):
        open_study(file)


CONSTRAINTS = {"latent_dim": {"max": 8}, "val/mse": {"min": 0.1, "max": 1}}


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"latent_dim": {"max": 4}}, "latent_dim"),
        ({"latent_dim": {"min": 8}}, "latent_dim"),
        ({"val/mse": {"max": 1}}, "val/mse"),
        ({"val/loss": {"max": 1}}, "val/loss"),
        ({"latent_dim": None}, "latent_dim"),
    ],
)
def test_constraints_stay_what_trials_were_judged_by(workspace, write_study, changes, changed):
    def described(constraints):
        kept = {name: limit for name, limit in constraints.items() if limit is not None}
        return read_study(write_study(workspace.folder, constraints=kept))

    file, edited = described(CONSTRAINTS), described({**CONSTRAINTS, **changes})
    study = open_study(file)
    for possible in (edited, file):
        agree_on_constraints(study, possible)
    study.tell(study.ask(), 0.5)
    agree_on_constraints(open_study(file), file)
    with pytest.raises(ConfigError, match=rf"^constraints\.{changed}: earlier trials .* another name$"):
        agree_on_constraints(open_study(edited), edited)


@pytest.fixture
def surroundings(workspace):
    return Surroundings(workspace.uri, "digits", 0, 1, str(workspace.folder / "spool"))


def test_the_machines_share_one_run(file, workspace, surroundings, monkeypatch):
    study = open_study(file)
    original = open_study_module.open_study_run
    opened = []

    def overtaken(*arguments):
        run = original(*arguments)
        opened.append(run.run_id)
        if len(opened) == 1:
            other = original(*arguments)
            study.set_user_attr(PARENT_RUN, [workspace.uri, other.run_id, other.experiment_id])
        return run

    monkeypatch.setattr(open_study_module, "open_study_run", overtaken)
    run = open_run(study, file, surroundings)
    assert run.run_id == study.user_attrs[PARENT_RUN][1] != opened[0]
    statuses = {run.info.run_id: run.info.status for run in workspace.runs()}
    assert statuses == {opened[0]: "KILLED", run.run_id: "RUNNING"}


def test_a_study_does_not_choose_who_gets_the_token(file, surroundings, workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    study = open_study(file)
    study.set_user_attr(PARENT_RUN, ["HTTP://127.0.0.1:9", "0" * 32, "1"])
    trial = study.ask()
    trial.set_user_attr(RUN_ID, ["1" * 32])
    with pytest.warns(UserWarning, match="stays open: the token or password that is set for MLflow"):
        _lost(surroundings, study, study.trials[trial.number])
    assert not (workspace.folder / "spool").exists(), "a later sync would show the token to whom it is for"


@pytest.fixture
def server(tmp_path, empty_store):
    yield from serving(tmp_path, empty_store)


@pytest.mark.slow
def test_a_study_keeps_no_password_and_goes_on_with_its_run_by_another(file, server, surroundings):
    study = open_study(file)
    opened = []
    for password in ("old", "new"):
        uri = server.uri.replace("//", f"//somebody:{password}@")
        opened.append(open_run(study, file, replace(surroundings, tracking_uri=uri)))
        assert study.user_attrs[PARENT_RUN][0] == server.uri
    assert opened[0].run_id == opened[1].run_id


def test_a_lost_trial_is_tried_again_and_its_mark_waits_while_mlflow_is_away(begun_elsewhere, workspace, surroundings):
    begun_elsewhere.set_user_attr(PARENT_RUN, ["http://127.0.0.1:9", "0" * 32, "1"])
    trial = begun_elsewhere.ask()
    trial.set_user_attr(RUN_ID, ["1" * 32])
    lost = begun_elsewhere.tell(trial, state=TrialState.FAIL)
    with pytest.warns(UserWarning, match=r"127\.0\.0\.1:9"):
        _lost(surroundings, begun_elsewhere, lost)
    assert [trial.state for trial in begun_elsewhere.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert any((workspace.folder / "spool").rglob("*"))
