"""What holds for every autoencoder, whatever its objective; see the package's docstring for how to use it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.data.batch import Batch
from ae_lightning.data.datamodule import DataModule
from ae_lightning.judging.directions import metric_names
from ae_lightning.losses.reconstruction import ReconstructionName
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks import Shape
from ae_lightning.spec import DataSpec
from ae_lightning.testing.cases import choices, describe, find_networks, pairwise_cases
from ae_lightning.testing.training import (
    NUM_CLASSES,
    EpochCheckpoints,
    GradientRecorder,
    Precision,
    batch_of,
    build_trainer,
    draws_for,
    generate_batch,
    generate_classes,
    includes,
    one_thread,
    validation_terms,
    weights_of,
    write_images,
)
from ae_lightning.testing.two_processes import Mode, TwoProcesses

SLOW_MARK = "slow: a mode of a variant that takes seconds to train, beside its defaults"

PRECISIONS: tuple[Precision, ...] = ("32-true", "bf16-mixed")


class VariantSuite(TwoProcesses):
    """Tests to inherit: set `variant`, and `options` where its constructor needs some.

    Attributes:
        shapes: Channels, height and width of the images that every network meets.
        latent_dims: Lengths of a code, the last of them overcomplete.
        overfit_epochs: Steps on one batch of 16 images.
        overfit_share: Share of `val/loss` that they must take away.
        bf16_tolerance: Largest relative difference of the objective between bf16 autocast and fp32.
        bf16_pixel_tolerance: Largest mean difference of a reconstruction's pixel between them.
        with_every_network: Whether every network, image shape, code and loss is met, in pairs; by default the variant's
            modes meet the small network alone, since shapes are the base class's matter and not an objective's.
    """

    pytestmark: ClassVar = [pytest.mark.filterwarnings("ignore:::lightning")]

    shapes: ClassVar[tuple[Shape, ...]] = ((1, 8, 8), (3, 8, 8), (1, 9, 7), (3, 7, 10))
    latent_dims: ClassVar[tuple[int, ...]] = (2, 1, 240)
    overfit_epochs: ClassVar[int] = 80
    overfit_share: ClassVar[float] = 0.3
    bf16_tolerance: ClassVar[float] = 0.02
    bf16_pixel_tolerance: ClassVar[float] = 0.01
    with_every_network: ClassVar[bool] = False

    @classmethod
    def cases(cls) -> list[dict[str, Any]]:
        """Return the modes; or with every network, combinations in which any two values of all that is free meet."""
        small = cls.small_options()
        if not cls.with_every_network:
            settled = {name: small[name] for name in ("spec", "latent_dim")}
            return [{**settled, **cls.options, **mode} for mode in cls.modes()]
        own = {name: values for name, values in choices(cls.variant).items() if name not in cls._settled()}
        factors: dict[str, Sequence[Any]] = {
            "network": find_networks(),
            "spec": [DataSpec(shape, num_classes=NUM_CLASSES) for shape in cls.shapes],
            "latent_dim": cls.latent_dims,
            "reconstruction": get_args(ReconstructionName),
            **own,
        }
        return pairwise_cases({name: values for name, values in factors.items() if name not in cls.options})

    @classmethod
    def build(cls, **options: Any) -> Autoencoder:
        """Build the variant on a small network, the same weights every time."""
        torch.manual_seed(0)
        return cls.variant(**{**cls.small_options(), **cls.options, **options})

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give each test its cases or modes; of those that train for seconds, all but the defaults are marked slow."""
        if "case" in metafunc.fixturenames:
            metafunc.parametrize("case", self.cases(), ids=describe)
        if "mode" in metafunc.fixturenames:
            metafunc.parametrize("mode", self.modes(), ids=describe)
        if "trained_mode" in metafunc.fixturenames:
            # A user's own project need not know the mark.
            metafunc.config.addinivalue_line("markers", SLOW_MARK)
            modes = [pytest.param(mode, marks=pytest.mark.slow if mode else ()) for mode in self.modes()]
            metafunc.parametrize("trained_mode", modes, ids=describe)

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
        return write_images(tmp_path_factory.mktemp("images"), cls.spec, num_train=144)

    @pytest.fixture
    def data(self, archive: Path) -> DataModule:
        """Give those images in batches of 16."""
        return self.data_in(archive)

    def data_in(self, archive: Path) -> DataModule:
        """Read an archive as this suite's data module does."""
        return DataModule(name="npz", path=str(archive), batch_size=16, num_val=16, augment=self.augment)

    def given(self, num: int) -> Tensor | None:
        """Return the classes of generated samples, where the variant needs them."""
        return generate_classes(num) if self.variant.needs_labels else None

    def batch(self, x: Tensor) -> Batch:
        """Return a batch of generated samples, with their classes where the variant needs them."""
        return batch_of(x, self.given(len(x)), self.variant.num_views)

    # Shapes and the objective: any network, shape, code and loss.

    def test_shapes(self, case: dict[str, Any]) -> None:
        """Codes, reconstructions and samples have the shapes that the case asks for, and are float32."""
        model = self.build(**case).eval()
        x, given = generate_batch(case["spec"], 3), self.given(3)
        with torch.no_grad():
            latent = model.encode(x, given)
            samples = [model.decode(latent, given), model.reconstruct(x, given), model(x, given), model.sample(3)]
            features = model.features(latent)
        assert latent.shape == model.sample_codes(3).shape
        assert len(features) == 3
        assert features.ndim == 2
        if latent.is_floating_point():
            assert latent.shape == (3, *model.code_shape)
            assert features.shape[1] == latent[0].numel()
        assert [sample.shape for sample in samples] == [x.shape] * 4
        assert {tensor.dtype for tensor in (features, *samples)} == {torch.float32}
        assert latent.dtype in (torch.float32, torch.int64)

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
        x = generate_batch(case["spec"], 4)
        total, _ = model.objective(self.batch(x), draws_for(model, x, "train"))
        total.backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert total.shape == ()
        assert total.isfinite()
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.any() for gradient in gradients)

    def test_terms_are_per_image_and_sum_to_the_total(self, case: dict[str, Any]) -> None:
        """Each term has shape (B,) or (), or is of moments, and their weighted averages make the objective."""
        model = self.build(**case).eval()
        x = generate_batch(case["spec"], 4)
        terms = model.loss_terms(self.batch(x), draws_for(model, x))
        assert {term.shape for term in terms.values() if isinstance(term, Tensor)} <= {(4,), ()}
        total, means = model.objective(self.batch(x), draws_for(model, x))
        weights = model.term_weights()
        expected = sum(weights.get(name, 1.0) * term.mean().item() for name, term in terms.items())
        assert {name: mean.item() for name, mean in means.items()} == pytest.approx(
            {name: term.mean().item() for name, term in terms.items()}, rel=1e-5
        )
        assert total.item() == pytest.approx(expected, rel=1e-5)

    def test_weights_name_terms(self, mode: Mode) -> None:
        """A weight that names no term, of the objective or of any phase or player, would weigh nothing, in silence."""
        model = self.build(**mode)
        x = generate_batch(self.spec, 4)
        assert set(model.term_weights()) <= set(model.loss_terms(self.batch(x), draws_for(model, x)))
        trained: set[str] = set()
        for number, phase in enumerate(model.phases()):
            model.phase = number
            for terms in [player.terms or phase.terms or model.loss_terms for player in model.players()]:
                trained |= terms(self.batch(x), draws_for(model, x)).keys()
        phases = [phase.weights for phase in model.phases() if phase.weights is not None]
        assert set(model.training_weights()).union(*phases) <= trained

    def test_terms_are_named_unlike_what_is_logged_beside_them(self, mode: Mode) -> None:
        """A term called `loss`, or as a measure is, would be logged in its place, or it in the term's."""
        model = self.build(**mode)
        x = generate_batch(self.spec, 4)
        assert not {"loss", *metric_names()} & set(model.loss_terms(self.batch(x), draws_for(model, x)))

    # Evaluation.

    def test_what_measures_draw_fits_the_images(self, mode: Mode) -> None:
        """Drawn codes have a code's shape, corrupted samples are samples, and equal draws give equal ones."""
        model = self.build(**mode).eval()
        x = generate_batch(self.spec, 4)
        with torch.no_grad():
            given = self.given(4)
            drawn = [model.draw_posterior_codes(x, draws_for(model, x), given) for _ in range(2)]
            corrupted = [model.corrupt(x, draws_for(model, x)) for _ in range(2)]
            assert torch.equal(*drawn)
            assert torch.equal(*corrupted)
            assert drawn[0].shape == model.encode(x, given).shape
            assert corrupted[0].shape == x.shape
            if self.spec.value_range is not None:
                assert self.spec.value_range[0] <= corrupted[0].min() <= corrupted[0].max() <= self.spec.value_range[1]

    def test_evaluation_is_deterministic(self, mode: Mode) -> None:
        """In eval mode the same images give the same codes and reconstructions, the same seed the same samples."""
        model = self.build(**mode).eval()
        x = generate_batch(self.spec, 4)
        given = self.given(4)

        def answers() -> list[Tensor]:
            return [model.encode(x, given), model.reconstruct(x, given), model.sample(4, seed=3)]

        first, second = answers(), answers()
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
        assert not torch.equal(first[2], model.sample(4, seed=4))

    def test_images_are_evaluated_one_by_one(self, mode: Mode) -> None:
        """In eval mode an image's code and reconstruction do not depend on its neighbours in the batch."""
        model = self.build(**mode).eval()
        x = generate_batch(self.spec, 4)
        with torch.no_grad():
            all_four = self.given(4)
            one = None if all_four is None else all_four[:1]
            torch.testing.assert_close(model.encode(x[:1], one), model.encode(x, all_four)[:1])
            torch.testing.assert_close(model.reconstruct(x[:1], one), model.reconstruct(x, all_four)[:1])

    def test_validation_repeats_itself(self, trained_mode: Mode, data: DataModule) -> None:
        """`val/loss` and its terms are the same every time, also later in training with the same weights."""
        model = self.build(**trained_mode)
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

    def test_gradients_reach_every_parameter(self, mode: Mode, data: DataModule) -> None:
        """In a short training every trainable parameter gets a gradient that is finite, and at least once not zero."""
        model = self.build(**mode)
        recorder = GradientRecorder()
        build_trainer(self.epochs, callbacks=[recorder]).fit(model, data)
        reached = {name for step in recorder.steps for name, gradient in step.items() if gradient.any()}
        trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        assert all(gradient.isfinite().all() for step in recorder.steps for gradient in step.values())
        assert reached == trainable

    def test_one_batch_can_be_overfitted(self, trained_mode: Mode, data: DataModule) -> None:
        """`val/loss` falls by `overfit_share` when one batch is trained on over and over, and judged on."""
        model = self.build(**trained_mode)
        data.val_dataloader = data.train_dataloader  # type: ignore[method-assign]
        trainer = build_trainer(self.overfit_epochs, overfit_batches=1)
        (before,) = build_trainer(validate=True, overfit_batches=1).validate(model, data, verbose=False)
        trainer.fit(model, data)
        (after,) = build_trainer(validate=True, overfit_batches=1).validate(model, data, verbose=False)
        assert after["val/loss"] < (1 - self.overfit_share) * before["val/loss"]

    def test_same_seed_same_weights(self, trained_mode: Mode, data: DataModule) -> None:
        """Training twice gives the same weights bit by bit, whatever else used the global generator meanwhile."""
        ends = []
        for num_consumed in (0, 7):
            model = self.build(**trained_mode)
            torch.rand(num_consumed)
            build_trainer(self.epochs).fit(model, data)
            ends.append(weights_of(model))
        assert not torch.equal(ends[0], weights_of(self.build(**trained_mode)))
        assert torch.equal(ends[0], ends[1])

    def test_going_on_ends_with_the_same_weights(self, trained_mode: Mode, data: DataModule, tmp_path: Path) -> None:
        """A training that is gone on with after any of its epochs ends as one in peace, bit by bit."""
        model = self.build(**trained_mode)
        kept = EpochCheckpoints(tmp_path)
        build_trainer(self.epochs, callbacks=[kept]).fit(model, data)
        for path in kept.paths[:-1]:
            again = self.build(**trained_mode)
            build_trainer(self.epochs).fit(again, data, ckpt_path=path)
            assert all(map(torch.equal, again.state_dict().values(), model.state_dict().values()))

    def test_labels_serve_who_asks_for_them_alone(self, data: DataModule, archive: Path, tmp_path: Path) -> None:
        """Shuffled labels change the weights of a variant that says `needs_labels`, and no bit of any other's."""
        with np.load(archive) as stored:
            arrays = dict(stored)
        arrays["y_train"] = np.random.default_rng(0).permutation(arrays["y_train"])
        np.savez(tmp_path / "shuffled.npz", **arrays)
        ends = []
        for module in (data, self.data_in(tmp_path / "shuffled.npz")):
            model = self.build()
            build_trainer(self.epochs).fit(model, module)
            ends.append(weights_of(model))
        assert torch.equal(*ends) == (not self.variant.needs_labels)

    def test_bf16_agrees_with_fp32(self, trained_mode: Mode, data: DataModule) -> None:
        """Under bf16 autocast the objective and the reconstructions are those of fp32 within the suite's bounds."""
        model = self.build(**trained_mode)
        build_trainer().fit(model, data)
        exact, rounded = (validation_terms(model, data, precision) for precision in PRECISIONS)
        x = generate_batch(self.spec, 8)
        with torch.no_grad():
            expected = model.eval().reconstruct(x, self.given(8))
            with torch.autocast("cpu", torch.bfloat16):
                found = model.reconstruct(x, self.given(8))
        assert rounded["val/loss"] == pytest.approx(exact["val/loss"], rel=self.bf16_tolerance)
        assert (found - expected).abs().mean() < self.bf16_pixel_tolerance

    def test_bf16_training_keeps_up(self, trained_mode: Mode, data: DataModule) -> None:
        """A short training in bf16-mixed ends at finite weights, and at fp32's `val/loss` within 5 %."""
        losses = []
        for precision in PRECISIONS:
            model = self.build(**trained_mode)
            build_trainer(self.epochs, precision=precision).fit(model, data)
            assert weights_of(model).isfinite().all()
            losses.append(validation_terms(model, data)["val/loss"])
        assert losses[1] == pytest.approx(losses[0], rel=0.05)

    # Checkpoints.

    def test_checkpoint_gives_identical_outputs(self, mode: Mode, data: DataModule, tmp_path: Path) -> None:
        """A model read from a checkpoint encodes, reconstructs, samples and is judged as the one that was saved."""
        model = self.build(**mode)
        trainer = build_trainer(self.epochs)
        trainer.fit(model, data)
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        loaded = load_autoencoder(tmp_path / "last.ckpt")
        x = generate_batch(self.spec, 4)
        assert type(loaded) is self.variant
        assert all(map(torch.equal, _outputs(loaded, x, self.given(4)), _outputs(model, x, self.given(4))))
        assert validation_terms(loaded, data) == validation_terms(model, data)

    def test_hyperparameters_survive(self, mode: Mode, data: DataModule, tmp_path: Path) -> None:
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
        assert includes(loaded.hparams, model.hparams)
        assert (loaded.latent_dim, loaded.seed) == (5, 11)
        assert _optimizer_settings(again.optimizers) == _optimizer_settings(trainer.optimizers)
        assert again.optimizers[0].param_groups[0]["weight_decay"] == 0.125
        assert again.optimizers[0].param_groups[0]["lr"] == pytest.approx(2e-3 * 0.25)


@torch.no_grad()
def _outputs(model: Autoencoder, x: Tensor, given: Tensor | None) -> list[Tensor]:
    model = model.eval()
    latent = model.encode(x, given)
    return [latent, model.decode(latent, given), model.reconstruct(x, given), model.sample(4)]


def _optimizer_settings(optimizers: list[torch.optim.Optimizer]) -> list[tuple[type, list[dict[str, Any]]]]:
    """Return each optimizer's class and its groups' settings, without the parameters."""
    return [
        (
            type(optimizer),
            [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups],
        )
        for optimizer in optimizers
    ]
