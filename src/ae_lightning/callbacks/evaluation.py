"""When an autoencoder is judged, and where numbers and pictures go."""

from __future__ import annotations

import gc
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.callbacks.averaged_weights import average_in
from ae_lightning.callbacks.convolutions import numpy_convolutions, require_convolution
from ae_lightning.callbacks.encoding import (
    augment,
    corrupt,
    corrupt_images,
    encode_split,
    fixed_sample,
    numpy_model,
    overlay_images,
)
from ae_lightning.callbacks.narration import Parts, narrated
from ae_lightning.checks import bytes_of_gib, expanded, require_at_least, require_seed
from ae_lightning.data.foreign import SeenData, data_of
from ae_lightning.data.sample_keys import SampleKeys
from ae_lightning.data.splits import Split, SplitName
from ae_lightning.errors import UserError, first_line
from ae_lightning.judging.baseline import Baseline
from ae_lightning.judging.cache import Cache
from ae_lightning.judging.case import MANY_IMAGES, OF_SAMPLES, Case
from ae_lightning.judging.chunks import num_within
from ae_lightning.judging.drawing.projection import ProjectionName, require_projection
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.judgement import Judgement, judge, num_parts
from ae_lightning.judging.measure import Measure, needs_of, require_comparable, select_measures
from ae_lightning.judging.named_part import Choice
from ae_lightning.judging.pca import FitSamples
from ae_lightning.judging.picture import draw_pictures, num_files, select_pictures
from ae_lightning.judging.picture_case import Corruption, PictureCase
from ae_lightning.machine.distributed import whole_parameters
from ae_lightning.machine.resource_errors import is_exhausted
from ae_lightning.models.autoencoder import DEFAULT_NOISE, Autoencoder
from ae_lightning.plain_text import plain_names
from ae_lightning.tracking import run_loggers


class Evaluation(Callback):
    """Judges the model with the same measures as every other variant, and PCA beside it.

    During `fit` the measures of `training_measures` run every few epochs on a bounded sample of the validation
    split; `validate` and `test` judge their whole split. Each split is encoded once and shared by all. A measure or
    picture that raises is left out with a warning, see `left_out`.

    Args:
        every_n_epochs: During `fit`, judge after every so many epochs; 0 for never.
        draw_every_n_epochs: During `fit`, draw too where the number of epochs is a multiple of this; 0 for never.
        num_images: During `fit`, judge on at most this many images, and fit clusters and Gaussians to as many training
            codes; PCA is fitted to the same images as afterwards.
        training_measures: Measures during `fit`: names, or dotted paths of your own (classes derived from
            `ae_lightning.judging.measure.Measure`), or `cheap`, or `all`.
        measures: Measures of `validate` and `test`: names, or dotted paths, or `cheap`, or `all`.
        training_pictures: Pictures during `fit`, without their HTML pages: names, or dotted paths of your own (classes
            derived from `ae_lightning.judging.picture.Picture`), or `cheap`, or `all`.
        pictures: Pictures of `validate` and `test`: names, or dotted paths, or `cheap`, or `all`.
        projection: How pictures lay out codes of more than two dimensions: `pca`, or `umap` (the extra of that
            name; at its first use in a process it compiles, which can take a minute or more).
        convolution: The encoder's convolution that `filters` and `activations` show, from 1; null for the first of
            `filters` and the last of `activations`.
        max_train_images: Fit PCA to at most this many images, and in `validate` and `test` clusters and Gaussians too.
        max_gib: Hold at most so many images of a split that they take this many GiB in 32-bit, and a warning says so;
            reconstructions, and PCA's, take as much again. 1 GiB is 340,000 images of 28 × 28 pixels, and 1,780 of
            224 × 224 in colour.
        pca: Measure PCA beside the model, on the same samples: as many components as a latent has numbers, or of a
            discrete code no more bits.
        seed: Fixes clustering and what is drawn.
        cache: Folder that keeps what depends on the data alone. A data set then pays once for PCA's measures, a small
            classifier, and JPEG's and WebP's curves; null keeps nothing.

    Raises:
        ConfigError: If a name is unknown or a number out of range.
    """

    def __init__(
        self,
        every_n_epochs: int = 5,
        draw_every_n_epochs: int = 20,
        num_images: int = 2000,
        training_measures: Choice = "cheap",
        measures: Choice = "all",
        training_pictures: Choice = "cheap",
        pictures: Choice = "all",
        projection: ProjectionName = "pca",
        convolution: int | None = None,
        max_train_images: int = 60_000,
        max_gib: float = 1.0,
        pca: bool = True,
        seed: int = 0,
        cache: str | None = "cache",
    ) -> None:

        for key, value, lowest in (
            ("every_n_epochs", every_n_epochs, 0),
            ("draw_every_n_epochs", draw_every_n_epochs, 0),
            ("num_images", num_images, 1),
            ("max_train_images", max_train_images, 1),
        ):
            require_at_least(f"evaluation.{key}", value, lowest)
        require_seed("evaluation.seed", seed)
        self.every_n_epochs = every_n_epochs
        self.draw_every_n_epochs = draw_every_n_epochs
        self.num_images = num_images
        # Unknown names are refused here, before a run is opened and trained for.
        self.training_measures = select_measures("evaluation.training_measures", training_measures)
        self.measures = select_measures("evaluation.measures", measures)
        self.training_pictures = select_pictures("evaluation.training_pictures", training_pictures)
        self.pictures = select_pictures("evaluation.pictures", pictures)
        self.projection = require_projection(projection)
        self.convolution = convolution
        self.max_train_images = max_train_images
        self.max_gib = max_gib
        self._max_bytes = bytes_of_gib("evaluation.max_gib", max_gib)
        self.pca = pca
        self.seed = seed
        self._cache = Cache(None if cache is None else expanded("evaluation.cache", cache))
        self._fit_samples: FitSamples | None = None
        self._shown: PictureCase | None = None
        self._has_told = False

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse what does not fit the model before anything is trained."""
        self._fit_samples = None
        if isinstance(pl_module, Autoencoder):
            require_convolution(pl_module, self.convolution)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Judge the validation split: a sample every few epochs of `fit`, the whole in `validate`."""
        is_amid = trainer.state.fn == TrainerFn.FITTING
        is_due = not is_amid or (self.every_n_epochs and (trainer.current_epoch + 1) % self.every_n_epochs == 0)
        if trainer.sanity_checking or not is_due:
            return
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        # Those before this one have ended their part of the validation.
        with average_in(callbacks[: callbacks.index(self)], trainer, pl_module):
            if is_amid:
                self._judge(trainer, pl_module, "val", self.training_measures, self.num_images, self.num_images)
            else:
                self._judge(trainer, pl_module, "val", self.measures, None, self.max_train_images)

    def on_test_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Judge the whole test split."""
        self._judge(trainer, pl_module, "test", self.measures, None, self.max_train_images)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw what was judged, now that Lightning has given its measures to the loggers."""
        callbacks: list[Callback] = [] if self._shown is None else trainer.callbacks  # type: ignore[attr-defined]
        with average_in(callbacks, trainer, pl_module), whole_parameters(trainer.strategy.model):
            self._draw(trainer, "val")

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw what was judged, now that Lightning has given its measures to the loggers."""
        with whole_parameters(trainer.strategy.model):
            self._draw(trainer, "test")

    def _judge(
        self,
        trainer: pl.Trainer,
        model: pl.LightningModule,
        stage: Literal["val", "test"],
        measures: Sequence[Measure],
        num_images: int | None,
        num_train_images: int,
    ) -> None:
        # Other modules and data have no splits to encode; Lightning's own loops serve them unchanged.
        data = data_of(trainer)
        if not isinstance(model, Autoencoder) or data is None:
            return

        done = None if trainer.state.fn == TrainerFn.FITTING else "judged"
        with whole_parameters(trainer.strategy.model), narrated(trainer, "judging", done) as parts:
            num_train_images = self._num_held(data, "train", num_train_images)
            num_images = self._num_held(data, stage, num_images)
            if model.conditional:
                rank_zero_warn(
                    f"{type(model).__name__} is given the class of each sample: measures of classes tell what its "
                    "codes say of it all the same, and compression counts no bits for it"
                )
            with parts.part("codes of the train split"):
                train = encode_split(trainer, model, data, "train", num_images=num_train_images, reconstruct=False)
            with parts.part(f"codes of the {stage} split"):
                evaluated = encode_split(trainer, model, data, stage, num_images=num_images)
            # On every rank: one that found fault alone would leave the others waiting.
            require_comparable(train, evaluated)
            values: dict[str, float] = {}
            if trainer.is_global_zero:
                self._tell_what_is_not_for(evaluated)
                split = fixed_sample(data.split(stage), num_images)
                case = self._case(model, data, train, evaluated, split, measures)
                if self.pca and trainer.state.fn == TrainerFn.FITTING:
                    case = replace(case, fit_samples=self._all_train_samples(data))
                self._tell_what_lacks_images(stage, measures, case)
                parts.expect(num_parts(measures, case, with_pca=self.pca))
                judgement = judge(measures, case, with_pca=self.pca, guard=partial(_told_and_left_out, parts))
                self._log_judgement(trainer, stage, judgement)
                values = {f"{stage}/{name}": value for name, value in judgement.values.items()}
                self._shown = self._picture_case(model, data, case, judgement, split.keys)
        values = trainer.strategy.broadcast(values)
        model.log_dict(values, rank_zero_only=False, sync_dist=False)

    def _all_train_samples(self, data: SeenData) -> FitSamples:
        """Return what PCA is fitted to after training, so that its measures during `fit` are of the same components."""
        if self._fit_samples is None:
            num = self._num_held(data, "train", self.max_train_images)
            self._fit_samples = FitSamples(
                lambda: data.scale(fixed_sample(data.split("train"), num).x).numpy(), self._cache
            )
        return self._fit_samples

    def _tell_what_is_not_for(self, evaluated: EncodedSplit) -> None:
        """Say once which of the chosen measures and pictures are for other samples than these."""
        met = Case(evaluated, evaluated, self.seed).given
        lacking: dict[str, list[str]] = {}
        chosen = (*self.training_measures, *self.measures, *self.training_pictures, *self.pictures)
        for part in dict.fromkeys(chosen):
            for need in sorted(part.needs & OF_SAMPLES - met)[:1]:
                lacking.setdefault(need, []).append(part.name)
        if lacking and not self._has_told:
            said = "; ".join(f"{', '.join(dict.fromkeys(names))} need {need}" for need, names in lacking.items())
            rank_zero_warn(f"not for these data, and so neither measured nor drawn: {said}")
        self._has_told = True

    def _tell_what_lacks_images(self, stage: str, measures: Sequence[Measure], case: Case) -> None:
        names = [measure.name for measure in measures if measure.needs - case.given == {MANY_IMAGES}]
        if names:
            there = f"there are {len(case.train):,} to train on and {len(case.evaluated):,} of the {stage} split"
            rank_zero_warn(f"not measured, for want of {MANY_IMAGES}: {', '.join(names)}; {there}")

    def _num_held(self, data: SeenData, name: SplitName, num_images: int | None) -> int:
        """Return how many images of a split are looked at: what is wanted, as far as ``max_gib`` allows."""
        split = data.split(name)
        wanted = len(split) if num_images is None else min(num_images, len(split))
        held = min(wanted, num_within(self._max_bytes, split.x.shape[1:]))
        if held < wanted:
            rank_zero_warn(
                f"evaluation.max_gib: {held:,} of {wanted:,} images of the {name} split are looked at; "
                f"all of them would take over {self.max_gib:g} GiB"
            )
        return held

    def _case(
        self,
        model: Autoencoder,
        data: SeenData,
        train: EncodedSplit,
        evaluated: EncodedSplit,
        split: Split,
        measures: Sequence[Measure],
    ) -> Case:

        needs = needs_of(measures)
        # What has no bounds has no peak to measure noise against either.
        is_corrupted = "corrupted images" in needs and evaluated.value_range is not None
        return Case(
            train=train,
            evaluated=evaluated,
            seed=self.seed,
            model=numpy_model(model),
            corrupted=corrupt_images(model, evaluated, self.seed) if is_corrupted else None,
            overlaid=overlay_images(data, split, self.seed) if "overlaid images" in needs else None,
            novel_class=data.novel_class,
            cache=self._cache,
            augment=partial(augment, data, model.device) if data.can_augment else None,
        )

    def _picture_case(
        self, model: Autoencoder, data: SeenData, case: Case, judgement: Judgement, keys: SampleKeys | None
    ) -> PictureCase:
        is_own = model.has("corrupt")
        description = "the variant's own corruption" if is_own else f"Gaussian noise of std {DEFAULT_NOISE}"
        return PictureCase(
            case=case,
            model_name=type(model).__name__,
            corruption=Corruption(description, partial(corrupt, model)),
            convolutions=partial(numpy_convolutions, model),
            class_names=plain_names(data.class_names),
            codecs=judgement.codecs,
            pca=(lambda: Baseline(case).model) if self.pca else None,
            projection=self.projection,
            convolution=self.convolution,
            key_of=None if keys is None else keys.__getitem__,
            feature_names=plain_names(data.feature_names),
        )

    def _log_judgement(self, trainer: pl.Trainer, stage: str, judgement: Judgement) -> None:
        if trainer.state.fn != TrainerFn.FITTING:
            for name, content in (("seconds", judgement.seconds), ("codecs", judgement.codecs)):
                self._log_data(trainer, content, f"{name}.json", f"evaluation/{stage}")

    def _log_data(self, trainer: pl.Trainer, content: Mapping[str, object], name: str, folder: str) -> None:
        if not content:
            return
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary, name)
            path.write_text(json.dumps(content, indent=2), encoding="utf-8")
            for tracker in run_loggers(trainer):
                tracker.log_file(path, folder)

    def _draw(self, trainer: pl.Trainer, stage: str) -> None:
        # Encoded splits are large: they are let go whatever becomes of the pictures.
        shown, self._shown = self._shown, None
        found = run_loggers(trainer)
        if shown is None or not found:
            return
        folder = "plots" if stage == "test" else f"plots/{stage}"
        # MLflow's image grid shows runs at one step: epochs align runs of any batch size; its slider starts at 0.
        epoch = trainer.current_epoch + 1 if trainer.state.fn == TrainerFn.FITTING else 0
        if epoch:
            folder = f"{folder}/epoch-{epoch:04d}"
        if epoch and (not self.draw_every_n_epochs or epoch % self.draw_every_n_epochs):
            return
        pictures = self.training_pictures if epoch else self.pictures
        if not pictures:
            return
        done = None if epoch else "drew"
        with tempfile.TemporaryDirectory() as temporary, narrated(trainer, "drawing", done) as parts:
            parts.expect(num_files(pictures, shown, with_pages=not epoch))
            guard = partial(_told_and_left_out, parts)
            for path in draw_pictures(pictures, shown, Path(temporary), with_pages=not epoch, guard=guard):
                for tracker in found:
                    tracker.log_file(path, folder)
                    if path.suffix == ".png":
                        tracker.log_picture(path, f"{stage}/{path.stem}", epoch)
        # A figure refers to itself and holds megabytes: left to itself, the collector comes for it much later.
        gc.collect()


@contextmanager
def _told_and_left_out(parts: Parts, what: str) -> Iterator[None]:
    with parts.part(what.removeprefix("the ")), left_out(what):
        yield


@contextmanager
def left_out(what: str) -> Iterator[None]:
    """Make one of several measures or pictures, and warn that it is left out, and why, if that fails.

    Args:
        what: Names it, such as `the measure ssim`.

    Raises:
        UserError: If that is what it raises: a wrong setting concerns all of them.
        Exception: Whatever says that memory or disk space is used up: no other has more of them.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or is_exhausted(error):
            raise
        rank_zero_warn(f"left out of the evaluation: {what}, which raised {type(error).__name__}: {first_line(error)}")
