"""What holds for every autoencoder, whatever its objective; see the package's docstring for how to use it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
import torch
from torch import Tensor

from ae_lightning.autoencoder import Autoencoder
from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.data.datamodule import ImageDataModule
from ae_lightning.judging.directions import metric_names
from ae_lightning.losses.reconstruction import ReconstructionName
from ae_lightning.networks import Conv, Shape
from ae_lightning.testing.cases import choices, describe, find_networks, modes, optimizer_arguments, pairwise_cases
from ae_lightning.testing.ranks import train_in_ranks
from ae_lightning.testing.training import (
    GradientRecorder,
    Precision,
    Training,
    TrainingJob,
    build_trainer,
    draws_for,
    generate_batch,
    one_thread,
    validation_terms,
    weights_of,
    write_images,
)

Mode = Mapping[str, Any]
"""Constructor arguments that are tried beside the suite's own."""

SMALL_SHAPE = (1, 8, 8)

PRECISIONS: tuple[Precision, ...] = ("32-true", "bf16-mixed")


class VariantSuite:
    """Tests to inherit: set `variant`, and `options` where its constructor needs some.

    Attributes:
        variant: The class under test, importable by its name.
        options: Constructor arguments that every test passes.
        shapes: Channels, height and width of the images that every network meets.
        latent_dims: Lengths of a code, the last of them overcomplete.
        epochs: Of a short training, 8 batches each; enough that every phase has its turn.
        overfit_epochs: Steps on one batch of 16 images.
        overfit_share: Share of `val/loss` that they must take away.
        bf16_tolerance: Largest relative difference of the objective between bf16 autocast and fp32.
        bf16_pixel_tolerance: Largest mean difference of a reconstruction's pixel between them.
        rank_strategy: The Trainer's strategy of two processes; by default `ddp`, told of unused parameters where the
            variant has some; None where equality cannot hold, with a reason given in the subclass.
        rank_tolerance: Largest difference of two processes from one, relative to the norm.
    """

    pytestmark: ClassVar = [pytest.mark.filterwarnings("ignore:::lightning")]

    variant: ClassVar[type[Autoencoder]]
    options: ClassVar[Mapping[str, Any]] = {}
    shapes: ClassVar[tuple[Shape, ...]] = ((1, 8, 8), (3, 8, 8), (1, 9, 7), (3, 7, 10))
    latent_dims: ClassVar[tuple[int, ...]] = (2, 1, 240)
    epochs: ClassVar[int] = 3
    overfit_epochs: ClassVar[int] = 150
    overfit_share: ClassVar[float] = 0.3
    bf16_tolerance: ClassVar[float] = 0.02
    bf16_pixel_tolerance: ClassVar[float] = 0.01
    rank_strategy: ClassVar[str | None] = "auto"
    rank_tolerance: ClassVar[float] = 2e-6

    @classmethod
    def modes(cls) -> list[dict[str, Any]]:
        """Return what the training tests run with: the defaults, and each countable argument's other values."""
        return modes(cls.variant, fixed=cls._settled())

    @classmethod
    def cases(cls) -> list[dict[str, Any]]:
        """Return the combinations of network, shape, code, loss and mode in which any two values meet."""
        own = {name: values for name, values in choices(cls.variant).items() if name not in cls._settled()}
        factors = {
            "network": find_networks(),
            "input_shape": cls.shapes,
            "latent_dim": cls.latent_dims,
            "reconstruction": get_args(ReconstructionName),
            **own,
        }
        return pairwise_cases({name: values for name, values in factors.items() if name not in cls.options})

    @classmethod
    def _settled(cls) -> set[str]:
        """Return the arguments that are no modes of the variant: those given, and those that every variant has."""
        return {*cls.options, *signature(Autoencoder).parameters}

    @classmethod
    def build(cls, **options: Any) -> Autoencoder:
        """Build the variant on a small network, the same weights every time."""
        torch.manual_seed(0)
        return cls.variant(**{**cls.small_options(), **cls.options, **options})

    @classmethod
    def small_options(cls) -> dict[str, Any]:
        """Return what the training tests build the variant with, unless it is given otherwise."""
        optimizer = partial(torch.optim.Adam, lr=3e-3)
        return {
            "input_shape": SMALL_SHAPE,
            "network": Conv(filters=[8, 16], kernel_size=3),
            "latent_dim": 8,
            "optimizer": optimizer,
        }

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give each test its cases or modes."""
        if "case" in metafunc.fixturenames:
            metafunc.parametrize("case", self.cases(), ids=describe)
        if "mode" in metafunc.fixturenames:
            metafunc.parametrize("mode", self.modes(), ids=describe)

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _one_thread(cls) -> Iterator[None]:
        """Compute on one thread: on images this small more only wait for each other."""
        with one_thread():
            yield

    @pytest.fixture(scope="class")
    @classmethod
    def archive(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Write 128 training and 16 validation images; return the file."""
        return write_images(tmp_path_factory.mktemp("images"), SMALL_SHAPE, num_train=144)

    @pytest.fixture
    def data(self, archive: Path) -> ImageDataModule:
        """Give those images in batches of 16."""
        return ImageDataModule(name="npz", path=str(archive), batch_size=16, num_val=16)

    # Shapes and the objective: any network, shape, code and loss.

    def test_shapes(self, case: dict[str, Any]) -> None:
        """Codes, reconstructions and samples have the shapes that the case asks for, and are float32."""
        model = self.build(**case).eval()
        x_BCHW = generate_batch(case["input_shape"], 3)
        with torch.no_grad():
            z_BL = model.encode(x_BCHW)
            images = [model.decode(z_BL), model.reconstruct(x_BCHW), model(x_BCHW), model.sample(3)]
        assert z_BL.shape == (3, case["latent_dim"])
        assert [image.shape for image in images] == [x_BCHW.shape] * 4
        assert {tensor.dtype for tensor in (z_BL, *images)} == {torch.float32}

    def test_samples_are_images(self, case: dict[str, Any]) -> None:
        """Samples lie in [0, 1] wherever the output has an activation, and are finite everywhere."""
        model = self.build(**case).eval()
        samples = model.sample(5)
        assert samples.isfinite().all()
        if model.reconstruction.output_activation != "identity":
            assert samples.min() >= 0
            assert samples.max() <= 1

    def test_loss_is_finite_and_differentiable(self, case: dict[str, Any]) -> None:
        """The objective is one finite number, and so is every gradient that it gives."""
        model = self.build(**case).train()
        x_BCHW = generate_batch(case["input_shape"], 4)
        total, _ = model.objective(x_BCHW, draws_for(model, x_BCHW, "train"))
        total.backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert total.shape == ()
        assert total.isfinite()
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.any() for gradient in gradients)

    def test_terms_are_per_image_and_sum_to_the_total(self, case: dict[str, Any]) -> None:
        """Each term has shape (B,) or (), and their weighted averages make the objective."""
        model = self.build(**case).eval()
        x_BCHW = generate_batch(case["input_shape"], 4)
        terms = model.loss_terms(x_BCHW, draws_for(model, x_BCHW))
        total, means = model.objective(x_BCHW, draws_for(model, x_BCHW))
        weights = model.term_weights()
        expected = sum(weights.get(name, 1.0) * term.mean().item() for name, term in terms.items())
        assert {term.shape for term in terms.values()} <= {(4,), ()}
        assert {name: mean.item() for name, mean in means.items()} == pytest.approx(
            {name: term.mean().item() for name, term in terms.items()}, rel=1e-5
        )
        assert total.item() == pytest.approx(expected, rel=1e-5)

    def test_weights_name_terms(self, mode: Mode) -> None:
        """A weight that names no term would weigh nothing, in silence."""
        model = self.build(**mode)
        x_BCHW = generate_batch(SMALL_SHAPE, 4)
        assert set(model.term_weights()) <= set(model.loss_terms(x_BCHW, draws_for(model, x_BCHW)))

    def test_terms_are_named_unlike_what_is_logged_beside_them(self, mode: Mode) -> None:
        """A term called `loss`, or as a measure is, would be logged in its place, or it in the term's."""
        model = self.build(**mode)
        x_BCHW = generate_batch(SMALL_SHAPE, 4)
        assert not {"loss", *metric_names()} & set(model.loss_terms(x_BCHW, draws_for(model, x_BCHW)))

    # Evaluation.

    def test_what_measures_draw_fits_the_images(self, mode: Mode) -> None:
        """Drawn codes have a code's shape, corrupted images are images, and equal draws give equal ones."""
        model = self.build(**mode).eval()
        x_BCHW = generate_batch(SMALL_SHAPE, 4)
        with torch.no_grad():
            for draw, shape in ((model.draw_posterior_codes, (4, model.latent_dim)), (model.corrupt, x_BCHW.shape)):
                first, second = (draw(x_BCHW, draws_for(model, x_BCHW)) for _ in range(2))
                assert torch.equal(first, second)
                assert first.shape == shape
            assert 0 <= first.min() <= first.max() <= 1

    def test_evaluation_is_deterministic(self, mode: Mode) -> None:
        """In eval mode the same images give the same codes and reconstructions, the same seed the same samples."""
        model = self.build(**mode).eval()
        x_BCHW = generate_batch(SMALL_SHAPE, 4)
        first, second = ([model.encode(x_BCHW), model.reconstruct(x_BCHW), model.sample(4, seed=3)] for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
        assert not torch.equal(first[2], model.sample(4, seed=4))

    def test_images_are_evaluated_one_by_one(self, mode: Mode) -> None:
        """In eval mode an image's code and reconstruction do not depend on its neighbours in the batch."""
        model = self.build(**mode).eval()
        x_BCHW = generate_batch(SMALL_SHAPE, 4)
        with torch.no_grad():
            torch.testing.assert_close(model.encode(x_BCHW[:1]), model.encode(x_BCHW)[:1])
            torch.testing.assert_close(model.reconstruct(x_BCHW[:1]), model.reconstruct(x_BCHW)[:1])

    def test_validation_repeats_itself(self, mode: Mode, data: ImageDataModule) -> None:
        """`val/loss` and its terms are the same every time, also later in training with the same weights."""
        model = self.build(**mode)
        weights = {name: value.clone() for name, value in model.state_dict().items()}
        before = validation_terms(model, data)
        torch.rand(5)
        again = validation_terms(model, data)
        build_trainer(self.epochs).fit(model, data)
        model.load_state_dict(weights)
        assert "val/loss" in before
        assert all(math.isfinite(value) for value in before.values())
        assert before == again == validation_terms(model, data)

    # Training.

    def test_gradients_reach_every_parameter(self, mode: Mode, data: ImageDataModule) -> None:
        """In a short training every trainable parameter gets a gradient that is finite, and at least once not zero."""
        model = self.build(**mode)
        recorder = GradientRecorder()
        build_trainer(self.epochs, callbacks=[recorder]).fit(model, data)
        reached = {name for step in recorder.steps for name, gradient in step.items() if gradient.any()}
        trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert all(gradient.isfinite().all() for step in recorder.steps for gradient in step.values())
        assert reached == trainable

    def test_one_batch_can_be_overfitted(self, mode: Mode, data: ImageDataModule) -> None:
        """`val/loss` falls by `overfit_share` when one batch is trained on over and over, and judged on."""
        model = self.build(**mode)
        data.val_dataloader = data.train_dataloader  # type: ignore[method-assign]
        trainer = build_trainer(self.overfit_epochs, overfit_batches=1)
        (before,) = build_trainer(validate=True, overfit_batches=1).validate(model, data, verbose=False)
        trainer.fit(model, data)
        (after,) = build_trainer(validate=True, overfit_batches=1).validate(model, data, verbose=False)
        assert after["val/loss"] < (1 - self.overfit_share) * before["val/loss"]

    def test_same_seed_same_weights(self, mode: Mode, data: ImageDataModule) -> None:
        """Training twice gives the same weights bit by bit, whatever else used the global generator meanwhile."""
        ends = []
        for num_consumed in (0, 7):
            model = self.build(**mode)
            torch.rand(num_consumed)
            build_trainer(self.epochs).fit(model, data)
            ends.append(weights_of(model))
        assert not torch.equal(ends[0], weights_of(self.build(**mode)))
        assert torch.equal(ends[0], ends[1])

    def test_bf16_agrees_with_fp32(self, mode: Mode, data: ImageDataModule) -> None:
        """Under bf16 autocast the objective and the reconstructions are those of fp32 within the suite's bounds."""
        model = self.build(**mode)
        build_trainer().fit(model, data)
        exact, rounded = (validation_terms(model, data, precision) for precision in PRECISIONS)
        x_BCHW = generate_batch(SMALL_SHAPE, 8)
        with torch.no_grad():
            expected = model.eval().reconstruct(x_BCHW)
            with torch.autocast("cpu", torch.bfloat16):
                found = model.reconstruct(x_BCHW)
        assert rounded["val/loss"] == pytest.approx(exact["val/loss"], rel=self.bf16_tolerance)
        assert (found - expected).abs().mean() < self.bf16_pixel_tolerance

    def test_bf16_training_keeps_up(self, mode: Mode, data: ImageDataModule) -> None:
        """A short training in bf16-mixed ends at finite weights, and at fp32's `val/loss` within 5 %."""
        losses = []
        for precision in PRECISIONS:
            model = self.build(**mode)
            build_trainer(self.epochs, precision=precision).fit(model, data)
            assert weights_of(model).isfinite().all()
            losses.append(validation_terms(model, data)["val/loss"])
        assert losses[1] == pytest.approx(losses[0], rel=0.05)

    # Checkpoints.

    def test_checkpoint_gives_identical_outputs(self, mode: Mode, data: ImageDataModule, tmp_path: Path) -> None:
        """A model read from a checkpoint encodes, reconstructs, samples and is judged as the one that was saved."""
        model = self.build(**mode)
        trainer = build_trainer(self.epochs)
        trainer.fit(model, data)
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        loaded = load_autoencoder(tmp_path / "last.ckpt")
        x_BCHW = generate_batch(SMALL_SHAPE, 4)
        assert type(loaded) is self.variant
        assert all(map(torch.equal, _outputs(loaded, x_BCHW), _outputs(model, x_BCHW)))
        assert validation_terms(loaded, data) == validation_terms(model, data)

    def test_hyperparameters_survive(self, mode: Mode, data: ImageDataModule, tmp_path: Path) -> None:
        """A checkpoint of a model built in Python rebuilds it as it was, optimizer and scheduler included."""
        model = self.build(
            **mode,
            latent_dim=5,
            seed=11,
            optimizer=partial(torch.optim.AdamW, lr=2e-3, weight_decay=0.125),
            scheduler=partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.25),
        )
        trainer = build_trainer()
        trainer.fit(model, data)
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        loaded = load_autoencoder(tmp_path / "last.ckpt")
        again = build_trainer()
        again.fit(loaded, data)
        assert _includes(loaded.hparams, model.hparams)
        assert (loaded.latent_dim, loaded.seed) == (5, 11)
        assert _optimizer_settings(again.optimizers) == _optimizer_settings(trainer.optimizers)
        assert again.optimizers[0].param_groups[0]["weight_decay"] == 0.125
        assert again.optimizers[0].param_groups[0]["lr"] == pytest.approx(2e-3 * 0.25)

    # Two processes.

    @pytest.fixture(scope="class")
    @classmethod
    def rank_pairs(cls, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Training, Training]]:
        """Train every mode in one process and in two, in one launch; return both trainings by mode."""
        if cls.rank_strategy is None:
            pytest.skip("this variant's training in two processes is not that in one")
        # 75 images in global batches of 10, 7 to validate on: the last batches are uneven.
        path = write_images(tmp_path_factory.mktemp("ranks"), SMALL_SHAPE, num_train=82)
        data = {"name": "npz", "path": str(path), "batch_size": 10, "num_val": 7}
        jobs = {describe(mode): cls._rank_job(mode, data) for mode in cls.modes()}
        leaves_out = "ddp_find_unused_parameters_true" if cls.variant.leaves_parameters_out else "ddp"
        strategy = leaves_out if cls.rank_strategy == "auto" else cls.rank_strategy
        together = train_in_ranks(list(jobs.values()), strategy=strategy)
        return {name: (job.run(), shared) for (name, job), shared in zip(jobs.items(), together, strict=True)}

    def test_two_processes_train_as_one(self, mode: Mode, rank_pairs: dict[str, tuple[Training, Training]]) -> None:
        """Two processes get the gradients and the weights of one on the same global batches, noise included."""
        alone, together = rank_pairs[describe(mode)]
        assert len(together.gradients) == len(alone.gradients) > 1
        for expected, found in zip(alone.gradients, together.gradients, strict=True):
            assert (found - expected).norm() <= self.rank_tolerance * expected.norm()
        assert (together.weights - alone.weights).norm() <= self.rank_tolerance * alone.weights.norm()

    def test_two_processes_judge_as_one(self, mode: Mode, rank_pairs: dict[str, tuple[Training, Training]]) -> None:
        """Two processes log the `val/loss` and the terms of one, however unevenly they share the split."""
        alone, together = rank_pairs[describe(mode)]
        assert together.validation == pytest.approx(alone.validation, rel=1e-5)

    @classmethod
    def _rank_job(cls, mode: Mode, data: Mapping[str, Any]) -> TrainingJob:
        # Plain descent: Adam's division would blow a rounding error up where a gradient is almost zero.
        descent = dict.fromkeys(optimizer_arguments(cls.variant), partial(torch.optim.SGD, lr=1e-2))
        options = {**cls.small_options(), **descent, **cls.options, **mode}
        return TrainingJob(cls.variant, options, data, cls.epochs)


@torch.no_grad()
def _outputs(model: Autoencoder, x_BCHW: Tensor) -> list[Tensor]:
    model = model.eval()
    z_BL = model.encode(x_BCHW)
    return [z_BL, model.decode(z_BL), model.reconstruct(x_BCHW), model.sample(4)]


def _includes(found: Any, expected: Any) -> bool:
    """Whether all that is expected was found, in nested mappings too; defaults may have been filled in."""
    if isinstance(expected, Mapping):
        return all(name in found and _includes(found[name], value) for name, value in expected.items())
    return bool(found == expected)


def _optimizer_settings(optimizers: list[torch.optim.Optimizer]) -> list[tuple[type, list[dict[str, Any]]]]:
    """Return each optimizer's class and its groups' settings, without the parameters."""
    return [
        (
            type(optimizer),
            [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups],
        )
        for optimizer in optimizers
    ]
