"""What callbacks monitor, checked before the first epoch is over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.callbacks.throughput import THROUGHPUT
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.models.autoencoder import Autoencoder

OURS = ("ae_lightning.", "lightning.")

ALWAYS_THERE = ("epoch", "step")
"""What Lightning's checkpoints may monitor besides what is logged."""


class MonitorCheck(Callback):
    """Refuses a metric to monitor that no part of the training logs; Lightning sees that after the first epoch.

    What belongs to no split is refused before the first step; a term that the objective does not have, after the first
    that is logged. Where a user's own model, data module or callback takes part, which may log anything, nothing is.
    """

    def __init__(self) -> None:
        self._monitored: dict[str, str] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look through the callbacks.

        Raises:
            ConfigError: If one of them monitors what belongs to neither split.
        """
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        parts = (pl_module, trainer.datamodule, *callbacks)  # type: ignore[attr-defined]
        if not isinstance(pl_module, Autoencoder) or any(not type(one).__module__.startswith(OURS) for one in parts):
            return
        monitored = {_key(one): getattr(one, "monitor", None) for one in callbacks}
        self._monitored = {key: metric for key, metric in monitored.items() if isinstance(metric, str)}
        for key, metric in self._monitored.items():
            if metric not in ALWAYS_THERE and not metric.startswith(("train/", "val/")):
                raise ConfigError(f"{key}: {metric!r} is not known; it must be train/… or val/…, such as val/loss")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """See which terms the first step that is logged has: a validation has the same.

        Raises:
            ConfigError: If a callback monitors another one, and no measure is called so.
        """
        if not self._monitored:
            return
        terms = {name.removeprefix("train/") for name in trainer.callback_metrics if name.startswith("train/")}
        if not terms:
            return
        monitored, self._monitored = self._monitored, {}
        if isinstance(pl_module, Autoencoder) and len(pl_module.phases()) > 1:
            # Terms of later phases are not known yet.
            return
        logged = {f"{split}/{term}" for term in terms for split in ("train", "val")}
        logged |= {THROUGHPUT, *_measured(trainer.callbacks)}  # type: ignore[attr-defined]
        for key, metric in monitored.items():
            if metric not in ALWAYS_THERE and metric not in logged:
                raise ConfigError(unknown_name(key, metric, logged))


def _key(callback: Callback) -> str:
    is_ours = isinstance(callback, RunCheckpoint)
    return "checkpoint.monitor" if is_ours else f"trainer.callbacks: {type(callback).__name__}: monitor"


def _measured(callbacks: Iterable[Callback]) -> Iterator[str]:
    """Name the measures that are taken in training."""
    for callback in callbacks:
        if isinstance(callback, Evaluation) and callback.every_n_epochs:
            prefixes = ("", "pca_") if callback.pca else ("",)
            for measure in callback.training_measures:
                yield from (f"val/{prefix}{metric}" for metric in measure.metrics for prefix in prefixes)
