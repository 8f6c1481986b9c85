"""What a run says of itself in MLflow: on what it learns, how it did beside PCA, and what it was made with."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.callbacks.verdict import verdict
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.foreign import SeenData, data_of
from ae_lightning.data.same_samples import fingerprints_in
from ae_lightning.data.sources.arrays import Arrays
from ae_lightning.judging.directions import best_places
from ae_lightning.judging.measure import Measure
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.plain_text import plain
from ae_lightning.tracking import DataSetUse, Description, trackers

MAIN_MEASURES = ("mse", "ssim", "gmm_accuracy", "kmeans_accuracy", "knn_accuracy", "sample_frechet")
"""What a reader looks at first: one or two of each goal."""

DIGEST = "data.digest"
"""The parameter that tells arrays, and the samples of modules of others, which no setting names, from others."""

NUM_PARAMETERS_SHOWN = 10
_DIGEST_LENGTH = 8


class RunDescription(Callback):
    """Describes the run in MLflow: when it begins to train, and again once it is judged."""

    def __init__(self) -> None:
        self._has_begun = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Begin anew."""
        self._has_begun = False

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Say on what it learns, once it does: the recorder, which comes first, has written down how it came about."""
        if not self._has_begun:
            self._has_begun = True
            self._tell(trainer, pl_module, None)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how it did on the test split."""
        self._tell(trainer, pl_module, "test")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Say how a training did that is judged on the validation split at its end, as a sweep's are."""
        if trainer.state.fn == TrainerFn.VALIDATING and not any(tracker.keeps_status for tracker in trackers(trainer)):
            self._tell(trainer, pl_module, "val")

    def _tell(self, trainer: pl.Trainer, model: pl.LightningModule, stage: str | None) -> None:
        data, found = data_of(trainer), trackers(trainer) if trainer.is_global_zero else []
        if not found or data is None or not isinstance(model, Autoencoder):
            return
        paragraphs = [] if stage is None else judged(_metrics_of(trainer, stage), model, stage, _measures_of(trainer))
        use = data_set_use(data)
        for tracker in found:
            tracker.log_hyperparams(told_by_digest(data))
            tracker.describe(use, _description(model, use, paragraphs))


def _metrics_of(trainer: pl.Trainer, stage: str) -> dict[str, float]:
    prefix, metrics = f"{stage}/", trainer.callback_metrics
    return {name.removeprefix(prefix): float(value) for name, value in metrics.items() if name.startswith(prefix)}


def _measures_of(trainer: pl.Trainer) -> Sequence[Measure]:
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return next((one.measures for one in callbacks if isinstance(one, Evaluation)), ())


def judged(own: Mapping[str, float], model: Autoencoder, stage: str, measures: Sequence[Measure] = ()) -> list[str]:
    """Return paragraphs of Markdown: the main measures beside PCA's, the better ones in bold, and the verdict in words.

    Args:
        own: Metrics of the split by name, PCA's as `pca_NAME`.
        model: What was judged.
        stage: The split.
        measures: Those that gave them.
    """
    told = ", ".join(_beside_pca(name, own, measures) for name in MAIN_MEASURES if name in own)
    words = [f"{line[:1].upper()}{line[1:]}" for line in verdict(own, model, measures)]
    # What MLflow shows at once of a description are its first lines.
    return [*([f"On the {stage} split (PCA in brackets): {told}."] if told else []), *words]


def _beside_pca(name: str, own: Mapping[str, float], measures: Sequence[Measure]) -> str:
    values = [own[key] for key in (name, f"pca_{name}") if key in own]
    best = best_places(name, values, measures) if len(values) > 1 else frozenset()
    model, *pca = (f"**{value:.4f}**" if place in best else f"{value:.4f}" for place, value in enumerate(values))
    return f"{name} {model}{f' ({pca[0]})' if pca else ''}"


def _description(model: Autoencoder, use: DataSetUse, paragraphs: Sequence[str]) -> Description:
    sizes = ", ".join(f"{num:,} {name}" for name, num in use.num_samples.items())
    shape = " × ".join(map(str, use.shape))
    what = f"a {type(model).__name__} of {plain(use.name)} ({shape}; {sizes})."
    return Description("\n\n".join([what, *paragraphs]), first_parameters(type(model)))


def first_parameters(variant: type[Autoencoder]) -> list[str]:
    """Return the ten parameters that a person reads first: a variant's own options are among them."""
    own = [name for name in _options(variant) if name not in _options(Autoencoder)]
    keys = [
        *("model.latent_dim", "model.network", *(f"model.{name}" for name in own), "model.reconstruction"),
        *("model.optimizer.lr", "trainer.max_epochs", "data.batch_size", "num_parameters", "seed_everything"),
        *("model.optimizer", "trainer.precision", "model.prior"),
    ]
    return keys[:NUM_PARAMETERS_SHOWN]


def _options(variant: type[Autoencoder]) -> list[str]:
    constructors = (vars(base)["__init__"] for base in variant.__mro__ if "__init__" in vars(base))
    named = (name for one in constructors for name in inspect.signature(one).parameters)
    return list(dict.fromkeys(name for name in named if name not in ("self", "options", "args", "kwargs")))


def data_set_use(data: SeenData) -> DataSetUse:
    """Return a data set as MLflow knows it."""
    path = data.path if isinstance(data, DataModule) else None
    return DataSetUse(
        name=data.dataset_name,
        digest=_digest(data),
        place="" if path is None else _resolved(path),
        shape=list(data.spec.shape),
        num_samples={name: data.num_samples(name) for name in data.split_names},
    )


def told_by_digest(data: SeenData) -> dict[str, str]:
    """Return the parameter that tells samples and labels from others, where no other one does; else nothing."""
    is_named = isinstance(data, DataModule) and data.name != Arrays.name
    return {} if is_named else {DIGEST: _digest(data, *_labels(data))}


def _digest(data: SeenData, *labels: bytes) -> str:
    if isinstance(data, DataModule):
        told = list(fingerprints_in(data.state_dict()).values())
    else:
        # What models are judged on: others may train on samples that are changed by chance, other ones in each run.
        told = [str(data.num_samples("train")), data.fingerprints()[data.split_names[-1]]]
    return hashlib.sha256(b" ".join([" ".join(told).encode(), *labels])).hexdigest()[:_DIGEST_LENGTH]


def _labels(data: SeenData) -> list[bytes]:
    names = data.split_names if isinstance(data, DataModule) else data.split_names[-1:]
    return [data.split(name).labels_or_missing().numpy().tobytes() for name in names]


def _resolved(place: str) -> str:
    """Return the whole path of a file or folder; what is none, as a name on a hub, as it is."""
    path = Path(place).expanduser()
    return str(path.resolve()) if path.exists() else place
