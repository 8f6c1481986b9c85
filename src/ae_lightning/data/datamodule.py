"""One data module for every source of samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ae_lightning.checks import expanded, require_at_least, require_name, require_seed
from ae_lightning.data.augmentation_settings import Given
from ae_lightning.data.augmenting import Augmenter
from ae_lightning.data.holding_out import MAX_DEFAULT_VAL, TrainValDivider
from ae_lightning.data.image_folder.decoding import Resize
from ae_lightning.data.image_folder.faults import OnError
from ae_lightning.data.image_folder.settings import FolderLabels
from ae_lightning.data.loader import ResumableLoader
from ae_lightning.data.memory import OnDevice, device_to_keep_on
from ae_lightning.data.opened_data import LoadedData, OpenedData, Origins
from ae_lightning.data.sampling import Sampling
from ae_lightning.data.scaled_data import ScaledData
from ae_lightning.data.scaling import Scaling, value_range
from ae_lightning.data.source import STREAM, check_source, check_stream_settings, find_source, load_data, takers_of
from ae_lightning.data.source_settings import Missing, SourceSettings
from ae_lightning.data.splits import DataSet, Split, SplitName
from ae_lightning.data.store.cache import DataCache
from ae_lightning.errors import ConfigError
from ae_lightning.spec import DataSpec, kind_of

ROOT_VARIABLE = "AE_LIGHTNING_DATA"


class DataModule(ScaledData):
    """Samples of any source, divided into train, validation and test splits that have no sample in common.

    Args:
        name: The source: ``digits`` (scikit-learn's, needs no file), ``mnist``, ``fashion_mnist``,
            ``kmnist``, ``cifar10`` (torchvision's files; downloaded where missing), ``folder`` (a tree of
            image files), ``npz`` (a NumPy archive with ``x_train``, ``x_test`` and perhaps ``y_train``, ``y_test``, or
            as others name them, or a single array; images, or vectors of features), ``table`` (vectors in ``.csv`` or
            ``.parquet`` files), ``torchvision`` (any other of its sets of images with a class each), ``huggingface``
            (images as its ``datasets`` has them), ``stream`` (what ``convert`` wrote: the train split stays on disk) or
            ``arrays`` (those that ``ael.fit`` is given in Python).
        root: Folder of the torchvision sets; null takes the environment variable AE_LIGHTNING_DATA, or
            ``data`` where that is not set.
        path: The folder or file of the source. That is the tree of images of ``folder``, the file of ``npz``, that of
            ``table`` or a folder of one for each split, the folder of ``stream`` or its address (``s3://…``), and of
            ``huggingface`` what ``save_to_disk`` wrote, a folder of Parquet files, or a name on the hub; null for all
            other sources.
        dataset: Which set ``torchvision`` reads, by the name of its class, such as SVHN. ``docs/data.md`` lists them.
        dataset_options: Further arguments of that class, such as ``{split: letters}`` of EMNIST; of ``huggingface``,
            those of ``load_dataset`` that say what is read: name, revision, data_dir, data_files.
        image_column: Column of ``huggingface`` that holds images; null takes the only one of that type.
        label_column: Column of ``huggingface`` that holds labels, whole numbers or words; null takes the only one of
            classes.
        target: Column of ``table`` that holds labels. Words are classes by name, whole numbers by number; −1 or nothing
            is a label that is missing. Null takes all columns for features.
        missing: What becomes of missing values of ``table``. ``mean`` puts the mean of the train split there, ``drop``
            leaves such rows out; null refuses them.
        batch_size: Samples per step and rank.
        scaling: What becomes of values. ``unit`` divides bytes by 255 and 16-bit numbers by 65,535, and takes floating
            point from 0 to 1 as it is; ``image_max`` divides each image by its own maximum, b, so that its squared
            error, in losses and in ``mse``, is 1/b² times what it is under ``unit``; ``dataset_max`` divides all
            by the largest value of the train split (what is larger elsewhere becomes 1); ``standard`` subtracts each
            value's mean over the train split and divides by its standard deviation there; ``none`` leaves all as
            stored. ``auto`` is ``unit`` for images and ``standard`` for vectors. A checkpoint keeps what was taken from
            the train split, so that other data are scaled alike.
        num_val: Training samples to hold out for validation. 0 holds out none; null holds out 5,000
            of a torchvision set (a tenth of it at most), a tenth of any other. Where the source has a validation split
            of its own, that is used, and a number is refused. A ``stream`` was divided by ``convert``,
            which takes this, ``split_seed`` and ``leave_out_class`` in its place.
        image_size: Height and width in pixels of images in files; null takes the size that most of them have. Those of
            ``folder`` and ``huggingface`` are, and many of ``torchvision``'s.
        resize: What becomes of other aspect ratios. Of images in files, ``squash`` changes them, ``crop`` cuts off what
            is too much beside the middle, ``pad`` adds black borders. Null squashes where all are within 5 %, and crops
            all where some are not; a checkpoint keeps which.
        splits: Folders of its splits, as ``{train: DIR, val: DIR, test: DIR}``. They lie below the ``path`` of
            ``folder``, and ``train`` is needed; of ``table`` they are files, of ``huggingface`` names. Null takes what
            is called after splits, if all at the top is.
        labels: Whether folders are classes. ``folders`` takes those of ``folder`` for such, images beside them having
            no label; ``none`` takes none. Null takes two or more folders side by side for classes.
        split_seed: Fixes which samples are held out. They are for validation, and for test where the source has no
            test split.
        seed: Fixes the order in which the training samples come, together with the epoch.
        predict_split: The split that ``predict`` goes through.
        leave_out_class: A class, by name or number, whose samples are in the test split alone; null for none. How they
            stand out is then measured. Those without a label, which may be of
            that class, are taken out of train and val too.
        overlay: In evaluation, also lay each image over one of another class (pixelwise maximum). It is measured
            whether the code shows both.
        on_error: What becomes of damaged images in files. ``raise`` ends the run before it begins,
            ``skip`` leaves the image out and counts it; the first 20 are named in warnings. A file that the machine
            does not give (no permission, a failing disk) ends the run either way. All images are read before training.
        follow_links: Follow links out of ``folder``; a warning names those that are not followed.
        cache: Where decoded images are kept. Those of files are there at the next start, and the files of a
            ``stream`` at an address are fetched there; null keeps none.
        cache_gib: How many GiB of them at most; those longest unused are thrown out.
        on_device: Whether a split stays on the GPU. Batches are then made there without waiting for the host;
            ``auto`` where one takes at most a quarter of the free memory. The train split of ``stream`` never does.
        augment: Random changes of training images, such as ``[RandomHorizontalFlip]``. Each is a name, or
            ``{class_path: RandomAffine, init_args: {degrees: 10}}``. There are RandomAffine, RandomHorizontalFlip,
            RandomCrop, RandomResizedCrop, ColorJitter, RandomErasing, GaussianNoise and GaussianBlur, with the
            arguments of torchvision's transforms v2; any other transform is found by its dotted path, and slower.
            Validation, tests and measures see images as they are.

    Raises:
        ConfigError: If a setting is unknown, out of range, or does not belong to the source.
    """

    def __init__(
        self,
        name: str = "digits",
        root: str | None = None,
        path: str | None = None,
        dataset: str | None = None,
        dataset_options: dict[str, Any] | None = None,
        image_column: str | None = None,
        label_column: str | None = None,
        target: str | None = None,
        missing: Missing | None = None,
        batch_size: int = 128,
        scaling: Scaling = "auto",
        num_val: int | None = None,
        image_size: int | None = None,
        resize: Resize | None = None,
        splits: dict[SplitName, str] | None = None,
        labels: FolderLabels | None = None,
        split_seed: int = 0,
        seed: int = 0,
        predict_split: SplitName = "test",
        leave_out_class: int | str | None = None,
        overlay: bool = False,
        on_error: OnError = "raise",
        follow_links: bool = False,
        cache: str | None = "cache",
        cache_gib: float = 20.0,
        on_device: OnDevice = "auto",
        augment: Sequence[Given] | None = None,
    ) -> None:
        super().__init__()
        self.settings = SourceSettings(
            image_size=image_size,
            resize=resize,
            splits=splits,
            labels=labels,
            on_error=on_error,
            follow_links=follow_links,
            path=path,
            dataset=dataset,
            dataset_options=dataset_options,
            image_column=image_column,
            label_column=label_column,
            target=target,
            missing=missing,
        )
        check_source(name, self.settings)
        self._cache = DataCache(None if cache is None else expanded("data.cache", cache), cache_gib)
        require_at_least("data.batch_size", batch_size)
        require_at_least("data.num_val", 0 if num_val is None else num_val, 0)
        require_seed("data.split_seed", split_seed)
        require_seed("data.seed", seed)
        if name == STREAM:
            check_stream_settings(num_val, split_seed, leave_out_class, on_device)
        self.augmenter = Augmenter(augment, seed)
        augment = self.augmenter.settings
        # not for the logger: what it logs of a model must not clash with the names here
        self.save_hyperparameters(logger=False)
        self.name: str = name
        self.root = root
        self.path = path
        self.batch_size = batch_size
        self.scaling: Scaling = require_name("data.scaling", scaling, Scaling)
        self.num_val = num_val
        self.split_seed = split_seed
        self.seed = seed
        self.predict_split: SplitName = require_name("data.predict_split", predict_split, SplitName)
        self.leave_out_class = leave_out_class
        self.overlay = overlay
        self.on_device: OnDevice = on_device
        self._contents: OpenedData | None = None

    @property
    def spec(self) -> DataSpec:
        """What a sample is, as scaled; loads the data.

        Raises:
            DataError: If they are missing or damaged.
        """
        contents = self._load()
        return DataSpec(
            contents.shape,
            kind_of(contents.shape),
            value_range(self._settled_scaling(contents)),
            num_train=contents.num_samples["train"],
            num_classes=len(contents.class_names or ()),
            factors=contents.factors,
        )

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Name of each class, None where the samples are unlabelled; loads the data."""
        return self._load().class_names

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """What each value of a vector is called, None where they have no names; loads the data."""
        return self._load().feature_names

    @property
    def novel_class(self) -> int | None:
        """Number of the class left out of training, None where none is; loads the data."""
        return self._load().novel_class

    @property
    def num_skipped(self) -> int:
        """Number of files left out because they cannot be read; loads the data."""
        return self._load().num_skipped

    @property
    def notes(self) -> tuple[str, ...]:
        """How the source was understood, and what was left out, in a few words each; loads the data."""
        contents = self._load()
        if self.settings.resize is None or "resize" in contents.settled:
            return contents.notes
        unused = f"data.resize {self.settings.resize} has no effect: it is for {takers_of('resize')} only"
        return (*contents.notes, unused)

    @property
    def dataset_name(self) -> str:
        """Name of the data set: the source's, or that of the user's own folder or file."""
        if self.name == STREAM:
            return Path(self.path or "").expanduser().resolve().name
        return find_source(self.name).called(self.settings)

    @property
    def split_names(self) -> tuple[SplitName, ...]:
        """Names of the splits there are: no `val` where none are held out; loads the data."""
        return tuple(self._load().num_samples)

    def num_samples(self, name: SplitName) -> int:
        """Count the samples of a split, those that stay on disk too; loads the data.

        Args:
            name: ``train``, ``val`` or ``test``, if there is one.
        """
        return self._load().num_samples[name]

    def split(self, name: SplitName) -> Split:
        """Give the samples and labels of a split; loads the data at first need.

        Args:
            name: ``train``, ``val`` or ``test``.

        Returns:
            The split, as it is stored. Of a train split that stays on disk, a fixed sample: at most 60,000 images and
            256 MiB.

        Raises:
            ConfigError: If it is the validation split and ``num_val`` is 0, ``num_val`` is too large, or a class is
                asked for that is not there.
            DataError: If the samples are missing or damaged.
        """
        return self._contents_with(name).split(name)

    def origins(self, name: SplitName, positions: NDArray[np.int64]) -> Origins:
        """Say what samples of a split are called at their source and which class they are of, those on disk too."""
        return self._contents_with(name).origins(name, positions)

    def prepare_data(self) -> None:
        """Download the files where they are missing, on one rank of each machine, and read them."""
        self._load()

    def setup(self, stage: str) -> None:
        """Read the data into memory, if that has not happened yet; before a training, import what augments them.

        Args:
            stage: Lightning's name of what comes next; every stage needs the same data.
        """
        contents = self._load()
        if stage == "fit" and not self.augmenter.is_ready:
            self.augmenter.import_all()
            self._check_augmentation(contents)

    def train_dataloader(self) -> ResumableLoader:
        """Give batches of the train split, in a new order each epoch."""
        # Trainer(overfit_batches=...) wants the same batches in every epoch, and cannot reorder this loader
        overfit = self.trainer is not None and getattr(self.trainer, "overfit_batches", 0) > 0
        return self._loader("train", "stored" if overfit else "new")

    def val_dataloader(self) -> ResumableLoader | list[ResumableLoader]:
        """Give mixed batches of the validation split, always the same; no loader at all where there is no such split.

        Some objectives take a batch for a sample of the data, which it is not in the order of a folder: class by class.
        """
        return self._loader("val", "mixed") if "val" in self.split_names else []

    def test_dataloader(self) -> ResumableLoader:
        """Give mixed batches of the test split, always the same."""
        return self._loader("test", "mixed")

    def predict_dataloader(self) -> ResumableLoader:
        """Give batches of the split chosen by ``predict_split`` in order."""
        return self._loader(self.predict_split, "stored")

    def _loader(self, name: SplitName, order: Literal["stored", "mixed", "new"]) -> ResumableLoader:
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        # runs of other seeds are judged on the same batches
        fixed = order == "mixed"
        seed = self.split_seed if fixed else self.seed
        sampling = Sampling(self.batch_size, order != "stored", seed, rank, world_size, fixed)
        with_labels = getattr(getattr(self.trainer, "lightning_module", None), "needs_labels", False)
        return self._contents_with(name).loader(name, sampling, partial(self._kept_on, name), with_labels=with_labels)

    def _kept_on(self, name: SplitName, split: Split) -> torch.device | None:
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        return device_to_keep_on(self.on_device, device, split.x.nbytes, f"the {name} split")

    def read(self) -> DataSet:
        """Read the data set as its source has it, before anything is held out or left out.

        Raises:
            DataError: If the samples are missing or damaged.
        """
        return load_data(
            self.name,
            self.settings,
            root=self.root or os.environ.get(ROOT_VARIABLE) or "data",
            split_seed=self.split_seed,
            cache=self._cache,
        )

    def divider(self, max_default_val: int) -> TrainValDivider:
        """Return what divides the samples of a source as the settings say.

        Args:
            max_default_val: How many samples are held out at most where ``num_val`` leaves it open.
        """
        return TrainValDivider(self.dataset_name, self.leave_out_class, self.num_val, max_default_val, self.split_seed)

    def _contents_with(self, name: SplitName) -> OpenedData:
        contents = self._load()
        if name not in contents.num_samples:
            raise ConfigError(f"there is no {name} split: data.num_val holds out no samples")
        return contents

    def _load(self) -> OpenedData:
        if self._contents is None:
            contents = self._open_stream() if self.name == STREAM else self._read_into_memory()
            if self.overlay and kind_of(contents.shape) != "image":
                raise ConfigError(f"data.overlay lays images over each other; {self.dataset_name} has none")
            if self.overlay and len(contents.class_names or ()) < 2:
                name = self.dataset_name
                raise ConfigError(f"data.overlay lays images of two classes over each other; {name} has none")
            contents.check_range(self._settled_scaling(contents), self.dataset_name)
            self._check_augmentation(contents)
            # What was left open is part of what a checkpoint must restore.
            self.hparams.update(contents.settled)
            self._contents = contents
        return self._contents

    def _check_augmentation(self, contents: OpenedData) -> None:
        self.augmenter.require_takes(self.dataset_name, contents.shape, value_range(self._settled_scaling(contents)))

    def _open_stream(self) -> OpenedData:
        # What describes a stream takes a tenth of a second to import.
        from ae_lightning.data.store.stream import Stream

        return Stream(self.path or "", self._cache)

    def _read_into_memory(self) -> LoadedData:
        data = self.read()
        divider = self.divider(MAX_DEFAULT_VAL if find_source(self.name).is_published else len(data.train))
        val_labels = None if data.val is None else data.val.labels_or_missing()
        return LoadedData(data, divider.divide(data.train.labels_or_missing(), data.class_names, val_labels))
