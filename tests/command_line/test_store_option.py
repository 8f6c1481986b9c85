"""A store that is none of the defaults: found again wherever it was named."""

from __future__ import annotations

import os
import shlex
import shutil

import pytest
import torch
import yaml
from mlflow.tracking import MlflowClient

from ae_lightning.command_line.report import resume_hint
from ae_lightning.command_line.store_option import named_store, store_in, tracker_in
from ae_lightning.errors import ConfigError
from ae_lightning.versions import STATE_KEY
from quick_options import JUDGED_QUICKLY

pytestmark = pytest.mark.slow

URI = "sqlite:///elsewhere/mlflow.db"
TRACKED = (
    f"trainer: {{logger: {{class_path: ae_lightning.tracking.MLflowTracker, init_args: {{tracking_uri: {URI}}}}}}}"
)


@pytest.fixture
def named_in_a_file(bare_workspace, empty_store):
    """A working directory after a `fit` whose store a configuration file names."""
    (bare_workspace.folder / "elsewhere").mkdir()
    shutil.copy(empty_store, bare_workspace.folder / "elsewhere")
    (bare_workspace.folder / "mine.yaml").write_text(TRACKED)
    outcome = bare_workspace.fit("-c", "mine.yaml")
    assert outcome.code == 0, outcome.err
    return bare_workspace


def the_only_run(workspace):
    """The run in that store; there is no other store."""
    assert not (workspace.folder / "mlflow.db").exists()
    client = MlflowClient(f"sqlite:///{workspace.folder}/elsewhere/mlflow.db")
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    return run


def checkpoint_of(workspace, run):
    return workspace.folder / "checkpoints" / run.info.run_id / "best.ckpt"


def test_a_run_is_gone_on_with_in_the_store_of_a_file(named_in_a_file):
    run = the_only_run(named_in_a_file)
    outcome = named_in_a_file("fit", "-c", "mine.yaml", "--resume", run.info.run_id, "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    assert the_only_run(named_in_a_file).data.tags["resumed.trainer.max_epochs"] == "2"


def test_the_hint_leads_to_the_run(named_in_a_file):
    run = the_only_run(named_in_a_file)
    hint = shlex.split(resume_hint(URI, run.info.run_id))
    outcome = named_in_a_file(*hint, "--trainer.max_epochs", "2")
    assert outcome.code == 0, outcome.err
    assert the_only_run(named_in_a_file).data.tags["resumed.trainer.max_epochs"] == "2"


def test_a_checkpoint_alone_leads_to_the_store_of_its_run(named_in_a_file):
    run = the_only_run(named_in_a_file)
    outcome = named_in_a_file("test", "--ckpt_path", checkpoint_of(named_in_a_file, run), *JUDGED_QUICKLY)
    assert outcome.code == 0, outcome.err
    assert the_only_run(named_in_a_file).info.run_id == run.info.run_id


def test_an_option_beats_the_store_of_a_checkpoint(named_in_a_file, empty_store):
    run = the_only_run(named_in_a_file)
    shutil.copy(empty_store, named_in_a_file.folder)
    with pytest.warns(UserWarning, match="has no run"):
        outcome = named_in_a_file(
            *("test", "--ckpt_path", checkpoint_of(named_in_a_file, run), *JUDGED_QUICKLY),
            *("--trainer.logger.tracking_uri", "sqlite:///mlflow.db"),
        )
    assert outcome.code == 0, outcome.err
    assert len(named_in_a_file.runs()) == 1


SERVER = "http://127.0.0.1:9"
"""Nothing listens there."""

JUDGING = ("test", "--ckpt_path", "foreign.ckpt", *JUDGED_QUICKLY)


@pytest.fixture
def foreign(trained, bare_workspace, monkeypatch):
    """A working directory with a checkpoint that names a server, and a machine that holds a token for another."""
    state = torch.load(checkpoint_of(trained, trained.run()), weights_only=True)
    tracker_in(state[STATE_KEY]["config"]["trainer"]["logger"])["init_args"]["tracking_uri"] = SERVER
    torch.save(state, bare_workspace.folder / "foreign.ckpt")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    return bare_workspace


@pytest.mark.parametrize("command", ["test", "validate", "predict", "fit"])
def test_a_checkpoint_does_not_choose_who_gets_the_token(foreign, command):
    outcome = foreign(command, "--ckpt_path", "foreign.ckpt")
    assert outcome.code == 2
    (said,) = outcome.err.splitlines()
    assert f"foreign.ckpt: names the MLflow store {SERVER}, which would get the token" in said
    assert f"--trainer.logger.tracking_uri {SERVER} if it may" in said


@pytest.mark.parametrize("spelling", ["HTTP://127.0.0.1:9", " http://127.0.0.1:9", "ht\ttp://127.0.0.1:9/"])
def test_however_it_is_spelt(foreign, spelling):
    state = torch.load(foreign.folder / "foreign.ckpt", weights_only=True)
    tracker_in(state[STATE_KEY]["config"]["trainer"]["logger"])["init_args"]["tracking_uri"] = spelling
    torch.save(state, foreign.folder / "foreign.ckpt")
    outcome = foreign(*JUDGING)
    assert outcome.code == 2
    assert "which would get the token" in outcome.err


def test_another_logger_of_a_checkpoint_gets_no_token_either(foreign):
    state = torch.load(foreign.folder / "foreign.ckpt", weights_only=True)
    trainer = state[STATE_KEY]["config"]["trainer"]
    own = {"class_path": "ae_lightning.tracking.MLflowTracker", "init_args": {"tracking_uri": None}}
    trainer["logger"] = [own, trainer["logger"]]
    torch.save(state, foreign.folder / "foreign.ckpt")
    outcome = foreign("fit", "--ckpt_path", "foreign.ckpt")
    assert outcome.code == 2
    assert f"names the MLflow store {SERVER}, which would get the token" in outcome.err


def test_a_logger_without_a_store_does_not_let_a_checkpoint_choose_one(foreign):
    outcome = foreign("test", "--ckpt_path", "foreign.ckpt", "--trainer.logger", "MLflowTracker", "--print_config")
    assert outcome.code == 0, outcome.err
    assert store_in(yaml.safe_load(outcome.out)) is None


@pytest.mark.parametrize("named", ["option", "file", "environment"])
def test_who_names_the_server_of_a_checkpoint_means_it(foreign, monkeypatch, named):
    arguments = []
    if named == "option":
        arguments = ["--trainer.logger.tracking_uri", SERVER]
    elif named == "file":
        (foreign.folder / "server.yaml").write_text(TRACKED.replace(URI, SERVER))
        arguments = ["-c", "server.yaml"]
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{SERVER}/")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    outcome = foreign(*JUDGING, *arguments)
    assert outcome.code != 0
    assert f"MLflow at '{SERVER}" in outcome.err, outcome.err


@pytest.mark.parametrize("away", ["token", "logger"])
def test_without_a_token_or_a_logger_nobody_gets_one(foreign, monkeypatch, away):
    if away == "logger":
        outcome = foreign(*JUDGING, "--trainer.logger", "false")
        assert outcome.code == 0, outcome.err
        return
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert f"MLflow at '{SERVER}'" in foreign(*JUDGING).err


@pytest.mark.parametrize("command", ["test", "fit"])
def test_the_environment_knows_the_password_of_the_store_of_a_checkpoint(foreign, monkeypatch, command):
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN")
    arguments = (command, "--ckpt_path", "foreign.ckpt", "--print_config")
    assert store_in(yaml.safe_load(foreign(*arguments).out)) == SERVER
    monkeypatch.setenv("MLFLOW_TRACKING_URI", SERVER.replace("//", "//me:hunter2@"))
    assert store_in(yaml.safe_load(foreign(*arguments).out)) is None


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"trainer: {{logger: {{init_args: {{tracking_uri: {name}}}}}}}")
    (tmp_path / "none.yaml").write_text("trainer: {logger: {init_args: {tracking_uri: null}}}")
    (tmp_path / "other.yaml").write_text("trainer: {logger: [{init_args: {tracking_uri: c}}], max_epochs: 3}")
    (tmp_path / "empty.yaml").touch()
    tracker = "{class_path: ae_lightning.tracking.MLflowTracker, init_args: {tracking_uri: d}}"
    (tmp_path / "several.yaml").write_text(f"trainer: {{logger: [{{class_path: CSVLogger}}, {tracker}]}}")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "store"),
    [
        ("fit", None),
        ("fit -c a.yaml", "a"),
        ("fit --config=a.yaml --config b.yaml -c other.yaml -c empty.yaml", "b"),
        ("fit -c a.yaml -c none.yaml", None),
        ("fit -c a.yaml -c several.yaml", "d"),
        ("fit -c a.yaml --trainer.logger.tracking_uri c", "c"),
        ("fit --trainer.logger.init_args.tracking_uri=c -c a.yaml", "a"),
        ("fit -c", None),
        ("fit -c /dev/null", None),
    ],
)
def test_what_comes_last_counts(files, arguments, store):
    assert named_store(arguments.split()) == store


def test_a_pipe_of_a_shell_is_left_to_the_parser():
    """It can be read once."""
    reading, writing = os.pipe()
    os.write(writing, TRACKED.encode())
    os.close(writing)
    assert named_store(["fit", "-c", f"/dev/fd/{reading}"]) is None
    with os.fdopen(reading) as pipe:
        assert pipe.read() == TRACKED


@pytest.mark.parametrize(("name", "content"), [("absent.yaml", None), ("half.yaml", "a: ["), ("no_text.yaml", b"\xff")])
def test_a_file_that_cannot_be_read_is_named(files, name, content):
    if content is not None:
        (files / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=f"-c: {name} cannot be read"):
        named_store(["fit", "-c", name])


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("sqlite:///mlflow.db", "fit --resume 0123"),
        ("sqlite:///my runs.db", "fit --resume 0123 --trainer.logger.tracking_uri 'sqlite:///my runs.db'"),
        ("http://me:secret@host:5000", "fit --resume 0123 --trainer.logger.tracking_uri http://host:5000"),
    ],
)
def test_the_hint_names_a_store_that_is_not_the_default_and_no_password(monkeypatch, uri, hint):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert resume_hint(uri, "0123") == hint


def test_the_environments_store_needs_no_option(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert resume_hint("http://host:5000", "0123") == "fit --resume 0123"
    assert resume_hint("sqlite:///mlflow.db", "0123").endswith("--trainer.logger.tracking_uri sqlite:///mlflow.db")
