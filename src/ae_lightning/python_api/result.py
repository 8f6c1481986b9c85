"""A trained model with what it makes of data: what `ael.fit` and `ael.load` return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.callbacks.describing import told_by_digest
from ae_lightning.callbacks.encoding import numpy_model
from ae_lightning.checks import require_at_least, require_seed
from ae_lightning.command_line.report import of_stage
from ae_lightning.data.arrays.given import GivenArrays, as_stored, positions
from ae_lightning.data.arrays.samples import channel_axis
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.foreign import SeenData, seen_data
from ae_lightning.data.scaling import Scaler
from ae_lightning.errors import ConfigError, DataError
from ae_lightning.judging.chunks import chunks
from ae_lightning.judging.numpy_model import Labels, Rows
from ae_lightning.machine.torch_defaults import torch_defaults
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.python_api.judging import Judged, judged
from ae_lightning.python_api.tables import measures_as_html, measures_as_text
from ae_lightning.tracking import MLflowTracker, run_loggers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ae_lightning.python_api.training import ProgramCLI

Array = NDArray[Any]


class Result:
    """A trained model.

    What it gives are NumPy arrays, and what it takes may be arrays or tensors, of the layouts that `ael.fit` takes.

    Args:
        model: In eval mode, with the weights that were judged.
        config: The run's resolved configuration.
        module: Its data; None where they are not at hand.
        arrays: What was given in their place, if they are arrays.
        scaler: How samples are scaled where the data are not at hand.
        measures: Of the test split, by name; None to judge when they are asked for.
        digest: What MLflow has of the samples that they are of, by the parameter's name; None to take it of the data.
        checkpoint: Of these weights; None where none was kept.
        run_id: Of the run in MLflow; None where it is not there.
        tracking_uri: The store that has it.

    Attributes:
        model: The Lightning module itself, for whatever else is wanted of it.
        config: The run's resolved configuration, as `fit -c` takes it.
        checkpoint: Path of the checkpoint with these weights, which `ael.load` and the command line take; None where
            none was kept.
        run_id: Of the run in MLflow; None where it is not there.
        tracking_uri: The MLflow store that has it.
    """

    def __init__(
        self,
        model: Autoencoder,
        config: Mapping[str, Any],
        *,
        module: LightningDataModule | None = None,
        arrays: GivenArrays | None = None,
        scaler: Scaler | None = None,
        measures: Mapping[str, float] | None = None,
        digest: Mapping[str, str] | None = None,
        checkpoint: Path | None = None,
        run_id: str | None = None,
        tracking_uri: str | None = None,
    ) -> None:
        self.model = model.eval()
        self.config = config
        self.checkpoint = checkpoint
        self.run_id = run_id
        self.tracking_uri = tracking_uri
        self._module = module
        self._arrays = arrays
        self._scaler = scaler
        self._measures = None if measures is None else dict(measures)
        self._digest = digest
        self._judged: dict[str | None, Judged] = {}

    @classmethod
    def of_run(cls, cli: ProgramCLI, arrays: GivenArrays | None) -> Result:
        """Return the result of a run that has ended."""
        tracker = next((one for one in run_loggers(cli.trainer) if isinstance(one, MLflowTracker)), None)
        best = cli.best_checkpoint()
        values = {name: float(value) for name, value in cli.trainer.callback_metrics.items()}
        return cls(
            cli.model,
            cli.plain_config(),
            module=cli.datamodule,
            arrays=arrays,
            measures=of_stage("test", values),
            checkpoint=Path(best) if best else None,
            run_id=None if tracker is None else tracker.run_id,
            tracking_uri=None if tracker is None else tracker.tracking_uri,
        )

    @property
    def measures(self) -> dict[str, float]:
        """Measures of the test split by name, PCA's as `pca_NAME`; terms of the objective too.

        Raises:
            DataError: If it must be judged, and the data are not at hand.
        """
        if self._measures is None:
            self._measures = self._judge(None).values
        return dict(self._measures)

    @property
    @torch_defaults()
    def codes(self) -> NDArray[np.float32]:
        """Codes of the samples that `ael.fit` was given, shape (N, F), in their order; else of the train split.

        Raises:
            DataError: If they are not at hand.
        """
        split = self.data.split("train") if self._arrays is None else self._arrays.samples
        given = split.labels_or_missing() if self.model.needs_labels else None
        return self._through(numpy_model(self.model).encode, split.x, given)

    @property
    def data(self) -> SeenData:
        """The data: its `spec`, `class_names` and splits.

        Raises:
            DataError: If they are not at hand.
        """
        return seen_data(self._require_module())

    def told_by_digest(self) -> Mapping[str, str]:
        """Return the parameter that tells what was judged on from other data; none where it has a name, or is away."""
        if self._digest is None:
            return {} if self._module is None else told_by_digest(self.data)
        return self._digest

    @torch_defaults()
    def encode(self, x: Any, y: Any = None) -> NDArray[np.float32]:
        """Return the codes of samples, shape (N, F): of a distribution over codes, its mean.

        Args:
            x: Samples, scaled as those that the model was trained on were before it saw them.
            y: Their classes, for a conditional model.

        Raises:
            DataError: If they are no samples of the model's shape, are images of another type than it was trained on
                where that changes them, or classes are missing that it needs.
            ConfigError: If they have values that their scaling does not take.
        """
        stored = self._as_stored(x)
        return self._through(numpy_model(self.model).encode, stored, self._classes(y, len(stored)))

    @torch_defaults()
    def reconstruct(self, x: Any, y: Any = None) -> NDArray[np.float32]:
        """Return what is decoded from samples' own codes, in the layout of `x`, as scaled: of bytes, from 0 to 1.

        Args:
            x: As `encode` takes them.
            y: As `encode` takes them.

        Raises:
            DataError: As `encode`.
        """
        stored = self._as_stored(x)
        given = self._classes(y, len(stored))
        return _in_layout_of(np.shape(x), self._through(numpy_model(self.model).restore, stored, given))

    @torch_defaults()
    def sample(self, num: int = 16, labels: Any = None, seed: int = 0) -> NDArray[np.float32]:
        """Draw new samples, shape (num, C, H, W) or (num, D), as scaled.

        Args:
            num: How many.
            labels: Of a conditional model, their classes, or one class for all; None takes one after the other.
            seed: Fixes them.

        Raises:
            ConfigError: If the model is given no classes, or `num` or `seed` is out of range.
            DataError: If a label names no class.
        """
        require_at_least("num", num)
        require_seed("seed", seed)
        given: Tensor | None = None
        if labels is not None:
            if not self.model.needs_labels:
                raise ConfigError(f"labels: {type(self.model).__name__} is given no classes; leave them out")
            wanted = np.full(num, labels) if np.ndim(labels) == 0 else labels
            given = self._classes(wanted, num)
        return self.model.sample(num, seed, given).cpu().numpy()

    @torch_defaults()
    def plot(self, picture: str) -> Figure:
        """Draw a picture of the test split.

        Args:
            picture: Its name, such as `"reconstructions"`, `"samples"` or `"latent_scatter"`, or the dotted path of
                your own.

        Returns:
            The figure, which a notebook shows; `figure.savefig("FILE.png")` writes it.

        Raises:
            ConfigError: If there is no such picture, or not of this model and data.
            DataError: If the data are not at hand.
        """
        return self._judge(picture).draw(picture)

    @torch_defaults()
    def _judge(self, picture: str | None) -> Judged:
        """Judge the test split by all measures, or for a picture by those that it needs; what it took is kept."""
        if picture not in self._judged:
            settings = self.config.get("evaluation", {})
            self._judged[picture] = judged(self.model, self._require_module(), settings, picture)
        return self._judged[picture]

    def _require_module(self) -> LightningDataModule:
        if self._module is None:
            raise DataError("the data are not at hand; give them as well: ael.load(CHECKPOINT, x)")
        return self._module

    def _as_stored(self, x: Any) -> Tensor:
        stored = as_stored("x", x)
        shape = self.model.spec.shape
        if tuple(stored.shape[1:]) != shape:
            raise DataError(
                f"x has samples of shape {tuple(stored.shape[1:])}; this model takes (N, {', '.join(map(str, shape))})"
            )
        data = self.data if self._scaler is None else None
        scaler = data.scaler if isinstance(data, DataModule) else self._scaler
        if scaler is not None:  # samples for a module of others come scaled
            scaler.require_taken(stored, "x")
        return stored

    def _classes(self, y: Any, num: int) -> Tensor | None:
        if not self.model.needs_labels:
            return None
        if y is None:
            raise DataError(f"y: {type(self.model).__name__} is given the classes of samples; −1 is a missing one")
        names = tuple(map(str, range(self.model.spec.num_classes))) if self._module is None else self.data.class_names
        found = positions("y", y, names)
        if len(found) != num:
            raise DataError(f"y: there are {len(found)} labels for {num} samples")
        return found

    def _through(
        self, function: Callable[[Rows, Labels | None], Rows], stored: Tensor, given: Tensor | None
    ) -> NDArray[np.float32]:
        """Apply a function of scaled samples and the classes given with them, in pieces."""
        classes = None if given is None else given.numpy()
        pieces = chunks(len(stored), self.model.spec.num_values)
        return np.concatenate(
            [function(self._scaled(stored[rows]), None if classes is None else classes[rows]) for rows in pieces]
        )

    def _scaled(self, stored: Tensor) -> NDArray[np.float32]:
        scale = self.data.scale if self._scaler is None else self._scaler
        return np.ascontiguousarray(scale(stored).cpu().numpy())

    def __repr__(self) -> str:
        """Say what was trained, and its measures beside PCA's as far as they are there."""
        return f"{self._title()}\n{measures_as_text(self._measures or {})}".rstrip()

    def _repr_html_(self) -> str:
        """Show the same as a table, in a notebook."""
        return measures_as_html(self._title(), self._measures or {})

    def _title(self) -> str:
        data = "" if self._module is None else f" on {self.data.dataset_name}"
        place = "" if self.checkpoint is None else f", {_from_here(self.checkpoint)}"
        return f"{type(self.model).__name__}-{self.model.latent_dim}{data}{place}"


def _from_here(path: Path) -> Path:
    """Return a path as it is seen from the working directory, if it lies there."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _in_layout_of(shape: tuple[int, ...], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return images (N, C, H, W) in the layout of those that were given; vectors as they are."""
    if len(shape) == 3:
        return images[:, 0]
    if len(shape) == 4 and channel_axis(shape) == 3:
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    return images
