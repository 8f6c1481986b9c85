"""A data module that scales its samples, and whose checkpoints keep how, and which samples they were."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

from torch import Tensor

from ae_lightning.data.batch_transfer import BatchTransfer
from ae_lightning.data.opened_data import OpenedData
from ae_lightning.data.same_samples import JUDGED, other_splits, samples_state, tell_of_other_samples
from ae_lightning.data.scaling import FITTED, Scaler, Scaling, fit_scaler, scaler_of, settled
from ae_lightning.data.splits import SplitName
from ae_lightning.errors import CheckpointError
from ae_lightning.spec import kind_of


class ScaledData(BatchTransfer):
    """Samples that are scaled by what the train split says.

    Attributes:
        scaling: The rule, as a user gives it.
    """

    scaling: Scaling
    _scaler: Scaler | None = None

    @property
    @abstractmethod
    def dataset_name(self) -> str:
        """Name of the data set."""

    @abstractmethod
    def _load(self) -> OpenedData:
        """Return what the source holds, read at first need."""

    def scale(self, x: Tensor) -> Tensor:
        """Scale samples as training sees them.

        Args:
            x: As stored, shape (N, …).

        Returns:
            float32, of the same shape and device; in the range of ``spec``.
        """
        # Once on a device the statistics stay there: to send them with each batch would wait for the host.
        self._scaler = self.scaler.to(x.device)
        return self._scaler(x)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: how samples are scaled and which they are, in plain values."""
        return {**self.scaler.state(), **samples_state(self.dataset_name, self._load())}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Scale as the data of a checkpoint were, unless another rule is asked for; warn where they are other samples.

        Raises:
            CheckpointError: If it does not say how, or they had another shape.
            DataError: If they were images of another type, where the rule treats all types alike.
        """
        scaler, contents = scaler_of(state_dict), self._load()
        task = getattr(getattr(self.trainer, "state", None), "fn", None)
        if task in JUDGED:
            tell_of_other_samples(state_dict, self.dataset_name, contents, task)
        if scaler.scaling != self._settled_scaling(contents):
            return
        for statistic in (scaler.mean, scaler.divisor):
            if statistic is not None and tuple(statistic.shape) not in ((), contents.shape):
                theirs = tuple(statistic.shape)
                raise CheckpointError(f"the checkpoint scales samples of shape {theirs}, not {contents.shape}")
        scaler.require_stored_alike(contents.dtype, contents.shape, self.dataset_name)
        self._scaler = scaler

    def other_splits(self, state_dict: dict[str, Any]) -> set[SplitName]:
        """Return the names of the splits that do not hold the samples of a checkpoint."""
        return other_splits(state_dict, self._load())

    @property
    def scaler(self) -> Scaler:
        """The rule with what it knows of the train split, fitted at first need, or a checkpoint's."""
        if self._scaler is None:
            contents = self._load()
            scaling = self._settled_scaling(contents)
            # Of a stream, only a rule that looks at the train split reads a sample of it into memory.
            scaler = fit_scaler(scaling, contents.split("train").x) if scaling in FITTED else Scaler(scaling)
            self._scaler = replace(scaler, dtype=contents.dtype)
        return self._scaler

    def _settled_scaling(self, contents: OpenedData) -> Scaling:
        return settled(self.scaling, kind_of(contents.shape))
