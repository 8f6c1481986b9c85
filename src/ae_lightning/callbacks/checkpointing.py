"""Checkpoints in a folder of the run: the best by validation loss, and the last."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint, StochasticWeightAveraging
from torch import Tensor

from ae_lightning.callbacks.checkpoint_io import SoundCheckpointIO
from ae_lightning.checkpoints.files import newest_sound
from ae_lightning.checkpoints.readable import readable
from ae_lightning.data.foreign import data_of
from ae_lightning.errors import ConfigError
from ae_lightning.file_names import OTHER_RUNS, RUNS_IN_MLFLOW
from ae_lightning.machine.run_lock import RunLock
from ae_lightning.models.trained_module import TrainedModule
from ae_lightning.tracking import (
    CHECKPOINT_FOLDER_TAG,
    FolderLogger,
    MLflowTracker,
    new_run_folder,
    run_loggers,
    told_folder,
    trackers,
)
from ae_lightning.versions import STATE_KEY
from ae_lightning.whole_files import remove_unfinished


class RunCheckpoint(ModelCheckpoint):
    """Keeps `best.ckpt` and `last.ckpt` in the folder of a run that no other is given.

    Args:
        directory: Where the runs' folders are. By default `checkpoints` of a run in MLflow, whose folder there is
            `RUN_ID`, and else `runs`, where it is `NAME-TIME`.
        monitor: What decides which is best; without validation the last is.
        mode: Whether the smaller (`min`) or the larger (`max`) value is better.
        every_n_epochs: Write after every so many epochs.

    Attributes:
        begun: The folder of the run that is gone on with, if one is and stays there.
    """

    def __init__(
        self,
        directory: str | None = None,
        monitor: str = "val/loss",
        mode: Literal["min", "max"] = "min",
        every_n_epochs: int = 1,
    ) -> None:
        super().__init__(
            filename="best",
            monitor=monitor,
            mode=mode,
            every_n_epochs=every_n_epochs,
            save_last=True,
            auto_insert_metric_name=False,
            enable_version_counter=False,
        )
        self.directory = None if directory is None else Path(directory)
        self.config: dict[str, Any] = {}
        self.begun: Path | None = None
        self._run_id: str | None = None
        self._lock: RunLock | None = None
        self._is_told = False
        """Whether a run that is gone on with knows of the folder, which may be another one than before."""
        self._is_trial = False

    @property
    def state_key(self) -> str:
        """What the best belongs to: another rhythm of writing makes no other best."""
        return self._generate_state_key(monitor=self.monitor, mode=self.mode)

    def stay_with(self, checkpoint: Path) -> None:
        """Write where the checkpoint is that a run goes on from, though the working directory is another.

        Args:
            checkpoint: It.
        """
        self.begun = checkpoint.absolute().parent
        self.directory = self.begun.parent

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over which checkpoint is the best, though the run's folder may have been moved or copied since."""
        begun, here = str(state_dict["dirpath"]), str(self.dirpath)
        if self.begun is not None:
            state_dict = {key: _moved(value, begun, here) for key, value in state_dict.items()}
        super().load_state_dict(state_dict)

    def make_directory(self, is_in_mlflow: bool) -> Path:
        """Make the folder that holds those of the runs.

        Args:
            is_in_mlflow: Whether this run is.

        Raises:
            ConfigError: If it cannot be made.
        """
        return _made(self.directory or Path(RUNS_IN_MLFLOW if is_in_mlflow else OTHER_RUNS))

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Make the run's folder.

        Raises:
            ConfigError: If it cannot be made, or another process trains there.
        """
        if stage == "fit":
            found = trackers(trainer)
            self._run_id = trainer.strategy.broadcast(found[0].run_id if found and trainer.is_global_zero else None)
            own = str(self._folder_of(trainer, pl_module)) if trainer.is_global_zero else None
            self.dirpath = trainer.strategy.broadcast(own)
            folder = _made(Path(str(self.dirpath)))
            is_free = True
            if trainer.is_global_zero:
                self._lock = RunLock(folder)
                is_free = self._lock.take()
            if not trainer.strategy.broadcast(is_free):
                raise ConfigError(f"checkpoint.directory: another training writes to {folder}; choose another one")
            remove_unfinished(folder)
            if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
                trainer.strategy.checkpoint_io = SoundCheckpointIO()
            for tracker in found:
                if not tracker.is_waiting:
                    _tell_folder(tracker, folder)
        super().setup(trainer, pl_module, stage)

    def _folder_of(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Path:
        """Return the folder of the run: the one of what else keeps it, or a new one."""
        for logger in run_loggers(trainer):
            if isinstance(logger, FolderLogger):
                return logger.folder
            return self.make_directory(is_in_mlflow=True) / str(logger.run_id)
        if self.dirpath is not None:
            # The same training, gone on with.
            return Path(self.dirpath)
        return new_run_folder(self.make_directory(is_in_mlflow=False), type(pl_module).__name__)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Without a validation split, let the last be the best; refuse what no checkpoint could keep.

        Raises:
            CheckpointError: If a checkpoint would hold what could not be read again.
        """
        if self.monitor == "val/loss" and not _has_validation(trainer):
            self.monitor = None
        self._is_trial = True
        readable(trainer._checkpoint_connector.dump_checkpoint(weights_only=False))
        self._is_trial = False
        super().on_train_start(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Where Lightning has averaged the weights of the last epochs by now, let the average be the best.

        `WeightAveraging` and its kin need nothing here: they validate and keep their average all along.
        """
        super().on_train_end(trainer, pl_module)
        if self.dirpath is None or not averages_at_the_end(trainer):
            return
        best = Path(self.dirpath) / f"best{self.FILE_EXTENSION}"
        trainer.save_checkpoint(best)
        self.best_model_path = str(best)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Let others go on with the run."""
        super().teardown(trainer, pl_module, stage)
        self._release()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Let others go on with the run."""
        super().on_exception(trainer, pl_module, exception)
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Let no checkpoint from before the last phase of a training be the best."""
        model = trainer.lightning_module
        is_final = not isinstance(model, TrainedModule) or model.is_judged_by(self.monitor or "")
        return is_final and super().check_monitor_top_k(trainer, current)

    def _save_topk_checkpoint(self, trainer: pl.Trainer, monitor_candidates: dict[str, Tensor]) -> None:
        super()._save_topk_checkpoint(trainer, monitor_candidates)
        # Lightning writes the last only together with a new best: a run resumed would lose all epochs since then.
        self._last_global_step_saved = trainer.global_step

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write down which run the checkpoint belongs to, and with what configuration."""
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        checkpoint[STATE_KEY] = {"run_id": self._run_id, "config": self.config}
        if self._is_trial:
            return
        # A run killed after this goes on from here: the steps before are not repeated, and must not be lost.
        for tracker in trackers(trainer):
            if not self._is_told and not tracker.is_waiting:
                _tell_folder(tracker, Path(str(self.dirpath)))
                self._is_told = True
        for logger in run_loggers(trainer):
            logger.flush()


def _has_validation(trainer: pl.Trainer) -> bool:
    """Whether a training is validated; as its data say, where the loaders for that are not made yet."""
    if trainer.val_dataloaders is not None:
        return sum(trainer.num_val_batches) > 0
    data = data_of(trainer)
    return trainer.enable_validation and (data is None or "val" in data.split_names)


def averages_at_the_end(trainer: pl.Trainer) -> bool:
    """Whether a training at its end has put the average of its last epochs' weights in place of its own."""
    return any(
        callback.n_averaged is not None and trainer.current_epoch > callback.swa_end
        for callback in trainer.callbacks  # type: ignore[attr-defined]
        if isinstance(callback, StochasticWeightAveraging)
    )


def _tell_folder(tracker: MLflowTracker, folder: Path) -> None:
    tracker.set_tags({CHECKPOINT_FOLDER_TAG: told_folder(folder, tracker.tracking_uri)})


def newest_checkpoint(trainer: pl.Trainer) -> Path | None:
    """Return the newest checkpoint of a Trainer's run that is whole; None where there is none."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, RunCheckpoint) and callback.dirpath is not None:
            return newest_sound(Path(callback.dirpath))[0]
    return None


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"checkpoint.directory: {folder} cannot be made ({error.strerror})") from error
    return folder


def _moved(value: Any, begun: str, here: str) -> Any:
    """Return a path, or what has paths for keys, with one folder in place of another."""
    if isinstance(value, str) and Path(value).is_relative_to(begun):
        return here + value[len(begun) :]
    if isinstance(value, dict):
        return {_moved(key, begun, here): inner for key, inner in value.items()}
    return value
