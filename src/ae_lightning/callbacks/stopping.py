"""Ending a training when somebody asks for it: at the end of a step, the same on all ranks, with a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import distributed

from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.checkpoints.files import LAST_CHECKPOINT
from ae_lightning.machine.signals import SIGKILL, Requests
from ae_lightning.training.trainer_progress import is_validated_next


class Stopping(Callback):
    """Answers SIGTERM, Ctrl-C and SIGHUP: finishes the step, writes `last.ckpt`, and lets the Trainer close the run.

    Where no step can be gone on from before the epoch is over, it finishes the epoch.

    Lightning's own handler talks to the other ranks while it handles the signal, in the middle of whatever they and
    this one are doing, and ends with exit code 0 or 1. Here the ranks agree after each step, by a reduction that runs
    beside the next one.

    Args:
        requests: The signals received.

    Attributes:
        number: The signal that all ranks agreed to end by, once they have.
    """

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self.number: int | None = None
        self._agreement: _Agreement | None = None
        self._is_training = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take over the signals: the Trainer restores its state before it does so itself."""
        self.requests.listen()
        if trainer.world_size > 1:
            self._agreement = _Agreement()
            # Lightning has rank 0 tell the others before each batch, by a number on the device that all wait for. Here
            # they know: none is told to end without all of them.
            trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = _tell_nothing  # type: ignore[method-assign]

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take back the signals."""
        self.requests.listen()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take back the signals."""
        self.requests.listen()

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take back the signals."""
        self.requests.listen()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take back the signals from the Trainer; from here on a request waits for a step's end."""
        self.requests.listen()
        self._is_training = True
        self.requests.wait_for_safe_moments(True)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End here if that was asked for."""
        self._agree()
        if self.number and is_resumable_after(trainer, batch_idx):
            # The Trainer looks at this once the step's metrics are logged and its counters are up to date.
            trainer._signal_connector.received_sigterm = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End after this epoch if that was asked for: short ones have no step that could be gone on from."""
        self._agree()
        if self.number:
            trainer._signal_connector.received_sigterm = True

    def _agree(self) -> None:
        number = self.requests.received or 0
        if self._agreement is not None:
            number = self._agreement.largest(number)
        if number and not self.number:
            self.number = number

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """No step is to come: end now if that was asked for."""
        self._is_training = False
        self.requests.wait_for_safe_moments(False)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Write the checkpoint to go on from; if this rank ends for itself alone, end those that it started."""
        was_training, self._is_training = self._is_training, False
        self.requests.forget()
        if isinstance(exception, SIGTERMException) and was_training:
            for callback in trainer.checkpoint_callbacks:
                if isinstance(callback, RunCheckpoint) and callback.dirpath is not None:
                    trainer.save_checkpoint(Path(callback.dirpath, LAST_CHECKPOINT), weights_only=False)
        elif isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher):
            trainer.strategy.launcher.kill(SIGKILL)


def is_resumable_after(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether a checkpoint from after a batch goes on without anything done twice or left out.

    After the last batch of an epoch, and where a validation is due, that follows first (the end of the epoch is a
    moment of its own).
    """
    is_last = batch_idx + 1 >= trainer.num_training_batches
    return not is_last and not is_validated_next(trainer)


def _tell_nothing() -> None:
    """Take the place of a broadcast that is not needed."""


class _Agreement:
    """The largest number that any rank has, known to all of them a step later."""

    def __init__(self) -> None:
        # Numbers stay on the processor: reading them waits for no device.
        self._group: Any = distributed.new_group(backend="gloo")
        self._number = torch.zeros(1, dtype=torch.int64)
        self._pending: Any = None

    def largest(self, number: int) -> int:
        """Take this rank's number and return the largest of the step before."""
        agreed = 0
        if self._pending is not None:
            self._pending.wait()
            agreed = int(self._number)
        self._number.fill_(number)
        self._pending = distributed.all_reduce(self._number, distributed.ReduceOp.MAX, group=self._group, async_op=True)
        return agreed
