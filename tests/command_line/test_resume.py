"""`fit --resume`."""

from __future__ import annotations

import shutil

import pytest

from ae_lightning.command_line.resume import split_resume

pytestmark = pytest.mark.slow

# Training stops for good only while the file is there: going on has the same configuration.
BREAKING = """
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Breaking(Callback):
    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1 and Path("break").exists():
            raise RuntimeError("broken on purpose")
"""

OPTIONS = ("--trainer.callbacks", "breaking.Breaking", "--trainer.max_epochs", "2")


@pytest.fixture
def broken(workspace):
    """A working directory whose only run failed in its second epoch."""
    (workspace.folder / "breaking.py").write_text(BREAKING)
    (workspace.folder / "break").touch()
    with pytest.raises(RuntimeError, match="on purpose"):
        workspace.fit(*OPTIONS)
    (workspace.folder / "break").unlink()
    return workspace


def steps(workspace, run_id):
    return [metric.step for metric in workspace.history(run_id, "val/loss")]


def test_a_failed_run_is_gone_on_with(broken):
    run_id = broken.run().info.run_id
    assert broken.run().info.status == "FAILED"
    assert steps(broken, run_id) == [10]
    outcome = broken.fit(*OPTIONS, "--resume")
    assert outcome.code == 0, outcome.err
    assert [run.info.run_id for run in broken.runs()] == [run_id]
    assert broken.run().info.status == "FINISHED"
    assert steps(broken, run_id) == [10, 21]
    assert "test/mse" in broken.run().data.metrics


def test_another_configuration_is_not_gone_on_with(broken):
    outcome = broken.fit(*OPTIONS, "--model.beta", "3", "--resume")
    assert outcome.code == 0
    assert "nothing to resume" in outcome.err
    assert len(broken.runs()) == 1
    assert broken.run().info.status == "FAILED"


def test_nothing_to_resume(workspace):
    assert workspace.fit().code == 0
    outcome = workspace.fit("--resume")
    assert outcome.code == 0
    assert "nothing to resume" in outcome.err
    assert len(workspace.runs()) == 1


def test_without_a_checkpoint_training_begins_again(broken):
    shutil.rmtree(broken.folder / "checkpoints")
    outcome = broken.fit(*OPTIONS, "--resume")
    assert outcome.code == 0, outcome.err
    assert "training from the start" in outcome.err
    assert [run.info.status for run in broken.runs()] == ["FINISHED", "FAILED"]


def test_a_run_by_its_id_goes_on_with_its_own_configuration(workspace):
    assert workspace.fit("--model.latent_dim", "3", "--data.num_val", "77").code == 0
    run_id = workspace.run().info.run_id
    outcome = workspace("fit", "--resume", run_id, "--trainer.max_epochs", "3")
    assert outcome.code == 0, outcome.err
    assert "77 val" in outcome.err
    assert [run.info.run_id for run in workspace.runs()] == [run_id]
    run = workspace.run()
    assert run.data.params["trainer.max_epochs"] == "1"
    assert run.data.tags["resumed.trainer.max_epochs"] == "3"
    assert len(steps(workspace, run_id)) == 3
    judged = workspace.history(run_id, "test/loss")
    assert [point.step for point in judged] == [0, 0]
    assert run.data.metrics["test/loss"] == max(judged, key=lambda point: point.timestamp).value
    assert judged[0].value != judged[1].value


def test_the_configuration_of_a_run_that_was_gone_on_with_begins_another(workspace):
    assert workspace.fit("--trainer.max_epochs", "1").code == 0
    first = workspace.run().info.run_id
    assert workspace("fit", "--resume", first, "--trainer.max_epochs", "2").code == 0
    outcome = workspace("fit", "-c", workspace.artifact(first, "config.yaml"))
    assert outcome.code == 0, outcome.err
    assert len(workspace.runs()) == 2
    assert len(workspace.history(first, "train/loss")) == len(
        workspace.history(workspace.run().info.run_id, "train/loss")
    )


def test_the_run_gone_on_with_is_the_newest_and_has_the_same_result_as_one_left_in_peace(broken):
    (broken.folder / "break").touch()
    with pytest.raises(RuntimeError, match="on purpose"):
        broken.fit(*OPTIONS)
    (broken.folder / "break").unlink()
    newest, oldest = (run.info.run_id for run in broken.runs())
    assert broken.fit(*OPTIONS, "--resume").code == 0
    assert broken.client.get_run(newest).info.status == "FINISHED"
    assert broken.client.get_run(oldest).info.status == "FAILED"
    assert broken.fit(*OPTIONS).code == 0
    whole = broken.run().data.metrics
    resumed = broken.client.get_run(newest).data.metrics
    assert resumed["test/loss"] == pytest.approx(whole["test/loss"], rel=1e-5)


def test_no_epoch_is_lost_where_the_best_is_long_ago(workspace):
    # The loss falls, and the highest counts as the best: that is the first epoch.
    options = ("--model.optimizer", "SGD", "--model.optimizer.lr", "1e-4")
    assert workspace.fit(*options, "--trainer.max_epochs", "3", "--checkpoint.mode", "max").code == 0
    run_id = workspace.run().info.run_id
    assert workspace("fit", "--resume", run_id, "--trainer.max_epochs", "4").code == 0
    assert steps(workspace, run_id) == [10, 21, 32, 43]


SEVERAL = """
trainer:
  logger:
    - class_path: lightning.pytorch.loggers.CSVLogger
      init_args: {save_dir: csv}
    - class_path: ae_lightning.tracking.MLflowTracker
"""


def test_a_run_that_is_gone_on_with_elsewhere_stays_where_it_was_begun(workspace, tmp_path_factory, monkeypatch):
    assert workspace.fit("--checkpoint.mode", "max", "--model.optimizer.lr", "1e-9").code == 0
    run_id = workspace.run().info.run_id
    monkeypatch.setenv("MLFLOW_TRACKING_URI", workspace.uri)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    # Its training is done: what is left is to judge the best checkpoint.
    outcome = workspace("fit", "--resume", run_id)
    assert outcome.code == 0, outcome.err
    assert workspace.run().info.status == "FINISHED"
    assert not (elsewhere / "checkpoints").exists()
    assert workspace.run().data.tags["ae_lightning.checkpoints"] == f"checkpoints/{run_id}"


@pytest.mark.parametrize("by_id", [True, False])
def test_the_tracker_may_be_one_of_several_loggers(workspace, by_id):
    (workspace.folder / "several.yaml").write_text(SEVERAL)
    (workspace.folder / "breaking.py").write_text(BREAKING)
    (workspace.folder / "break").touch()
    options = (*OPTIONS, "-c", "several.yaml")
    with pytest.raises(RuntimeError, match="on purpose"):
        workspace.fit(*options)
    (workspace.folder / "break").unlink()
    run_id = workspace.run().info.run_id
    outcome = workspace("fit", "--resume", run_id) if by_id else workspace.fit(*options, "--resume")
    assert outcome.code == 0, outcome.err
    assert [run.info.run_id for run in workspace.runs()] == [run_id]
    assert steps(workspace, run_id) == [10, 21]


@pytest.mark.parametrize("chosen", [(), ("--trainer.precision", "64-true")])
def test_a_run_goes_on_on_a_machine_that_chooses_another_precision(broken, monkeypatch, chosen):
    """Where the machine chose; a precision that the user chose stays part of what is looked for."""
    monkeypatch.setattr("ae_lightning.machine.precision.cpu_has_bf16", lambda: True)
    (broken.folder / "break").touch()
    with pytest.raises(RuntimeError, match="on purpose"):
        broken.fit(*OPTIONS, *chosen, "--seed_everything", "1")
    (broken.folder / "break").unlink()
    assert broken.run().data.params["trainer.precision"] == (chosen[1] if chosen else "bf16-mixed")
    monkeypatch.setattr("ae_lightning.machine.precision.cpu_has_bf16", lambda: False)
    outcome = broken.fit(*OPTIONS, "--seed_everything", "1", "--resume")
    assert outcome.code == 0, outcome.err
    assert ("nothing to resume" in outcome.err) == bool(chosen)
    assert broken.run().info.status == ("FAILED" if chosen else "FINISHED")


@pytest.mark.parametrize("given", [["--ckpt_path", "last"], ["--ckpt_path=last"]])
def test_the_last_checkpoint_is_that_of_the_newest_unfinished_run(given):
    arguments = ["fit", "-c", "last", *given, "--model.latent_dim", "3"]
    assert split_resume(arguments) == (["fit", "-c", "last", "--model.latent_dim", "3"], "")


def test_another_command_keeps_its_checkpoint():
    arguments = ["test", "--ckpt_path", "last"]
    assert split_resume(arguments) == (arguments, None)
