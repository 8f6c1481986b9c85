"""Phases: their shares, their terms, their beginnings, and what waits for the last of them."""

from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.cli import ReduceLROnPlateau
from optuna import TrialPruned
from torch.utils.data import DataLoader

from ae_lightning.data.batch import Batch
from ae_lightning.errors import ConfigError
from ae_lightning.models.phases import Phase
from ae_lightning.networks import Conv
from ae_lightning.spec import DataSpec
from ae_lightning.sweep.watching import TrialWatch
from ae_lightning.testing.training import build_trainer
from ae_lightning.variants.vanilla import VanillaAE
from phased_models import Begun
from small_trainings import SHAPE, SMALL, fit, whole_split

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

# With so small a rate nothing ever improves.
STILL = partial(torch.optim.SGD, lr=1e-12)
FALLING = partial(ReduceLROnPlateau, monitor="val/loss", factor=0.5, patience=0, eps=0.0, threshold=0.1)


class Halves(VanillaAE):
    """Two phases of the same terms."""

    def phases(self):
        return Phase("first"), Phase("second")


def test_phases_have_their_shares_and_their_terms(data):
    model = Begun(**SMALL)
    fit(model, data, epochs=4)
    assert [phase for phase, _, _ in model.steps] == [0] * 4 + [1] * 8
    for phase, loss, terms in model.steps:
        assert terms.keys() == ({"reconstruction"} if phase == 0 else {"reconstruction", "distance"})
        assert loss == pytest.approx(terms["reconstruction"] + 0.1 * terms.get("distance", 0))


@pytest.mark.parametrize("network", [SMALL["network"], Conv(filters=[4], batch_norm=True)], ids=str)
def test_a_phase_begins_once_with_the_codes_of_the_train_split(network, data):
    """Those of eval mode, by the weights of that moment, in the order of the split."""
    model = Begun(**{**SMALL, "network": network})
    fit(model, data, epochs=4)
    ((codes, weights),) = model.begun
    assert torch.equal(model.centre_L, codes.mean(dim=0))
    model.load_state_dict(weights)
    with torch.no_grad():
        expected = model.eval().encode(whole_split(data, "train"))
    torch.testing.assert_close(codes, expected)
    assert codes.dtype == torch.float32


def test_a_beginning_draws_nothing_from_the_training(data):
    """Its encoding leaves statistics and random numbers as they are."""
    steps = []
    for begin in (Begun.set_centre, lambda self, codes: None):
        torch.manual_seed(0)
        model = type("Still", (Begun,), {"set_centre": begin})(**{**SMALL, "network": Conv([4], batch_norm=True)})
        fit(model, data, epochs=2)
        steps.append([terms["reconstruction"] for _, _, terms in model.steps])
    assert steps[0][:3] == steps[1][:3]
    assert steps[0] != steps[1]


def test_a_training_that_is_begun_anew_begins_its_phases_anew(data):
    model = Begun(**SMALL)
    fit(model, data, epochs=2)
    fit(model, data, epochs=2)
    assert len(model.begun) == 2


def test_codes_of_data_that_have_no_splits_are_refused_before_a_step():
    x = torch.rand(4, *SHAPE)
    batches = DataLoader([Batch(x, None, torch.arange(4), 0, 4)], batch_size=None)
    model = Begun(**SMALL)
    with pytest.raises(ConfigError, match=r"^data: Begun begins a phase with the codes of the train split; give"):
        build_trainer(2).fit(model, batches)
    assert model.steps == []


@pytest.mark.parametrize("share", [0, -1.0, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ConfigError, match=r"^phase warm-up: a share of .* is not allowed; it must be above 0"):
        Phase("warm-up", share=share)


@pytest.mark.parametrize(("variant", "num_epochs"), [(VanillaAE, 2), (Halves, 5)])
def test_early_stopping_waits_for_the_last_phase(variant, num_epochs, data):
    """Of six epochs the last phase has the fourth, fifth and sixth: it takes one to see that nothing improves."""
    stopping = EarlyStopping("val/loss", patience=1, min_delta=1.0)
    trainer = fit(variant(**SMALL, optimizer=STILL), data, epochs=6, validate=True, callbacks=[stopping])
    assert trainer.current_epoch == num_epochs


def test_early_stopping_that_served_a_phased_training_serves_another(data):
    stopping = EarlyStopping("val/loss", patience=1, min_delta=1.0)
    fit(Halves(**SMALL), data, epochs=1, validate=True, callbacks=[stopping])
    stopping.wait_count = 0
    trainer = fit(VanillaAE(**SMALL, optimizer=STILL), data, epochs=6, validate=True, callbacks=[stopping])
    assert trainer.current_epoch < 4


class Rates(pl.Callback):
    """The rate of every epoch."""

    def __init__(self):
        self.rates = []

    def on_train_epoch_start(self, trainer, pl_module):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"] / 1e-12)


@pytest.mark.parametrize(
    ("variant", "expected"), [(VanillaAE, [1, 1, 0.5, 0.25, 0.125, 0.0625]), (Halves, [1, 1, 1, 1, 1, 0.5])]
)
def test_a_plateau_waits_for_the_last_phase(variant, expected, data):
    rates = Rates()
    fit(variant(**SMALL, optimizer=STILL, scheduler=FALLING), data, epochs=6, validate=True, callbacks=[rates])
    assert rates.rates == pytest.approx(expected)


def test_a_plateau_of_what_is_not_measured_is_refused_in_the_first_phase(data):
    with pytest.raises(ConfigError, match=r"^model\.scheduler\.monitor: 'val/loss' is not known"):
        fit(Halves(**SMALL, scheduler=FALLING), data, epochs=6)


class NeverStops:
    """A night without an end."""

    reason = None

    def listen(self):
        """Nothing to hear."""


@pytest.mark.parametrize(("variant", "num_validations"), [(VanillaAE, 1), (Halves, 4)])
def test_a_pruner_is_asked_in_the_last_phase_alone(variant, num_validations, data):
    asked = []

    def prune(value, number):
        asked.append(number)
        return True

    watch = TrialWatch(NeverStops(), "val/loss", prune)
    with pytest.raises(TrialPruned):
        fit(variant(**SMALL), data, epochs=6, validate=True, callbacks=[watch])
    assert asked == [num_validations]


class Rare(pl.Callback):
    """Measures in the first, the third and the last of six epochs: the best of it before the last phase begins."""

    def on_validation_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch in (0, 2, 5):
            pl_module.log("val/rare", float(trainer.current_epoch))


def test_a_pruner_is_asked_by_no_value_from_before_the_last_phase(data):
    asked = []

    def prune(value, number):
        asked.append((value, number))
        return False

    watch = TrialWatch(NeverStops(), "val/rare", prune)
    fit(Halves(**SMALL), data, epochs=6, validate=True, callbacks=[Rare(), watch])
    assert asked == [(5, 6)]


def test_early_stopping_looks_at_no_value_from_before_the_last_phase(data):
    stopping = EarlyStopping("val/rare", patience=1)
    trainer = fit(Halves(**SMALL), data, epochs=6, validate=True, callbacks=[Rare(), stopping])
    assert trainer.current_epoch == 6
    assert stopping.best_score == 5


def test_early_stopping_counts_the_times_that_a_value_was_measured(data):
    """The measure is worse the second time, and the third: what it was is not held against the epochs in between."""
    stopping = EarlyStopping("val/rare", patience=2)
    trainer = fit(VanillaAE(**SMALL), data, epochs=6, validate=True, callbacks=[Rare(), stopping])
    assert (trainer.current_epoch, stopping.wait_count) == (6, 2)


@pytest.mark.parametrize("killed_after", [None, 3, 4])
def test_a_plateau_looks_at_no_value_from_before_the_last_phase(data, tmp_path, killed_after):
    """Also where the training is gone on with from a moment at which there is no other."""
    plateau = partial(FALLING, monitor="val/rare")

    def run(epochs, checkpoint=None):
        model = Halves(**SMALL, optimizer=STILL, scheduler=plateau)
        trainer = build_trainer(epochs, callbacks=[Rare()], validate=True)
        trainer.fit(model, data, ckpt_path=checkpoint)
        return trainer

    class Killed(pl.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == killed_after:
                trainer.save_checkpoint(tmp_path / "last.ckpt")

    if killed_after is None:
        trainer = run(6)
    else:
        fit(
            Halves(**SMALL, optimizer=STILL, scheduler=plateau),
            data,
            epochs=6,
            validate=True,
            callbacks=[Rare(), Killed()],
        )
        trainer = run(6, tmp_path / "last.ckpt")
    (scheduler,) = [config.scheduler for config in trainer.lr_scheduler_configs]
    assert (scheduler.best, scheduler.num_bad_epochs, scheduler.last_epoch) == (5, 0, 1)


def test_phases_are_not_asked_for_in_evaluation(data):
    model = Begun(spec=DataSpec(SHAPE), network=SMALL["network"], latent_dim=3)
    (logged,) = build_trainer(validate=True).validate(model, data, verbose=False)
    assert logged["val/loss"] == pytest.approx(logged["val/reconstruction"])
    assert not model.in_last_phase
