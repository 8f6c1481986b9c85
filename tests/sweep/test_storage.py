"""A storage that is waited for, and what it costs when it does not come back."""

from __future__ import annotations

import sqlite3
import threading
import time
import warnings
from contextlib import closing
from types import SimpleNamespace

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import fail_stale_trials
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError, OperationalError

from ae_lightning.errors import ConfigError
from ae_lightning.sweep.storage import PatientStorage, is_sqlite, lock_path, open_storage, retried, retry_once
from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.trial_queue import claim, counts, is_wanted, num_done, put_back

pytestmark = pytest.mark.filterwarnings("ignore:.*is experimental")

GONE = OperationalError("SELECT 1", {}, Exception("server closed the connection"))


def failing(times, error=GONE):
    """A call that fails so many times, and counts."""
    calls = []

    def call():
        calls.append(time.monotonic())
        if len(calls) <= times:
            raise error
        return len(calls)

    return call


def internal(cause):
    error = StorageInternalError("as Optuna wraps it")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize("error", [GONE, internal(GONE)])
def test_an_outage_is_waited_for(error):
    assert retried(failing(2, error), time.monotonic() + 10) == 3


def test_patience_ends(monkeypatch):
    pauses = []
    clock = SimpleNamespace(monotonic=lambda: sum(pauses), sleep=pauses.append)
    monkeypatch.setattr("ae_lightning.sweep.storage.time", clock)
    with pytest.raises(OperationalError):
        retried(failing(99), 0.8)
    assert pauses == [0.25, 0.5]


@pytest.mark.parametrize("cause", [IntegrityError("INSERT", {}, Exception()), None])
def test_what_is_no_outage_is_not_tried_again(cause):
    if cause is None:
        with pytest.raises(KeyError):
            retried(failing(1, KeyError("study")), time.monotonic() + 10)
        return
    with pytest.raises(StorageInternalError):
        retried(failing(1, internal(cause)), time.monotonic() + 10)


def study_file(trials):
    space = {"x": {"type": "float", "low": 0, "high": 1}}
    return StudyFile(name="some", space=space, objectives={"val/mse": "minimize"}, trials=trials)


def heart_study(tmp_path, patience=8):
    """A study whose storage has heartbeats, every second for a patience of 8 seconds, and 12 seconds of grace."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        url = f"sqlite:///{tmp_path / 'hearts.db'}"
        storage = open_storage(url, patience, is_shared=True, on_lost_trial=retry_once)
        return optuna.create_study(storage=storage, study_name="hearts")


def test_every_call_to_the_database_is_patient():
    """Those too that Optuna calls past the public ones."""
    reaching = {
        name
        for name, method in vars(optuna.storages.RDBStorage).items()
        if "_create_scoped_session" in getattr(getattr(method, "__code__", None), "co_names", ())
    }
    assert reaching <= vars(PatientStorage).keys()


def test_a_change_whose_answer_was_lost_is_not_refused(tmp_path, monkeypatch):
    study = heart_study(tmp_path)
    trial = study.ask()
    storage = study._storage._backend
    original = optuna.storages.RDBStorage.set_trial_state_values
    calls = []

    def answer_lost(self, *arguments):
        done = original(self, *arguments)
        calls.append(arguments)
        if len(calls) == 1:
            raise GONE
        return done

    monkeypatch.setattr(optuna.storages.RDBStorage, "set_trial_state_values", answer_lost)
    assert storage.set_trial_state_values(trial._trial_id, TrialState.COMPLETE, [1.0])
    assert study.trials[0].value == 1.0


@pytest.mark.slow
def test_a_heartbeat_survives_an_outage(tmp_path, monkeypatch):
    """Also one that is longer than a call is repeated for: Optuna's thread, which makes the calls, goes on."""
    study = heart_study(tmp_path, patience=8)
    study._storage._backend._patience = 0.5
    trial_id = claim(study, study_file(9))._trial_id
    calls, is_back = [], threading.Event()

    def record(self, trial_id):
        calls.append(trial_id)
        # In so short a patience, a beat is two calls at most.
        if 1 < len(calls) <= 4:
            raise internal(GONE)
        if len(calls) > 4:
            is_back.set()

    monkeypatch.setattr(optuna.storages.RDBStorage, "record_heartbeat", record)
    with get_heartbeat_thread(trial_id, study._storage):
        assert is_back.wait(60)


def age_heartbeats(tmp_path):
    """Let two minutes pass, twice what is given to a worker of these studies."""
    with closing(sqlite3.connect(tmp_path / "hearts.db")) as database, database:
        database.execute("UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, '-120 seconds')")


def test_a_lost_trial_is_tried_again_once(tmp_path):
    """It has a heartbeat from the moment it runs, though its worker dies before the first of its own."""
    study = heart_study(tmp_path, patience=40)
    trial = claim(study, study_file(1))
    trial.suggest_float("x", 0, 1)
    age_heartbeats(tmp_path)
    fail_stale_trials(study)
    assert [found.state for found in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert [counts(found) for found in study.trials] == [False, True]
    again = claim(study, study_file(1))
    assert again.suggest_float("x", 0, 1) == trial.params["x"]
    assert not is_wanted(study.trials, 1)
    age_heartbeats(tmp_path)
    fail_stale_trials(study)
    assert [found.state for found in study.trials] == [TrialState.FAIL, TrialState.FAIL]
    assert num_done(study.trials) == 0
    assert claim(study, study_file(1)).number == 2


def test_a_trial_that_waited_is_not_lost_by_its_last_workers_heartbeat(tmp_path):
    study = heart_study(tmp_path, patience=40)
    put_back(study, claim(study, study_file(1))._trial_id)
    age_heartbeats(tmp_path)
    again = claim(study, study_file(1))
    fail_stale_trials(study)
    assert (again.number, study.trials[0].state) == (0, TrialState.RUNNING)


def test_a_trial_that_waits_is_begun_under_its_own_number():
    study = optuna.create_study()
    trial = claim(study, study_file(2))
    x = trial.suggest_float("x", 0, 1)
    put_back(study, trial._trial_id)
    again = claim(study, study_file(2))
    assert (again.number, again.suggest_float("x", 0, 1)) == (0, x)


def test_more_workers_than_trials_begin_no_more_than_wanted():
    """The third worker looked before the second began."""
    study = optuna.create_study()
    assert is_wanted(study.trials, 2)
    assert [claim(study, study_file(2)).number for _ in range(2)] == [0, 1]
    assert not is_wanted(study.trials, 2)
    assert claim(study, study_file(2)) is None
    assert study.trials[2].state == TrialState.FAIL
    assert not counts(study.trials[2])


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///nights/optuna.db", "nights/optuna.db.conv.lock"),
        ("postgresql+psycopg://user:secret@host:5433/optuna", "host.5433.optuna.conv.lock"),
        ("postgresql+psycopg:///a/b", "a_b.conv.lock"),
    ],
)
def test_a_lock_is_of_one_study_in_one_database(url, path):
    assert str(lock_path(url, "conv")) == path


@pytest.mark.parametrize(
    "url", ["sqlite:////no/such/folder/optuna.db", "postgresql+psycopg://nobody:secret@127.0.0.1:1/optuna"]
)
def test_a_storage_that_cannot_be_opened_is_said_in_one_line(url):
    with pytest.raises(ConfigError, match="cannot be used") as refusal:
        open_storage(url, 8, is_shared=False, on_lost_trial=retry_once)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("url", ["postgresql:u:secret@host/db", "postgresql://u:secret@host:54x2/db"])
def test_a_password_in_what_is_no_url_is_not_repeated(url):
    with pytest.raises(ConfigError, match=r"^storage: 'postgresql:\*\*\*@host.* is no URL of a database") as caught:
        is_sqlite(url)
    assert "secret" not in str(caught.value)
