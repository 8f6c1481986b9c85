"""Several workers on one PostgreSQL: killed, cut off from the database, and interrupted."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy.pool import NullPool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


def postgresql_folder():
    """The folder of PostgreSQL's programs; Debian keeps them off the path."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


class Database:
    """A PostgreSQL server of the test's own, which no unprivileged user but its own can reach."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        # The server refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(folder, self._user)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self._port = unused.getsockname()[1]
        self._run("initdb", "-D", "data", "-U", "tester", "--auth=trust", "--no-sync")
        self.url = f"postgresql+psycopg://tester@127.0.0.1:{self._port}/postgres"

    def start(self):
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self):
        self._run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")

    def _run(self, program, *arguments):
        command = [str(self._programs / program), *arguments]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=True, cwd=self._folder, user=self._user, **streams)


@pytest.fixture
def database():
    programs = postgresql_folder()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    server = Database(programs, folder)
    server.start()
    yield server
    with suppress(subprocess.CalledProcessError):
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start(workspace, write_study, database, program_environment, quick):
    """Start a sweep by several workers as a program of its own."""
    started = []

    def run(num_workers, **changes):
        settings = {**quick, "trainer.max_epochs": 2, **changes.pop("settings", {})}
        pruner = {"class_path": "MedianPruner", "init_args": {"n_startup_trials": 4}}
        path = write_study(
            workspace.folder,
            settings=settings,
            objectives={"val/loss": "minimize"},
            pruner=pruner,
            storage=database.url,
            patience=60,
            plot_every=1000,
            **changes,
        )
        command = [sys.executable, "-m", "ae_lightning", "sweep", "-c", str(path), "--workers", str(num_workers)]
        log = (workspace.folder / "log").open("w")
        started.append(subprocess.Popen(command, cwd=workspace.folder, stderr=log, env=program_environment))
        return started[-1]

    yield run
    for process in started:
        for child in children(process):
            child.kill()
        if process.poll() is None:
            process.kill()


def children(process):
    """The workers that live; one that was just killed may still be in the list of processes."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.NoSuchProcess):
                found += [child] if child.cmdline()[-1:] == ["sweep"] else []
    return found


def load(database):
    """Read the study as it stands; no connection is left open, however often it is read."""
    storage = RDBStorage(database.url, engine_kwargs={"poolclass": NullPool})
    return optuna.load_study(study_name="small", storage=storage)


def wait_for(condition, process, seconds=400):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the sweep ended too early"
        assert time.monotonic() < end
        time.sleep(0.5)


def num_finished(database):
    with suppress(KeyError):
        return sum(trial.state in FINISHED for trial in load(database).trials)
    return 0


def kill_one(process, database):
    """Kill -9 the worker of some running trial, in the middle of it, that has finished another."""

    def owners():
        owned = {state: set() for state in TrialState}
        for trial in load(database).trials:
            if "worker" in trial.user_attrs:
                owned[trial.state].add(int(trial.user_attrs["worker"].split(":")[1]))
        finished = set.union(*(owned[state] for state in FINISHED))
        return sorted(owned[TrialState.RUNNING] & finished & {child.pid for child in children(process)})

    def killed():
        for pid in owners():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.5)
            # It may have ended its trial before it was stopped: to kill it then would lose no trial.
            if pid in owners():
                os.kill(pid, signal.SIGKILL)
                return True
            os.kill(pid, signal.SIGCONT)
        return False

    wait_for(killed, process)


def assert_shared_out(study, num_trials):
    trials = [trial for trial in study.trials if trial.state in FINISHED]
    assert len(trials) == num_trials
    assert max(Counter(str(sorted(trial.params.items())) for trial in trials).values()) == 1
    assert {trial.state for trial in study.trials} <= {*FINISHED, TrialState.FAIL}


def test_four_workers_share_a_study_though_two_are_killed_and_the_database_is_away(start, database, workspace):
    process = start(4, trials=60)
    wait_for(lambda: num_finished(database) >= 8, process)
    kill_one(process, database)
    wait_for(lambda: num_finished(database) >= 16, process)
    kill_one(process, database)
    wait_for(lambda: num_finished(database) >= 24, process)
    database.stop()
    time.sleep(30)
    database.start()
    assert process.wait(600) == 0, (workspace.folder / "log").read_text()
    study = load(database)
    assert_shared_out(study, 60)
    lost = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    retried = [trial for trial in study.trials if "failed_trial" in trial.system_attrs]
    assert len(lost) >= 2
    assert {trial.system_attrs["failed_trial"] for trial in retried} <= {trial.number for trial in lost}
    workers = {trial.user_attrs["worker"] for trial in study.trials if trial.state in FINISHED}
    assert len(workers) == 4
    assert "RUNNING" not in {run.info.status for run in workspace.runs()}


def test_ctrl_c_ends_every_worker_and_leaves_no_trial_running(start, database):
    process = start(2, trials=None, timeout="1h", settings={"trainer.max_epochs": 100_000})
    wait_for(lambda: num_running(database) == 2, process)
    workers = children(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    assert not any(worker.is_running() for worker in workers)
    assert {trial.state for trial in load(database).trials} == {TrialState.WAITING}


def num_running(database):
    with suppress(KeyError):
        trials = load(database).trials
        return sum(trial.state == TrialState.RUNNING and bool(trial.intermediate_values) for trial in trials)
    return 0
