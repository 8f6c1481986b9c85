"""Data modules of others, that yield `(x, y)`: their batches as ours, and their splits read once for the judge."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import lightning.pytorch as pl
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from ae_lightning.data.batch import Batch
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.loader_order import in_order
from ae_lightning.data.opened_data import fingerprint_of, some_of
from ae_lightning.data.splits import Split, SplitName
from ae_lightning.errors import ConfigError, DataError
from ae_lightning.labels import MISSING_LABEL
from ae_lightning.spec import DataSpec, kind_of
from ae_lightning.training.trainer_progress import num_batches_before

MAX_BYTES = 1 << 31
"""Of a split, what is read into memory for the judge at most, in 32-bit."""

STAGES: dict[SplitName, str] = {"train": "fit", "val": "fit", "test": "test"}

PROMISE = (
    "{name} is no data module of this package: resuming within an epoch, equal results on any number of ranks and the "
    "positions that predict writes are promised for data.name's own sources alone"
)

ON_THE_WAY = (
    "data: {name} has {hook}: a model trains on what that makes of batches, and measures, pictures and PCA look at "
    "what the loaders give; what all are to see belongs there"
)


class ForeignData:
    """Any LightningDataModule that yields `(x, y)`, as measures and pictures look at data.

    Each loader is read once, in the order of its data set where that can be had, and what was read is kept in memory.

    Args:
        module: Yields floating-point `x` as the model is to see it, alone or beside `y`; where `y` holds whole numbers,
            one a sample, they are the classes.
    """

    novel_class = None
    feature_names: tuple[str, ...] | None = None
    overlay = False
    num_skipped = 0
    notes: tuple[str, ...] = ()
    is_augmented = can_augment = False

    def __init__(self, module: pl.LightningDataModule) -> None:
        self.module = module
        self._splits: dict[SplitName, Split | None] = {}
        self._set_up: set[str] = set()
        self._is_example = False
        self._num_seen: dict[str, int] = {}

    @property
    def dataset_name(self) -> str:
        """The class's name."""
        return type(self.module).__name__

    @cached_property
    def spec(self) -> DataSpec:
        """What a sample is, as the train loader gives it; reads all loaders, since bounds and classes hold for all."""
        train = self.split("train")
        read = [self.split(name) for name in self.split_names]
        # What is scaled by the train split's own bounds lies a little outside of them in another.
        bounded = all(float(split.x.min()) >= 0 and float(split.x.max()) <= 1 for split in read)
        classes = [int(split.labels.max()) + 1 for split in read if split.labels is not None]
        return DataSpec(
            train.shape,
            kind_of(train.shape),
            value_range=(0.0, 1.0) if bounded else None,
            num_train=len(train),
            num_classes=0 if train.labels is None else max(classes),
        )

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """Names of the classes: their numbers."""
        return tuple(map(str, range(self.spec.num_classes))) or None

    @property
    def split_names(self) -> tuple[SplitName, ...]:
        """Names of the splits that it has loaders of."""
        return tuple(name for name in STAGES if self._read(name) is not None)

    def num_samples(self, name: SplitName) -> int:
        """Count the samples of a split."""
        return len(self.split(name))

    def split(self, name: SplitName) -> Split:
        """Return a split in memory; reads its loader at first need.

        Raises:
            ConfigError: If it has no such loader.
        """
        split = self._read(name)
        if split is None:
            raise ConfigError(f"data: {self.dataset_name} has no {name} split; define {name}_dataloader")
        return split

    def fingerprints(self) -> dict[str, str]:
        """Return what tells each split's samples from others, by name."""
        return {name: fingerprint_of(some_of(self.split(name).x), self.num_samples(name)) for name in self.split_names}

    def scale(self, x: Tensor) -> Tensor:
        """Return samples as they are: they come scaled."""
        return x

    def augment(self, x: Tensor, seed: int) -> Tensor:
        """Return images as they are: what a module of others does to its own is not known."""
        return x

    def give_batches(self, example: Any, *, with_labels: bool, num_views: int = 1) -> None:
        """Let the module's batches reach steps and callbacks as ours.

        Its own hooks are called first: Lightning takes a data module's hooks before a model's.

        Args:
            example: What Lightning summarises the model with, which goes through the same hooks and is no batch.
            with_labels: Whether the model needs labels.
            num_views: How many views the model asks for, `x` itself included; all are the same here.
        """
        module = self.module
        before, after = (
            getattr(type(module), f"on_{when}_batch_transfer").__get__(module) for when in ("before", "after")
        )

        def note(batch: Any, dataloader_idx: int) -> Any:
            self._is_example = batch is example
            return before(batch, dataloader_idx)

        def convert(batch: Any, dataloader_idx: int) -> Any:
            batch = after(batch, dataloader_idx)
            trainer = module.trainer
            if self._is_example or isinstance(batch, Batch) or trainer is None:
                return batch
            first = self._num_seen_before(trainer)
            ours = as_batch(batch, first, trainer.global_rank, trainer.world_size, with_labels=with_labels)
            self._num_seen[str(trainer.state.stage)] = first + len(ours.x)
            return ours._replace(views=(ours.x,) * (num_views - 1))

        module.on_before_batch_transfer = note  # type: ignore[method-assign]
        module.on_after_batch_transfer = convert  # type: ignore[method-assign]

    def _num_seen_before(self, trainer: pl.Trainer) -> int:
        """Return how many samples of this rank came before a batch: batches may be of different sizes."""
        return self._num_seen.get(str(trainer.state.stage), 0) if num_batches_before(trainer) else 0

    def _overrides(self, hook: str) -> bool:
        return getattr(type(self.module), hook) is not getattr(pl.LightningDataModule, hook)

    def _say_what_is_not_seen(self) -> None:
        """Warn of a module that changes batches after its loaders: asked without a Trainer, its hooks may fail."""
        for hook in ("on_before_batch_transfer", "on_after_batch_transfer"):
            if self._overrides(hook):
                rank_zero_warn(ON_THE_WAY.format(name=self.dataset_name, hook=hook))

    def _read(self, name: SplitName) -> Split | None:
        if name not in self._splits:
            if not self._splits:
                self._say_what_is_not_seen()
            loader = self._loader(name)
            self._splits[name] = None if loader is None else read_split(loader, f"data: {self.dataset_name}", name)
        return self._splits[name]

    def _loader(self, name: SplitName) -> Iterable[Any] | None:
        hook = f"{name}_dataloader"
        if not self._overrides(hook):
            return None
        if not self._set_up:
            self.module.prepare_data()
        if STAGES[name] not in self._set_up:
            self.module.setup(STAGES[name])
            self._set_up.add(STAGES[name])
        loader: Iterable[Any] | None = getattr(self.module, hook)()
        # Asked for its truth, torch's loader of a stream would be asked for its length, which it does not know.
        return None if isinstance(loader, list) and not loader else loader


def read_split(loader: Iterable[Any], whose: str, name: SplitName) -> Split:
    """Read a loader's samples, and their classes where it has some.

    Args:
        loader: Yields `x`, `(x, y)` or our `Batch`.
        whose: Begins messages.
        name: Of the split.

    Raises:
        DataError: If it yields anything else, or nothing, or values that are not finite.
    """
    rows, labels, num_bytes = [], [], 0
    for given in in_order(loader):
        x, y = pair(given, whose)
        rows.append(x.cpu().float())
        if not rows[-1].isfinite().all():
            raise DataError(f"{whose}: its {name} loader yields values that are NaN, infinite or too large for 32 bits")
        labels.append(torch.full((len(x),), MISSING_LABEL) if y is None else y.cpu())
        num_bytes += x.numel() * 4
        if num_bytes > MAX_BYTES:
            num = sum(map(len, rows))
            rank_zero_warn(
                f"{whose}: measures and pictures look at the first {num:,} samples of the {name} split alone"
            )
            break
    if not rows:
        raise DataError(f"{whose}: its {name} loader yields nothing")
    joined = torch.cat(labels)
    known = bool((joined != MISSING_LABEL).any())
    return Split(torch.cat(rows).contiguous(), joined if known else None)


def pair(given: Any, whose: str = "data") -> tuple[Tensor, Tensor | None]:
    """Return the samples of a batch of others, and their classes, int64, where it has some.

    Raises:
        DataError: If it is neither a tensor nor begins with one, or holds whole numbers for samples.
    """
    if isinstance(given, Batch):
        return given.x, given.labels
    x, y = (
        (given[0], given[1] if len(given) > 1 else None) if isinstance(given, list | tuple) and given else (given, None)
    )
    if not isinstance(x, Tensor) or x.ndim < 2:
        raise DataError(
            f"{whose}: a batch must be x or (x, y), x a tensor of shape (B, …), and not {type(given).__name__}"
        )
    if not x.is_floating_point():
        raise DataError(f"{whose}: x is {x.dtype}; give floating-point values, scaled as the model is to see them")
    is_class = isinstance(y, Tensor) and y.shape == x.shape[:1] and not y.is_floating_point()
    return x if x.dtype == torch.float64 else x.float(), y.long() if is_class and isinstance(y, Tensor) else None


def as_batch(given: Any, first: int, rank: int, world_size: int, *, with_labels: bool) -> Batch:
    """Return a batch of others as ours.

    Args:
        given: On the device.
        first: How many of this process's samples came before it.
        rank: This process's.
        world_size: How many processes there are; each is taken to have a batch of this size.
        with_labels: Whether the model needs labels; where there are none they are all missing.
    """
    x, y = pair(given)
    size = len(x)
    labels = None
    if with_labels:
        labels = torch.full((size,), MISSING_LABEL, device=x.device) if y is None else y
    if x.ndim == 4:
        x = x.to(memory_format=torch.channels_last)
    # as Lightning's distributed sampler deals them out: one after the other
    indices = (first + torch.arange(size, device=x.device)) * world_size + rank
    return Batch(x, labels, indices, offset=rank * size, global_size=world_size * size)


SeenData = DataModule | ForeignData
"""Data as measures and pictures look at them."""

_SEEN_AS = "_ae_lightning_seen_as"


def seen_data(module: pl.LightningDataModule) -> SeenData:
    """Return a data module as measures look at it: our own itself, any other through `ForeignData`, always the same."""
    if isinstance(module, DataModule):
        return module
    # Kept in the module, so that both are gone together.
    if _SEEN_AS not in vars(module):
        vars(module)[_SEEN_AS] = ForeignData(module)
    seen: ForeignData = vars(module)[_SEEN_AS]
    return seen


def data_of(trainer: pl.Trainer) -> SeenData | None:
    """Return the Trainer's data as measures look at them; None where it has bare loaders."""
    module = getattr(trainer, "datamodule", None)
    return None if module is None else seen_data(module)
