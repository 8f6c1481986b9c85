"""Optimizers and schedulers under a checkpoint, other settings than its own given: these are what trains."""

from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau
from torch.optim import SGD, Adam, AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, OneCycleLR, StepLR

from ae_lightning.callbacks.checkpointing import RunCheckpoint
from ae_lightning.errors import CheckpointError, ConfigError
from ae_lightning.testing.training import build_trainer, weights_of
from ae_lightning.variants.vae import VAE
from phased_models import Duel
from small_trainings import SMALL, small_data

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

STEPS_OF_AN_EPOCH = 3


class Rates(pl.Callback):
    """What the optimizers' first groups say in each step."""

    def __init__(self):
        self.seen = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.seen.append({name: value for name, value in optimizer.param_groups[0].items() if name != "params"})

    def of(self, name="lr"):
        return [group[name] for group in self.seen]


@pytest.fixture
def train(tmp_path):
    """Train to the end of an epoch, from the beginning or from where another training ended."""
    data = small_data(tmp_path)

    def run(name, epochs, variant=VAE, *, after=None, **options):
        torch.manual_seed(0)
        rates = Rates()
        model = variant(**SMALL, **options)
        trainer = build_trainer(
            epochs, callbacks=[rates, RunCheckpoint(str(tmp_path / name))], validate=True, enable_checkpointing=True
        )
        checkpoint = None if after is None else next((tmp_path / after).rglob("last.ckpt"))
        trainer.fit(model, data, ckpt_path=checkpoint)
        rates.trainer, rates.weights = trainer, weights_of(model)
        return rates

    return run


def sgd(**options):
    return partial(SGD, **{"lr": 1e-4, **options})


def cosine(num):
    return {"scheduler": partial(CosineAnnealingLR, T_max=num)}


def cycle(num):
    scheduler = partial(OneCycleLR, max_lr=1e-3, total_steps=num)
    return {"scheduler": scheduler, "scheduler_interval": "step"}


SCHEDULES = {
    "rate": ({"optimizer": sgd()}, {"optimizer": sgd(lr=1e-5)}),
    "rate under a schedule": (
        {"optimizer": sgd(), "scheduler": partial(StepLR, step_size=1, gamma=0.5)},
        {"optimizer": sgd(lr=1e-5), "scheduler": partial(StepLR, step_size=1, gamma=0.5)},
    ),
    "rate under a cosine": ({"optimizer": sgd(), **cosine(5)}, {"optimizer": sgd(lr=1e-5), **cosine(5)}),
    "factor": (
        {"optimizer": sgd(), "scheduler": partial(ExponentialLR, gamma=0.5)},
        {"optimizer": sgd(), "scheduler": partial(ExponentialLR, gamma=0.9)},
    ),
    "length of a cosine": ({"optimizer": sgd(), **cosine(2)}, {"optimizer": sgd(), **cosine(4)}),
    "length of a cycle": ({"optimizer": sgd(), **cycle(6)}, {"optimizer": sgd(), **cycle(12)}),
    "class": ({"optimizer": sgd(), **cosine(5)}, {"optimizer": partial(Adam, lr=1e-4), **cosine(5)}),
}


@pytest.mark.parametrize("before_and_after", SCHEDULES.values(), ids=SCHEDULES)
def test_rates_are_those_of_a_training_that_had_the_settings_from_the_start(train, before_and_after):
    before, after = before_and_after
    train("begun", 2, **before)
    gone_on = train("gone on", 4, after="begun", **after)
    peace = train("peace", 4, **after)
    assert gone_on.of() == pytest.approx(peace.of()[2 * STEPS_OF_AN_EPOCH :])
    assert gone_on.trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(
        peace.trainer.optimizers[0].param_groups[0]["lr"]
    )


def test_a_momentum_of_a_cycle_follows_too(train):
    train("begun", 2, optimizer=sgd(momentum=0.9), **cycle(6))
    gone_on = train("gone on", 4, after="begun", optimizer=sgd(momentum=0.9), **cycle(12))
    peace = train("peace", 4, optimizer=sgd(momentum=0.9), **cycle(12))
    assert gone_on.of("momentum") == pytest.approx(peace.of("momentum")[2 * STEPS_OF_AN_EPOCH :])


def test_without_a_change_a_rate_that_was_set_by_hand_stays(train):
    class Halving(VAE):
        def on_train_epoch_start(self):
            if self.current_epoch == 1:
                self.trainer.optimizers[0].param_groups[0]["lr"] = 5e-5

    train("begun", 2, Halving, optimizer=sgd())
    assert set(train("gone on", 4, after="begun", optimizer=sgd()).of()) == {5e-5}
    both = train("also another decay", 4, after="begun", optimizer=sgd(weight_decay=0.1))
    assert set(both.of()) == {5e-5}
    assert set(both.of("weight_decay")) == {0.1}


def test_another_class_of_optimizer_begins_anew_and_says_so(train):
    train("begun", 2, optimizer=sgd(momentum=0.9))
    with pytest.warns(UserWarning, match=r"^model\.optimizer: AdamW begins anew, .* the state of SGD$"):
        gone_on = train("gone on", 3, after="begun", optimizer=partial(AdamW, lr=1e-3))
    assert set(gone_on.of()) == {1e-3}
    (state, *_) = gone_on.trainer.optimizers[0].state.values()
    assert state["step"] == STEPS_OF_AN_EPOCH


def test_settings_that_need_a_state_which_is_not_there_begin_anew(train):
    train("begun", 2, optimizer=partial(Adam, lr=1e-4))
    with pytest.warns(UserWarning, match=r"^model\.optimizer: begins anew, .* the state that its settings need$"):
        gone_on = train("gone on", 3, after="begun", optimizer=partial(Adam, lr=1e-4, amsgrad=True))
    (state, *_) = gone_on.trainer.optimizers[0].state.values()
    assert state["step"] == STEPS_OF_AN_EPOCH


def test_a_momentum_where_there_was_none_keeps_the_rest(train):
    train("begun", 2, optimizer=sgd())
    gone_on = train("gone on", 3, after="begun", optimizer=sgd(momentum=0.9))
    assert set(gone_on.of("momentum")) == {0.9}


@pytest.mark.parametrize(
    "after",
    [{"scheduler": partial(StepLR, step_size=1, gamma=0.1)}, {**cosine(2), "scheduler_interval": "step"}, {}],
    ids=["class", "interval", "none"],
)
def test_another_scheduler_begins_when_training_goes_on(train, after):
    train("begun", 2, optimizer=sgd(), **cosine(2))
    gone_on = train("gone on", 4, after="begun", optimizer=sgd(), **after)
    assert gone_on.of() == pytest.approx(train("peace", 2, optimizer=sgd(), **after).of())


def test_a_scheduler_where_there_was_none_begins_when_training_goes_on(train):
    train("begun", 2, optimizer=sgd())
    gone_on = train("gone on", 4, after="begun", optimizer=sgd(), **cosine(2))
    assert gone_on.of() == pytest.approx(train("peace", 2, optimizer=sgd(), **cosine(2)).of())


# No loss improves by half: the rate falls after every epoch but the first.
PLATEAU = partial(ReduceLROnPlateau, monitor="val/loss", patience=0, threshold=0.5, eps=0.0)


def test_a_plateau_keeps_what_it_has_seen(train):
    """One epoch without the improvement, and the first of them since then, by the rate before and the new factor."""
    train("begun", 2, optimizer=sgd(), scheduler=partial(PLATEAU, factor=0.5))
    gone_on = train("gone on", 4, after="begun", optimizer=sgd(), scheduler=partial(PLATEAU, factor=0.1))
    assert gone_on.of()[::STEPS_OF_AN_EPOCH] == pytest.approx([5e-5, 5e-6])


def test_a_plateau_goes_on_from_a_rate_that_is_given(train):
    train("begun", 2, optimizer=sgd(), scheduler=partial(PLATEAU, factor=0.5))
    gone_on = train("gone on", 4, after="begun", optimizer=sgd(lr=3e-6), scheduler=partial(PLATEAU, factor=0.5))
    assert gone_on.of()[::STEPS_OF_AN_EPOCH] == pytest.approx([3e-6, 1.5e-6])


def test_a_plateau_of_another_measure_forgets_what_was_best(train):
    train("begun", 2, optimizer=sgd(), scheduler=partial(PLATEAU, factor=0.5, mode="max", threshold=1e9))
    gone_on = train("gone on", 4, after="begun", optimizer=sgd(), scheduler=partial(PLATEAU, factor=0.5))
    # The first it sees is the best: only the second is none.
    assert gone_on.trainer.lr_scheduler_configs[0].scheduler.num_bad_epochs == 0
    assert gone_on.of()[::STEPS_OF_AN_EPOCH] == pytest.approx([5e-5, 5e-5])


def test_each_player_has_its_own(train):
    train("begun", 2, Duel, optimizer=sgd(), critic_optimizer=sgd(lr=1e-3))
    gone_on = train("gone on", 3, Duel, after="begun", optimizer=sgd(), critic_optimizer=sgd(lr=1e-6))
    assert gone_on.of() == [1e-4, 1e-6] * STEPS_OF_AN_EPOCH


def test_a_cycle_that_is_over_before_the_training_is_refused_before_its_first_step(train):
    with pytest.raises(ConfigError, match=r"^model\.scheduler\.total_steps: 6 is less than .* 9 steps; give 9$"):
        train("too short", 3, optimizer=sgd(), **cycle(6))


def test_a_cycle_that_was_over_by_now_is_refused(train):
    train("begun", 2, optimizer=sgd(), **cycle(6))
    with pytest.raises(ConfigError, match=r"^model\.scheduler: OneCycleLR cannot go on after 6 steps \("):
        train("gone on", 3, after="begun", optimizer=sgd(), **cycle(4))


@pytest.mark.parametrize("kept", [["x"], [{}], [{"optimizer": "torch.optim.sgd.SGD", "groups": [3]}]], ids=str)
def test_what_nobody_has_written_is_refused(kept):
    model = VAE(**SMALL, optimizer=sgd())
    checkpoint = {"optimizer_states": [model.configure_optimizers()["optimizer"].state_dict()], "lr_schedulers": []}
    with pytest.raises(CheckpointError, match=r"^the checkpoint's optimizers are not what this model's were"):
        model.restore_optimizers({**checkpoint, "training_progress": {"built": kept}})


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("optimizer_states", "state", {0: {"momentum_buffer": torch.zeros(99)}}),
        ("optimizer_states", "param_groups", "x"),
        ("lr_schedulers", "gamma", "x"),
        ("lr_schedulers", "last_epoch", None),
    ],
)
def test_a_state_that_takes_no_step_is_refused_before_the_first(part, key, value):
    model = VAE(**SMALL, optimizer=sgd(momentum=0.9, weight_decay=0.1), scheduler=partial(StepLR, step_size=1))
    before = weights_of(model)
    configured = model.configure_optimizers()
    states = {
        "optimizer_states": [configured["optimizer"].state_dict()],
        "lr_schedulers": [configured["lr_scheduler"]["scheduler"].state_dict()],
    }
    checkpoint = {**states, "training_progress": {"built": list(model._built)}}
    model.restore_optimizers(checkpoint)
    checkpoint[part][0][key] = value
    with pytest.raises(CheckpointError, match=r"^the checkpoint's optimizers are not what this model's were"):
        model.restore_optimizers(checkpoint)
    assert torch.equal(weights_of(model), before)


@pytest.mark.parametrize(
    "progress",
    [
        "x",
        {"phase": 7},
        {"phase": -1},
        {"num_begun": None},
        {"monitored": {"val/loss": "x"}},
        {"outdated": {}},
        {"gradients": {"decoder": torch.zeros(1, 2)}},
    ],
    ids=str,
)
def test_progress_that_nobody_has_made_is_refused(progress):
    with pytest.raises(CheckpointError, match=r"^the checkpoint's training_progress is not that of this model"):
        VAE(**SMALL).on_load_checkpoint({"training_progress": progress})
