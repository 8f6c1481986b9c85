"""What a run leaves in MLflow besides its curves: configuration, summary, environment, model, and how it ended."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
import yaml
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.model_summary.model_summary import ModelSummary
from lightning_utilities.core.rank_zero import rank_zero_only

from ae_lightning import __version__
from ae_lightning.data.foreign import seen_data
from ae_lightning.hyperparameters import class_path
from ae_lightning.machine.precision import choose_precision
from ae_lightning.machine.signals import Interrupted
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.serving import example
from ae_lightning.tracking import CONFIG_HASH_TAG, MLflowTracker, trackers

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
    """

    def __init__(self, config: dict[str, Any] | None = None) -> None:
        self.config = config

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Open the run; at the start of `fit`, write down how it came about."""
        for tracker in trackers(trainer):
            tracker.open()
            if stage == "fit" and trainer.is_global_zero:
                self._record(trainer, pl_module, tracker)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let no outage of MLflow end the training."""
        _begin(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let no outage of MLflow end the validation."""
        _begin(trainer)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let no outage of MLflow end the test."""
        _begin(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Tell a run that somebody ended from one that failed."""
        if isinstance(exception, KeyboardInterrupt | SIGTERMException | Interrupted):
            for tracker in trackers(trainer):
                tracker.mark_killed()

    def _record(self, trainer: pl.Trainer, pl_module: pl.LightningModule, tracker: MLflowTracker) -> None:
        config = self.config or hyperparameters(trainer, pl_module)
        num_skipped = getattr(getattr(trainer, "datamodule", None), "num_skipped", 0)
        found: dict[str, Any] = {"num_parameters": num_parameters(pl_module), "num_skipped_images": num_skipped}
        if isinstance(pl_module, Autoencoder):
            found |= {f"model.{name}": value for name, value in pl_module.resolved.items()}
        tracker.log_hyperparams({**config, **found})
        tracker.log_text(yaml.safe_dump(config, sort_keys=False), "config.yaml")
        tracker.log_text(str(ModelSummary(pl_module, max_depth=-1)), "model_summary.txt")
        tracker.log_text(json.dumps(environment(trainer), indent=2), "environment.json")
        tracker.set_tags(
            {
                "ae_lightning.version": __version__,
                "ae_lightning.variant": type(pl_module).__name__,
                CONFIG_HASH_TAG: config_hash(config),
                **git_tags(),
            }
        )


def _begin(trainer: pl.Trainer) -> None:
    for tracker in trackers(trainer):
        tracker.begin()


def hyperparameters(trainer: pl.Trainer, model: pl.LightningModule) -> dict[str, Any]:
    """Return what model and data module were made with, in the shape of a configuration."""
    own = {name: value for name, value in model.hparams.items() if not name.startswith("_")}
    data = getattr(trainer, "datamodule", None)
    return {
        "model": {"class_path": class_path(type(model)), "init_args": own},
        "data": dict(data.hparams) if data is not None else {},
    }


@rank_zero_only
def log_best_model(trainer: pl.Trainer, checkpoint: str) -> None:
    """Log a checkpoint as an MLflow model, with two training images as its example."""
    found = trackers(trainer)
    if found:
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
    found = (distribution.metadata for distribution in distributions())
    return {metadata["Name"]: metadata["Version"] for metadata in found}


def git_tags() -> dict[str, str]:
    """Return the commit of the working directory, where it is in a git checkout."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return {}
    return {"mlflow.source.git.commit": commit, "git.dirty": str(bool(_git("status", "--porcelain")))}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
