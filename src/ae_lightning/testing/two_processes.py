"""That two processes train and judge a variant as one does, and the settings that all of the suite's tests share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from ae_lightning.data.augmentation_settings import Given
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks import Conv
from ae_lightning.spec import DataSpec
from ae_lightning.testing.cases import describe, modes, optimizer_arguments
from ae_lightning.testing.ranks import train_in_ranks
from ae_lightning.testing.training import NUM_CLASSES, Training, TrainingJob, write_images

Mode = Mapping[str, Any]
"""Constructor arguments that are tried beside the suite's own."""

SMALL_SHAPE = (1, 8, 8)
SMALL_SPEC = DataSpec(SMALL_SHAPE, num_classes=NUM_CLASSES)


class TwoProcesses:
    """A variant, its modes, and its training in two processes.

    Attributes:
        variant: The class under test, importable by its name.
        options: Constructor arguments that every test passes.
        spec: The samples that the variant is trained on; of vectors, give `options` a network that takes them.
        augment: `data.augment` of trainings; a variant that asks for several views needs one.
        epochs: Of a short training, 8 batches each; enough that every phase has its turn.
        rank_strategy: The Trainer's strategy of two processes; by default `ddp`, told of unused parameters where the
            variant has some; None where equality cannot hold, with a reason given in the subclass.
        rank_tolerance: Largest difference of two processes from one, relative to the norm.
    """

    variant: ClassVar[type[Autoencoder]]
    options: ClassVar[Mapping[str, Any]] = {}
    spec: ClassVar[DataSpec] = SMALL_SPEC
    augment: ClassVar[Sequence[Given] | None] = None
    epochs: ClassVar[int] = 3
    rank_strategy: ClassVar[str | None] = "auto"
    rank_tolerance: ClassVar[float] = 2e-6

    @classmethod
    def modes(cls) -> list[dict[str, Any]]:
        """Return what the training tests run with: the defaults, and each countable argument's other values."""
        return modes(cls.variant, fixed=cls._settled())

    @classmethod
    def _settled(cls) -> set[str]:
        """Return the arguments that are no modes of the variant: those given, and those that every variant has."""
        return {*cls.options, *signature(Autoencoder).parameters}

    @classmethod
    def small_options(cls) -> dict[str, Any]:
        """Return what the training tests build the variant with, unless it is given otherwise."""
        optimizer = partial(torch.optim.Adam, lr=3e-3)
        return {
            "spec": cls.spec,
            "network": Conv(filters=[8, 16], kernel_size=3),
            "latent_dim": 8,
            "optimizer": optimizer,
        }

    @pytest.fixture(scope="class")
    @classmethod
    def rank_archive(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Write 75 images, the last of whose global batches of 10 is uneven, and 7 to validate on."""
        return write_images(tmp_path_factory.mktemp("ranks"), cls.spec, num_train=82)

    @pytest.fixture(scope="class")
    @classmethod
    def rank_pairs(cls, rank_archive: Path) -> Callable[[Mode], tuple[Training, Training]]:
        """Give a mode's training in one process and in two; the modes beside the defaults share one launch."""
        if cls.rank_strategy is None:
            pytest.skip("this variant's training in two processes is not that in one")
        data = {"name": "npz", "path": str(rank_archive), "batch_size": 10, "num_val": 7, "augment": cls.augment}
        leaves_out = "ddp_find_unused_parameters_true" if cls.variant.leaves_parameters_out else "ddp"
        strategy = leaves_out if cls.rank_strategy == "auto" else cls.rank_strategy
        trained: dict[str, tuple[Training, Training]] = {}

        def pair(wanted: Mode) -> tuple[Training, Training]:
            if describe(wanted) not in trained:
                launched = [mode for mode in cls.modes() if bool(mode) == bool(wanted)]
                jobs = {describe(mode): cls._rank_job(mode, data) for mode in launched}
                together = train_in_ranks(list(jobs.values()), strategy=strategy)
                trained.update(
                    {name: (job.run(), shared) for (name, job), shared in zip(jobs.items(), together, strict=True)}
                )
            return trained[describe(wanted)]

        return pair

    def test_two_processes_train_as_one(
        self, trained_mode: Mode, rank_pairs: Callable[[Mode], tuple[Training, Training]]
    ) -> None:
        """Two processes get the gradients and the weights of one on the same global batches, noise included."""
        alone, together = rank_pairs(trained_mode)
        assert len(together.gradients) == len(alone.gradients) > 1
        for expected, found in zip(alone.gradients, together.gradients, strict=True):
            assert (found - expected).norm() <= self.rank_tolerance * expected.norm()
        assert (together.weights - alone.weights).norm() <= self.rank_tolerance * alone.weights.norm()

    def test_two_processes_judge_as_one(
        self, trained_mode: Mode, rank_pairs: Callable[[Mode], tuple[Training, Training]]
    ) -> None:
        """Two processes log the `val/loss` and the terms of one, however unevenly they share the split."""
        alone, together = rank_pairs(trained_mode)
        assert together.validation == pytest.approx(alone.validation, rel=1e-5)

    @classmethod
    def _rank_job(cls, mode: Mode, data: Mapping[str, Any]) -> TrainingJob:
        # Plain descent: Adam's division would blow a rounding error up where a gradient is almost zero.
        descent = dict.fromkeys(optimizer_arguments(cls.variant), partial(torch.optim.SGD, lr=1e-2))
        options = {**cls.small_options(), **descent, **cls.options, **mode}
        return TrainingJob(cls.variant, options, data, cls.epochs)
