"""What a run leaves in MLflow besides its curves: configuration, summary, environment, model, and how it ended."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.model_summary.model_summary import ModelSummary
from lightning_utilities.core.rank_zero import rank_zero_only, rank_zero_warn

from ae_lightning import __version__
from ae_lightning.callbacks.averaged_weights import keeps_average
from ae_lightning.callbacks.changed_settings import WatchedSettings, let_callbacks_follow, put_into
from ae_lightning.callbacks.defaults import flattened, said
from ae_lightning.callbacks.narration import narrated
from ae_lightning.data.foreign import seen_data
from ae_lightning.errors import UserError
from ae_lightning.hyperparameters import class_path, plain_scalars
from ae_lightning.machine.precision import choose_precision
from ae_lightning.machine.signals import Interrupted
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.serving import example
from ae_lightning.tracking import CONFIG_HASH_TAG, FolderLogger, MLflowTracker, run_loggers, trackers
from ae_lightning.versions import STATE_KEY

TEST_EPOCH_TAG = "ae_lightning.test_epoch"

_SOMEBODY_ENDED_IT = (KeyboardInterrupt, SIGTERMException, Interrupted)

OF_A_TRAINER = ("max_epochs", "precision", "accumulate_grad_batches", "gradient_clip_val")
"""What a run records of a Trainer that no configuration describes."""

PACKAGES = (
    "torch",
    "torchvision",
    "lightning",
    "mlflow",
    "torchmetrics",
    "scikit-learn",
    "numpy",
    "jsonargparse",
)


class RunRecorder(Callback):
    """Opens the MLflow run, keeps what is needed to repeat it, and closes it with the right status.

    Args:
        config: The resolved configuration; by default what model and data module were made with.
        always: Keys that are recorded though they have their default, such as those that a study tries values of.
    """

    def __init__(self, config: dict[str, Any] | None = None, always: Collection[str] = ()) -> None:
        self.config = config
        self.always = always
        self._hash: str | None = None if config is None else config_hash(config)
        self._watched: WatchedSettings | None = None
        self._is_recorded = True
        self._judged_epoch: int | None = None

    def watch(self, trainer: pl.Trainer, pl_module: pl.LightningModule, data: pl.LightningDataModule | None) -> None:
        """Take what the settings are now for what the configuration says: what callbacks change later is noted."""
        self._watched = WatchedSettings(trainer, pl_module, data)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Open the run."""
        for tracker in run_loggers(trainer):
            tracker.open()
        self._judged_epoch = trainer.current_epoch
        if stage == "fit":
            self._is_recorded = False
            if self._watched is None:
                self.watch(trainer, pl_module, getattr(trainer, "datamodule", None))

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note its epoch, and let what has changed of callbacks take effect on what is restored."""
        if trainer.state.fn == TrainerFn.FITTING:
            _leave_average_behind(trainer, pl_module, checkpoint)
        epoch = checkpoint.get("epoch")
        self._judged_epoch = epoch + 1 if isinstance(epoch, int) else None
        own = checkpoint.get(STATE_KEY)
        kept = own.get("config") if isinstance(own, dict) else None
        if self.config is not None and isinstance(kept, dict) and isinstance(checkpoint.get("callbacks"), dict):
            let_callbacks_follow(checkpoint["callbacks"], trainer.callbacks, kept, self.config)  # type: ignore[attr-defined]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note what callbacks have changed of the Trainer and the data since the last epoch."""
        if self._is_recorded:
            self._note_changes(trainer)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Before the first step, write down how the run came about: what callbacks change in the start is in it.

        A run that is gone on with is not touched before that, so that a refusal leaves it as it was.
        """
        if not self._is_recorded:
            self._begin_to_train(trainer, pl_module)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write it down where there was no step left to take."""
        if not self._is_recorded:
            self._begin_to_train(trainer, pl_module)

    def _begin_to_train(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for tracker in trackers(trainer):
            tracker.take_over()
        self._record(trainer, pl_module)
        # From here on no outage of MLflow ends the training.
        _begin(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let no outage of MLflow end the validation."""
        if self._is_recorded:
            _begin(trainer)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let no outage of MLflow end the test, and say after how many epochs the model is judged."""
        _begin(trainer)
        for tracker in trackers(trainer) if self._judged_epoch is not None else []:
            tracker.set_tags({TEST_EPOCH_TAG: str(self._judged_epoch)})

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Tell a run that somebody ended from one that failed; a new one says how it came about all the same."""
        if isinstance(exception, _SOMEBODY_ENDED_IT):
            for tracker in trackers(trainer):
                tracker.mark_killed()
        if not self._is_recorded and not any(tracker.is_waiting for tracker in trackers(trainer)):
            with suppress(UserError):
                self._record(trainer, pl_module)

    def _record(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._is_recorded = True
        changes = {} if self._watched is None else self._watched.changes()
        config = self.config if self.config is not None else hyperparameters(trainer, pl_module)
        # Who looks for a run with a configuration knows what was given, not what became of it.
        given = self._hash or config_hash(config)
        put_into(config, changes)
        for tracker in run_loggers(trainer) if trainer.is_global_zero else []:
            _write_down(trainer, pl_module, tracker, config, given, self.always)

    def _note_changes(self, trainer: pl.Trainer) -> None:
        changes = {} if self._watched is None else self._watched.changes()
        changes = {key: value for key, value in changes.items() if key[0] != "model"}
        if changes and self.config is not None:
            put_into(self.config, changes)
        for tracker in run_loggers(trainer) if changes else []:
            tracker.log_hyperparams({f"{part}.{name}": value for (part, name), value in changes.items()})
            if isinstance(tracker, FolderLogger) and self.config is not None:
                tracker.log_text(yaml.safe_dump(self.config, sort_keys=False), "config.yaml")


def _write_down(
    trainer: pl.Trainer,
    pl_module: pl.LightningModule,
    tracker: MLflowTracker | FolderLogger,
    config: dict[str, Any],
    given: str,
    always: Collection[str],
) -> None:
    num_skipped = getattr(getattr(trainer, "datamodule", None), "num_skipped", 0)
    found: dict[str, Any] = {"num_parameters": num_parameters(pl_module), "num_skipped_images": num_skipped}
    if "trainer" not in config:
        found |= {f"trainer.{name}": getattr(trainer, name) for name in OF_A_TRAINER}
    if isinstance(pl_module, Autoencoder):
        found |= {f"model.{name}": value for name, value in pl_module.resolved.items()}
        # By which `compare` tells two baselines of the same data apart.
        found["pca_decodes"] = "clipped" if pl_module.reconstruction.is_bounded else "unclipped"
    if isinstance(tracker, MLflowTracker):
        values = {**config, **found}
        flat = flattened(values)
        tracker.log_parameters(flat, flat.keys() - said(values, always).keys())
    tracker.log_text(yaml.safe_dump(config, sort_keys=False), "config.yaml")
    tracker.log_text(str(ModelSummary(pl_module, max_depth=-1)), "model_summary.txt")
    tracker.log_text(json.dumps(environment(trainer), indent=2), "environment.json")
    tracker.set_tags(
        {
            "ae_lightning.version": __version__,
            "ae_lightning.variant": type(pl_module).__name__,
            CONFIG_HASH_TAG: given,
            **git_tags(),
        }
    )


def _leave_average_behind(trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]) -> None:
    """Let a training that no longer averages its weights go on from those that it trained.

    A checkpoint of one that does has the average in their place, and them beside it.
    """
    trained = checkpoint.get("current_model_state")
    if trained is not None and not keeps_average(trainer):
        pl_module.load_state_dict(trained)
        rank_zero_warn("trainer.callbacks: no average is kept any more, and training goes on from the trained weights")


def _begin(trainer: pl.Trainer) -> None:
    for tracker in trackers(trainer):
        tracker.begin()


def hyperparameters(trainer: pl.Trainer, model: pl.LightningModule) -> dict[str, Any]:
    """Return what model and data module were made with, in the shape of a configuration."""
    own = {name: value for name, value in model.hparams.items() if not name.startswith("_")}
    data = getattr(trainer, "datamodule", None)
    return {
        "model": {"class_path": class_path(type(model)), "init_args": own},
        "data": plain_scalars(dict(data.hparams)) if data is not None else {},
    }


@contextmanager
def closing_runs(trainer: pl.Trainer) -> Iterator[None]:
    """Close the MLflow run if something fails between the Trainer's own tasks, or in its way to end one; else leave it.

    A task that ends well within leaves it open too: it is not finished before the one that follows is.
    """
    # Where Lightning tries something first, such as a rate, it puts others in their place meanwhile.
    loggers, own = list(trainer.loggers), trackers(trainer)
    for tracker in own:
        tracker.stays_open = True
    try:
        yield
    except BaseException as error:
        for tracker in own if isinstance(error, _SOMEBODY_ENDED_IT) else []:
            tracker.mark_killed()
        for logger in loggers:
            logger.finalize("failed")
        raise
    finally:
        for tracker in own:
            tracker.stays_open = False


@rank_zero_only
def log_best_model(trainer: pl.Trainer, checkpoint: str) -> None:
    """Log a checkpoint as an MLflow model, with two training images as its example."""
    found = trackers(trainer)
    if not found:
        return
    with narrated(trainer, "logging the model"):
        inputs, outputs = example(checkpoint, seen_data(trainer.datamodule))  # type: ignore[attr-defined]
        for tracker in found:
            tracker.log_autoencoder(Path(checkpoint), inputs, outputs)


def num_parameters(module: torch.nn.Module) -> int:
    """Count the trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def config_hash(config: dict[str, Any]) -> str:
    """Return a name for a configuration: two runs with the same one do the same.

    The precision counts where it is not the one that this machine would choose: a training goes on on another machine,
    which chooses for itself.
    """
    relevant = {key: value for key, value in config.items() if key != "ckpt_path"}
    trainer = {key: value for key, value in config.get("trainer", {}).items() if key != "logger"}
    if trainer.get("precision") == choose_precision(trainer.get("accelerator", "auto")):
        del trainer["precision"]
    relevant["trainer"] = trainer
    canonical = json.dumps(relevant, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def environment(trainer: pl.Trainer) -> dict[str, Any]:
    """Return what the run's speed and results depend on besides its configuration."""
    installed = installed_packages()
    cuda_devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "accelerator": type(trainer.accelerator).__name__,
        "devices": cuda_devices or [platform.processor() or platform.machine()],
        "world_size": trainer.world_size,
        "precision": trainer.precision,
        "threads": torch.get_num_threads(),
        "packages": {name: installed.get(name, "?") for name in PACKAGES},
        "all_packages": dict(sorted(installed.items())),
    }


@cache
def installed_packages() -> dict[str, str]:
    """Return the version of each installed package: a process reads the hundreds of files once."""
    installed: dict[str, str] = {}
    for distribution in distributions():
        # A folder that an installation has left half removed has no name, or no metadata at all.
        with suppress(FileNotFoundError, KeyError):
            metadata = distribution.metadata
            if metadata["Name"]:
                # Of two, Python imports the first on its path.
                installed.setdefault(metadata["Name"], metadata["Version"])
    return installed


def git_tags() -> dict[str, str]:
    """Return the commit of the working directory, where it is in a git checkout."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    changes = _git("status", "--porcelain")
    return {"mlflow.source.git.commit": commit, **({} if changes is None else {"git.dirty": str(bool(changes))})}


def _git(*arguments: str) -> str | None:
    """Return what git says; None where it fails, or is not done in ten seconds."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
