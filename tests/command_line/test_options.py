"""What the command line takes, before anything is trained."""

from __future__ import annotations

from inspect import signature

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser

from ae_lightning import __version__
from ae_lightning.networks import Conv, ResNet
from ae_lightning.variants import find_variants


@pytest.fixture
def print_config(bare_workspace):
    """Resolve a configuration without running it."""

    def run(*arguments):
        outcome = bare_workspace("fit", *arguments, "--print_config")
        assert outcome.code == 0, outcome.err
        return yaml.safe_load(outcome.out)

    return run


@pytest.fixture
def overlay(tmp_path):
    """Write a configuration file."""

    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_version(bare_workspace):
    outcome = bare_workspace("--version")
    assert (outcome.code, outcome.out) == (0, f"ae_lightning {__version__}\n")


@pytest.mark.parametrize("name", find_variants())
def test_help_of_a_variant_explains_every_argument(name):
    parser = ArgumentParser()
    parser.add_class_arguments(find_variants()[name], "model")
    explained = {
        action.dest.removeprefix("model."): action.help
        for action in parser._actions
        if action.dest.startswith("model.") and not action.dest.endswith(".help")
    }
    assert {"spec", "latent_dim", "network", "optimizer", "seed"} <= explained.keys()
    assert all(explained.values()), explained
    assert vars(parser.get_defaults().model).keys() == explained.keys(), "an argument has no default"


def test_later_files_win_and_options_beat_files(print_config, overlay):
    first = overlay("first.yaml", "model: {class_path: VAE, init_args: {latent_dim: 3, beta: 2.0}}\ndata: {num_val: 7}")
    second = overlay("second.yaml", "data: {num_val: 8, batch_size: 16}")
    config = print_config("-c", first, "-c", second, "--data.batch_size", "32")
    assert config["data"]["num_val"] == 8
    assert config["data"]["batch_size"] == 32
    assert config["model"]["init_args"]["latent_dim"] == 3
    assert print_config("-c", second, "-c", first)["data"]["num_val"] == 7


def test_an_overlay_may_set_one_argument_of_the_model(print_config, overlay):
    base = overlay("base.yaml", "model: {class_path: VAE, init_args: {beta: 2.0}}")
    other = overlay("other.yaml", "model: {init_args: {latent_dim: 5}}")
    arguments = print_config("-c", base, "-c", other)["model"]["init_args"]
    assert (arguments["beta"], arguments["latent_dim"]) == (2.0, 5)


@pytest.mark.parametrize(("option", "value"), [("--model.network", "MLP"), ("--model.optimizer", "SGD")])
def test_short_class_names(print_config, option, value):
    extra = ("--model.optimizer.lr", "0.1") if value == "SGD" else ()
    chosen = print_config("--model", "VanillaAE", option, value, *extra)["model"]
    assert chosen["class_path"] == "ae_lightning.variants.vanilla.VanillaAE"
    assert chosen["init_args"][option.rsplit(".", 1)[-1]]["class_path"].endswith(f".{value}")


@pytest.mark.parametrize("option", ["--data.batch", "--trainer.max_epo", "--seed"])
def test_abbreviated_keys_are_refused(bare_workspace, option):
    outcome = bare_workspace("fit", "--model", "VAE", option, "3")
    assert outcome.code == 2
    assert "not known" in outcome.err


def test_what_is_printed_can_be_given_back(bare_workspace, print_config, overlay):
    options = ("--model", "VAE", "--model.network", "MLP", "--model.network.hidden", "[20]", "--data.num_val", "9")
    config = print_config(*options)
    path = overlay("printed.yaml", yaml.safe_dump(config))
    assert print_config("-c", path) == config
    assert bare_workspace.runs() == []


def test_precision_is_chosen_and_can_be_set(print_config):
    assert print_config("--model", "VAE", "--trainer.precision", "32-true")["trainer"]["precision"] == "32-true"


def test_a_class_named_anew_has_its_own_defaults(print_config):
    arguments = ("--model", "VanillaAE", "--model.network", "ResNet", "--model.optimizer", "AdamW")
    config = print_config(*arguments)["model"]["init_args"]
    assert config["network"]["init_args"]["batch_norm"] is ResNet().batch_norm is not Conv().batch_norm
    decay = signature(torch.optim.AdamW).parameters["weight_decay"].default
    assert config["optimizer"]["init_args"]["weight_decay"] == decay != 0


def test_the_last_of_two_classes_counts(print_config):
    config = print_config("--model", "VAE", "--model", "VanillaAE", "--model.latent_dim", "3")
    assert config["model"]["class_path"].endswith(".VanillaAE")
    assert config["model"]["init_args"]["latent_dim"] == 3
    assert "beta" not in config["model"]["init_args"]


def test_what_was_set_is_handed_on_to_a_class_that_has_it_too(print_config):
    arguments = (
        *("--model", "VanillaAE", "--model.network.kernel_size", "5", "--model.network", "Unpool"),
        *("--model.optimizer.lr", "0.01", "--model.optimizer", "SGD"),
    )
    config = print_config(*arguments)["model"]["init_args"]
    assert config["network"]["init_args"]["kernel_size"] == 5
    assert config["optimizer"]["init_args"]["lr"] == 0.01
