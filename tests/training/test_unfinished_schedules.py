"""A schedule that is longer than the training is said, with the value that it reaches."""

from __future__ import annotations

import warnings
from functools import partial

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from ae_lightning.training.schedules import Annealing
from ae_lightning.variants.vae import VAE
from small_trainings import SMALL, fit, small_data


@pytest.fixture
def data(tmp_path):
    return small_data(tmp_path)


def test_a_warm_up_beyond_the_training_says_what_it_reaches(data):
    model = VAE(**SMALL, beta=Annealing(0.0, 2.0, 8.0))
    with pytest.warns(
        UserWarning, match=r"^model\.beta\.warmup_epochs: 8 is beyond the training's 2 epochs; beta reaches 0.5 of 2$"
    ):
        fit(model, data, epochs=2)


@pytest.mark.parametrize(("interval", "t_max", "said"), [("epoch", 4, "2 epochs"), ("step", 12, "6 steps")])
def test_a_cosine_beyond_the_training_says_the_rate_at_its_end(data, interval, t_max, said):
    adam = partial(torch.optim.Adam, lr=0.01)
    cosine = partial(CosineAnnealingLR, T_max=t_max, eta_min=0.002)
    model = VAE(**SMALL, optimizer=adam, scheduler=cosine, scheduler_interval=interval)
    with pytest.warns(
        UserWarning,
        match=rf"^model\.scheduler\.T_max: {t_max} is beyond the training's {said}; the learning rate ends at 0\.006",
    ):
        trainer = fit(model, data, epochs=2)
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.006)


def test_what_fits_is_not_spoken_of(data):
    model = VAE(**SMALL, beta=Annealing(0.0, 1.0, 2.0), scheduler=partial(CosineAnnealingLR, T_max=2))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(model, data, epochs=2)
    assert not [warning for warning in caught if "beyond" in str(warning.message)]
