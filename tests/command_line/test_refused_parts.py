"""What constructors and hooks of Lightning's parts refuse, and what they monitor: one line that names the key."""

from __future__ import annotations

import gc

import pytest

CALLBACK = "--trainer.callbacks+="

REFUSED = [
    (("--trainer.logger", "CometLogger"), "trainer.logger: CometLogger: Requirement 'comet-ml"),
    (("--trainer.logger", "CSVLogger", "--trainer.logger.save_dir", "/proc/x"), "trainer.logger: "),
    ((CALLBACK + "EarlyStopping", "--trainer.callbacks.monitor", "val/loss", "--trainer.callbacks.mode", "minimum"),
     "trainer.callbacks: EarlyStopping: `mode` can be min, max"),
    ((CALLBACK + "Timer", "--trainer.callbacks.interval", "never"), "trainer.callbacks: Timer: Unsupported"),
    ((CALLBACK + "Timer", "--trainer.callbacks.duration", "soon"), "trainer.callbacks: Timer: `Timer(duration="),
    ((CALLBACK + "EMAWeightAveraging", "--trainer.callbacks.decay", "2"), "trainer.callbacks: EMAWeightAveraging: "),
    ((CALLBACK + "BackboneFinetuning",), "trainer.callbacks: AttributeError: 'VAE' object has no attribute 'backbone'"),
    (("--trainer.plugins+=BitsandbytesPrecision", "--trainer.plugins.mode", "nf4"),
     "trainer.plugins: BitsandbytesPrecision: Requirement 'bitsandbytes'"),
    (("--trainer.strategy", "DDPStrategy", "--trainer.strategy.process_group_backend", "nope"), "trainer.strategy: "),
    ((CALLBACK + "EarlyStopping", "--trainer.callbacks.monitor", "nope"),
     "trainer.callbacks: EarlyStopping: monitor: 'nope' is not known; it must be train/… or val/…"),
    ((CALLBACK + "EarlyStopping", "--trainer.callbacks.monitor", "val/klm"),
     "trainer.callbacks: EarlyStopping: monitor: 'val/klm' is not known; did you mean 'val/kl'?"),
    ((CALLBACK + "EarlyStopping", "--trainer.callbacks.monitor", "val/mse"),
     "trainer.callbacks: EarlyStopping: monitor: 'val/mse' is not known"),
    (("--trainer.max_time", "long"), "trainer.max_time: `Timer(duration='long')` is not a valid duration"),
    (("--trainer.devices", "many"), "trainer.devices: `devices` selected with `CPUAccelerator` should be an int > 0"),
    (("--trainer.strategy", "dpp"), "trainer.strategy: You selected an invalid strategy name: `strategy='dpp'`"),
    (("--trainer.strategy", "ddp_spawn"), "trainer.strategy: spawned ranks are not allowed; ddp starts the program"),
    (("--trainer.strategy", "ddp_notebook"), "trainer.strategy: forked ranks are not allowed; ddp starts the program"),
    (("--trainer.strategy", "DDPStrategy", "--trainer.strategy.start_method", "forkserver"),
     "trainer.strategy: spawned ranks are not allowed"),
    (("--trainer.val_check_interval", "7.5"), "trainer.val_check_interval: You have passed invalid value 7.5"),
    (("--trainer.logger", "true"), "trainer.logger: true is not allowed; leave it out for MLflow"),
    (("--checkpoint.monitor", "val/losss"), "checkpoint.monitor: 'val/losss' is not known; did you mean 'val/loss'?"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "said"), REFUSED, ids=[said.split("`")[0] for _, said in REFUSED])
def test_one_line_names_the_key(workspace, options, said):
    """Before an epoch is over."""
    outcome = workspace.fit(*options)
    assert outcome.code == 2
    last = outcome.err.strip().splitlines()[-1]
    assert last.startswith(f"ae_lightning: error: {said}")
    assert "Traceback" not in outcome.err
    assert "epoch 1/1" not in outcome.err


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_a_profiler_that_is_refused_leaves_no_traceback(workspace):
    """It is thrown away half made."""
    outcome = workspace.fit("--trainer.profiler", "lightning.pytorch.profilers.XLAProfiler")
    assert outcome.code == 2
    assert outcome.err.startswith("ae_lightning: error: trainer.profiler: XLAProfiler: Requirement 'torch_xla")
    gc.collect()


def test_a_run_that_ends_while_something_is_tried_is_closed(workspace):
    """Lightning takes the run's logger away for as long."""
    outcome = workspace.fit("--model", "AdversarialAE", CALLBACK + "LearningRateFinder")
    assert outcome.code == 2
    assert "error: trainer.callbacks: `model.configure_optimizers()` returned 2" in outcome.err
    assert workspace.run().info.status == "FAILED"


def test_what_a_users_own_callback_may_log_is_not_refused(workspace):
    """It logs what another monitors."""
    (workspace.folder / "logging_one.py").write_text(
        "from lightning.pytorch.callbacks import Callback\n\n"
        "class LoggingOne(Callback):\n"
        "    def on_validation_epoch_end(self, trainer, pl_module):\n"
        "        pl_module.log('one', 1.0)\n"
    )
    outcome = workspace.fit(
        *(CALLBACK + "EarlyStopping", "--trainer.callbacks.monitor", "one"), CALLBACK + "logging_one.LoggingOne"
    )
    assert outcome.code == 0, outcome.err
