"""What a run leaves unsaid, and what is filled in for it."""

from __future__ import annotations

import pytest

from ae_lightning.callbacks.defaults import complete, flattened, said

OTHERS = "somebodys.Network"


def config_of(network="ae_lightning.networks.Conv", **settings):
    built = {"class_path": network, "init_args": {"filters": [32, 64], "kernel_size": 4}}
    optimizer = {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.001, "weight_decay": 0.0, "eps": 1e-8}}
    model = {"beta": 1.0, "latent_dim": 32, "network": built, "optimizer": optimizer, "scheduler": None}
    return {
        "seed_everything": 0,
        "model": {"class_path": "ae_lightning.variants.sample_vae.SampleVAE", "init_args": {**model, **settings}},
        "data": {"name": "digits", "batch_size": 128, "num_val": None, "split_seed": 0},
        "trainer": {"max_epochs": 40, "gradient_clip_val": None, "log_every_n_steps": 10, "precision": "32-true"},
        "evaluation": {"cache": None},
    }


def test_what_nobody_could_fill_in_is_said_and_what_a_person_reads_first():
    assert said(config_of()) == {
        "seed_everything": "0",
        "model": "SampleVAE",
        "model.latent_dim": "32",
        "model.network": "Conv",
        "model.optimizer": "Adam",
        "model.optimizer.lr": "0.001",
        "data.name": "digits",
        "data.batch_size": "128",
        "trainer.max_epochs": "40",
        "trainer.precision": "32-true",
        # Its default is a folder.
        "evaluation.cache": "None",
    }


def test_a_study_says_what_it_tries_though_it_tries_the_default():
    assert said(config_of(), ["model.beta"])["model.beta"] == "1.0"


def test_of_a_class_of_others_everything_is_said():
    assert said(config_of(OTHERS))["model.network.kernel_size"] == "4"


@pytest.mark.parametrize(
    "changed", [{"beta": 4.0}, {"scheduler": {"class_path": "torch.optim.lr_scheduler.StepLR"}}, {"latent_dim": 2}]
)
def test_two_runs_differ_in_what_they_were_made_with_and_in_nothing_else(changed):
    configs = [config_of(), config_of(**changed)]
    first, second = complete([said(config) for config in configs])
    whole = [flattened(config) for config in configs]
    differing = {key for key in first | second if first.get(key) != second.get(key)}
    assert differing == {key for key in whole[0] | whole[1] if whole[0].get(key) != whole[1].get(key)}
    assert all(whole[0][key] == value for key, value in first.items())
