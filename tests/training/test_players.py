"""Several players against a loop written by hand: whose gradients, clipped, accumulated, stepped and counted."""

from __future__ import annotations

from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError
from ae_lightning.models.phases import Phase, Player
from ae_lightning.testing.training import GradientRecorder, build_trainer, weights_of
from ae_lightning.variants.vanilla import VanillaAE
from phased_models import Duel
from small_trainings import SMALL, fit

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SLOW, QUICK = partial(torch.optim.SGD, lr=1e-3, momentum=0.5), partial(torch.optim.SGD, lr=1e-2)
EPOCHS = 3
CLIPPED = {
    "not clipped": {},
    "by norm": {"gradient_clip_val": 0.5},
    "by value": {"gradient_clip_val": 0.05, "gradient_clip_algorithm": "value"},
}


class Batches(pl.Callback):
    """Every batch, and the rates of its step."""

    def __init__(self):
        self.batches, self.rates = [], []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.batches.append((trainer.current_epoch, batch_idx, batch))
        self.rates.append([optimizer.param_groups[0]["lr"] for optimizer in trainer.optimizers])


def build(**options):
    torch.manual_seed(0)
    return Duel(**SMALL, optimizer=SLOW, critic_optimizer=QUICK, **options)


def by_hand(batches, *, num_accumulated=1, gradient_clip_val=None, gradient_clip_algorithm="norm"):
    """Return the weights after the same batches, and how many steps that takes."""
    model = build()
    groups = [[*model.encoder.parameters(), *model.decoder.parameters()], [*model.critic.parameters()]]
    optimizers = [SLOW(groups[0]), QUICK(groups[1])]
    waiting = [[torch.zeros_like(weight) for weight in group] for group in groups]
    clip = clip_grad_norm_ if gradient_clip_algorithm == "norm" else clip_grad_value_
    num_steps = 0
    last = max(number for _, number, _ in batches)
    for epoch, number, batch in batches:
        x, size = batch.x, batch.global_size
        noise = Draws(0, "train", (epoch, number), offset=0, num_images=size, global_size=size, device=x.device)
        steps = (number + 1) % num_accumulated == 0 or number == last
        num_steps += steps
        for turn, (group, optimizer) in enumerate(zip(groups, optimizers, strict=True)):
            z_BL = model.encoder(x)
            if turn == 0:
                squares = (x - model.decoder(z_BL)).square().sum(dim=(1, 2, 3))
                loss = squares.mean() + 0.5 * model.critic(z_BL).square().mean()
            else:
                loss = (model.critic(z_BL) - noise.normal(1)).square().mean()
            for kept, gradient in zip(waiting[turn], torch.autograd.grad(loss, group), strict=True):
                kept.add_(gradient / num_accumulated)
            if steps:
                for weight, kept in zip(group, waiting[turn], strict=True):
                    weight.grad = kept.clone()
                    kept.zero_()
                if gradient_clip_val is not None:
                    clip(group, gradient_clip_val)
                optimizer.step()
    return weights_of(model), num_steps


@pytest.mark.parametrize("clipping", CLIPPED)
@pytest.mark.parametrize("num_accumulated", [1, 2, 3, 5])
def test_players_train_as_a_loop_written_by_hand(num_accumulated, clipping, data):
    """Three batches an epoch: two are accumulated and one is left, or fewer than are to be accumulated."""
    model, seen = build(), Batches()
    trainer = fit(
        model,
        data,
        epochs=EPOCHS,
        callbacks=[seen],
        accumulate_grad_batches=num_accumulated,
        **CLIPPED[clipping],
    )
    expected, num_steps = by_hand(seen.batches, num_accumulated=num_accumulated, **CLIPPED[clipping])
    torch.testing.assert_close(weights_of(model), expected)
    assert trainer.global_step == num_steps
    assert not torch.allclose(expected, weights_of(build()))
    if clipping != "not clipped":
        assert not torch.allclose(expected, by_hand(seen.batches, num_accumulated=num_accumulated)[0], atol=1e-4)


def test_one_player_trains_the_same_when_it_is_stepped_beside_another(data):
    """Clipping and accumulation are the Trainer's own."""

    class Beside(VanillaAE):
        def __init__(self, **options):
            super().__init__(**options)
            self.idle = torch.nn.Linear(1, 1)

        def players(self):
            return Player("autoencoder", (self.encoder, self.decoder)), Player("idle", (self.idle,), lambda *_: {})

    settings = {"accumulate_grad_batches": 2, "gradient_clip_val": 0.5}
    ends = []
    for variant in (VanillaAE, Beside):
        torch.manual_seed(0)
        model, recorder = variant(**SMALL), GradientRecorder()
        trainer = fit(model, data, epochs=EPOCHS, callbacks=[recorder], log_every_n_steps=1, **settings)
        count = (trainer.global_step, trainer.fit_loop.epoch_loop._batches_that_stepped, len(recorder.steps))
        ends.append((model.encoder[0][1].weight.detach(), count, recorder.steps[0]["encoder.0.1.weight"]))
    assert torch.equal(ends[0][0], ends[1][0])
    assert ends[0][1] == ends[1][1] == (6, 6, 6)
    assert torch.equal(ends[0][2], ends[1][2])


def test_a_player_may_rest_in_a_phase_and_step_what_it_has_accumulated(data):
    class Resting(Duel):
        def phases(self):
            return Phase("together"), Phase("alone")

        def critic_terms(self, batch, draws):
            return super().critic_terms(batch, draws) if self.phase == 0 else {}

    torch.manual_seed(0)
    model, recorder = Resting(**SMALL), GradientRecorder()
    # Six batches: the second half is the autoencoder's alone, and begins between two batches of a step.
    data.batch_size = 4
    trainer = fit(model, data, epochs=1, callbacks=[recorder], accumulate_grad_batches=2)
    stepped = ["critic.weight" in step for step in recorder.steps]
    assert stepped == [False, True, False, True, False]
    assert trainer.global_step == 3


def test_schedulers_step_with_the_steps_of_each_player(data):
    seen = Batches()
    tenth = partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1)
    model = build(scheduler=tenth, scheduler_interval="step")
    fit(model, data, epochs=2, callbacks=[seen], accumulate_grad_batches=2)
    expected = [[0.1**steps * rate for rate in (1e-3, 1e-2)] for steps in (0, 0, 1, 2, 2, 3)]
    assert [pytest.approx(rates) for rates in seen.rates] == expected


@pytest.mark.parametrize(("max_steps", "num_batches"), [(1, 2), (2, 3), (3, 5)])
def test_a_training_of_so_many_steps_counts_those_of_a_batch_once(max_steps, num_batches, data):
    seen = Batches()
    trainer = fit(build(), data, epochs=-1, max_steps=max_steps, accumulate_grad_batches=2, callbacks=[seen])
    assert trainer.global_step == max_steps
    assert len(seen.batches) == num_batches


def test_the_same_model_is_fitted_again(data):
    """Though it has said by then that it optimises itself."""
    model = build()
    for _ in range(2):
        assert fit(model, data, accumulate_grad_batches=2, gradient_clip_val=1.0).global_step == 2


class Failing(pl.Callback):
    """Ends a training in its middle."""

    def on_train_batch_end(self, *_):
        raise KeyError


def test_a_training_of_players_that_failed_is_tried_again(data):
    model = build()
    with pytest.raises(KeyError):
        fit(model, data, callbacks=[Failing()])
    assert fit(model, data, gradient_clip_val=1.0).global_step == 3


def test_terms_that_two_players_call_the_same_are_refused(data):
    class Confused(Duel):
        def critic_terms(self, batch, draws):
            return {"reconstruction": super().critic_terms(batch, draws)["critic"]}

    with pytest.raises(ValueError, match="two players have a term 'reconstruction'"):
        fit(Confused(**SMALL), data)


def test_players_leave_parameters_out():
    assert Duel.leaves_parameters_out
    assert not VanillaAE.leaves_parameters_out


def test_what_an_own_optimizer_refuses_names_the_argument_that_gave_it():
    with pytest.raises(ConfigError, match=r"^model\.critic_optimizer: Invalid learning rate: -1"):
        Duel(**SMALL, critic_optimizer=partial(torch.optim.SGD, lr=-1.0)).configure_optimizers()


def test_all_terms_are_logged_and_the_loss_is_the_first_players(data):
    trainer = build_trainer(1, log_every_n_steps=1)
    trainer.fit(build(), data)
    logged = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert logged.keys() == {"train/loss", "train/reconstruction", "train/answer", "train/critic"}
    assert logged["train/loss"] == pytest.approx(logged["train/reconstruction"] + 0.5 * logged["train/answer"])
