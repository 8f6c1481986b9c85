"""Settings that parse and cannot work: one line that names the key, before anything is trained or judged."""

from __future__ import annotations

from importlib import import_module

import pytest

from quick_options import QUICK

VAE = ("--model", "VAE")


@pytest.mark.parametrize(
    "chosen", [("--model.latent_dim", "3"), ("--model", "Autoencoder"), ("--model", "LatentCycle")]
)
def test_a_base_that_variants_share_is_no_choice(refuse, chosen):
    message = refuse("fit", *chosen)
    assert message.startswith("model: no autoencoder is chosen")
    offered = message.partition(": ")[2].split("one of: ")[1].split(", ")
    assert {"VAE", "VanillaAE"} <= set(offered)
    assert not {"Autoencoder", "VariationalAutoencoder", "BatchPosterior", "LatentCycle"} & set(offered)


@pytest.mark.parametrize("key", ["accumulate_grad_batches", "check_val_every_n_epoch"])
def test_a_count_of_the_trainer_below_one(refuse, key):
    assert refuse("fit", *VAE, f"--trainer.{key}", "0") == f"trainer.{key}: 0 is not allowed; it must be at least 1"


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_checkpoint_that_may_be_a_program(refuse, command):
    assert refuse(command, *VAE, "--weights_only", "false").startswith("weights_only: false is not allowed")


@pytest.mark.parametrize(("interval", "measured"), [("1", "2"), ("3", "2"), ("1", "0")])
def test_a_measure_that_is_not_there_for_every_checkpoint_cannot_decide(refuse, interval, measured):
    message = refuse(
        *("fit", *VAE, *QUICK, "--checkpoint.monitor", "val/psnr", "--checkpoint.mode", "max"),
        *("--checkpoint.every_n_epochs", interval, "--evaluation.every_n_epochs", measured),
    )
    assert message.startswith(f"checkpoint.monitor: 'val/psnr' needs checkpoint.every_n_epochs, {interval}, to be")


@pytest.mark.parametrize("measured", ["2", "0"])
def test_a_measure_that_is_not_there_in_every_epoch_is_not_followed(refuse, measured):
    plateau = ("--model.scheduler", "ReduceLROnPlateau", "--model.scheduler.monitor", "val/pca_psnr")
    message = refuse("fit", *VAE, *QUICK, *plateau, "--evaluation.every_n_epochs", measured)
    assert message.startswith("model.scheduler.monitor: 'val/pca_psnr' needs evaluation.every_n_epochs to be 1, not ")


@pytest.mark.parametrize("followed", ["val/loss", "val/psnr"])
def test_what_is_not_validated_in_every_epoch_is_not_followed(refuse, followed):
    plateau = ("--model.scheduler", "ReduceLROnPlateau", "--model.scheduler.monitor", followed)
    each = ("--evaluation.every_n_epochs", "1", "--trainer.check_val_every_n_epoch", "2")
    message = refuse("fit", *VAE, *QUICK, *plateau, *each)
    assert message.startswith(f"model.scheduler.monitor: '{followed}' needs trainer.check_val_every_n_epoch to be 1, ")


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
@pytest.mark.parametrize("command", ["fit", "test"])
def test_weights_in_16_bits(refuse, command, precision):
    message = refuse(command, *VAE, "--trainer.precision", precision)
    assert message.startswith(f"trainer.precision: '{precision}' is not allowed; Allowed: 32-true, 64-true")


@pytest.mark.parametrize(
    ("command", "keyword"),
    [("fit", "best"), ("fit", "hpc"), ("test", "last"), ("validate", "best"), ("predict", "hpc")],
)
def test_a_keyword_of_lightning_is_no_checkpoint(refuse, command, keyword):
    assert f"ckpt_path: '{keyword}' names no file" in refuse(command, *VAE, "--ckpt_path", keyword)


def test_a_keyword_of_lightning_in_a_file_is_no_checkpoint(refuse, tmp_path):
    file = tmp_path / "last.yaml"
    file.write_text("ckpt_path: last")
    assert "ckpt_path: 'last' names no file" in refuse("test", *VAE, "-c", file)


@pytest.mark.parametrize(("command", "stage"), [("validate", "val"), ("test", "test"), ("predict", "predict")])
@pytest.mark.parametrize("none", ["0", "0.0"])
def test_no_batches_to_judge(refuse, command, stage, none):
    key = f"trainer.limit_{stage}_batches"
    assert refuse(command, *VAE, f"--{key}", none) == f"{key}: 0 is not allowed; it leaves no images"


def test_no_images_to_validate_on(refuse):
    assert "there is no val split: data.num_val" in refuse("validate", *VAE, "--data.num_val", "0")


@pytest.mark.parametrize("spelling", ["--model.seed", "--model.init_args.seed"])
def test_the_seed_of_the_model_is_that_of_everything(refuse, spelling):
    assert refuse("fit", *VAE, spelling, "3") == "model.seed: not allowed; give seed_everything, which it follows"


def test_the_shape_of_images_is_the_datas(refuse):
    assert "the data give it" in refuse("fit", *VAE, "--model.spec", "{shape: [1,8,8]}")


@pytest.mark.parametrize("name", ["LBFGS", "SparseAdam"])
@pytest.mark.parametrize(
    ("variant", "key"), [("VAE", "optimizer"), ("AdversarialAE", "discriminator_optimizer")], ids=lambda value: value
)
def test_an_optimizer_that_cannot_step_these_weights(workspace, variant, key, name):
    outcome = workspace("fit", "--model", variant, *QUICK, "--model.network", "Conv", f"--model.{key}", name)
    assert outcome.code == 2
    assert f"model.{key}: {name!r} is not allowed" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("network", ["Linear", "MLP"])
def test_lbfgs_steps_weights_that_lie_in_one_row(workspace, network):
    lbfgs = ("--model.optimizer", "LBFGS", "--model.network", network, "--trainer.limit_train_batches", "2")
    outcome = workspace("fit", "--model", "VanillaAE", *QUICK, *lbfgs)
    assert outcome.code == 0, outcome.err


def test_a_scheduler_without_what_it_needs(refuse):
    required = "model.scheduler: the following arguments are required: "
    assert refuse("fit", *VAE, "--model.scheduler", "StepLR") == f"{required}step_size"
    assert refuse("fit", *VAE, "--model.scheduler", "ReduceLROnPlateau") == f"{required}monitor"


@pytest.mark.parametrize("monitor", ["val/loss", "val/mse"])
def test_the_plateau_scheduler_goes_by_its_short_name(workspace, monitor):
    plateau = ("--model.scheduler", "ReduceLROnPlateau", "--model.scheduler.monitor", monitor)
    outcome = workspace("fit", *VAE, *QUICK, *plateau, "--evaluation.every_n_epochs", "1")
    assert outcome.code == 0, outcome.err


def test_a_name_of_several_classes_is_asked_for_in_full(monkeypatch, refuse, tmp_path):
    (tmp_path / "own_optimizers.py").write_text("import torch\nclass TwiceSGD(torch.optim.SGD): ...\n")
    (tmp_path / "other_optimizers.py").write_text("import torch\nclass TwiceSGD(torch.optim.SGD): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    modules = [import_module("own_optimizers"), import_module("other_optimizers")]
    message = refuse("fit", *VAE, "--model.optimizer", "TwiceSGD")
    assert message.startswith("model.optimizer: Multiple subclasses with name TwiceSGD. Give the full class path")
    assert all(f"{module.__name__}.TwiceSGD" in message for module in modules)


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        (("--trainer.val_check_interval", "1000"), "trainer.val_check_interval"),
        (("--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.monitor", "val/foo"), "trainer.callbacks"),
    ],
)
def test_what_the_trainer_finds_out_late(workspace, setting, key):
    outcome = workspace("fit", *VAE, *setting, *QUICK)
    assert outcome.code == 2
    lines = [line for line in outcome.err.splitlines() if "error" in line]
    assert [line.partition("error: ")[2].split(":")[0] for line in lines] == [key]
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "setting",
    [
        ("CosineAnnealingLR", "--model.scheduler.T_max", "0"),
        ("OneCycleLR", "--model.scheduler.max_lr", "0.01", "--model.scheduler.total_steps", "3"),
    ],
    ids=lambda setting: setting[0],
)
def test_a_scheduler_that_cannot_go_on(workspace, setting):
    outcome = workspace("fit", *VAE, *QUICK, "--model.scheduler", *setting, "--model.scheduler_interval", "step")
    assert outcome.code == 2
    (line,) = [line for line in outcome.err.splitlines() if "error" in line]
    assert line.startswith("ae_lightning: error: model.scheduler")
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("given", ["sweeep", "conver"])
def test_a_misspelt_command_names_every_other(refuse, given):
    message = refuse(given, "--help")
    assert "did you mean" in message
    assert {"fit", "compare", "convert", "export", "sweep", "sync"} <= set(
        message.partition("Allowed: ")[2].split(", ")
    )


def test_options_without_a_command(refuse):
    assert refuse("--foo").startswith("a command is missing; Allowed: compare")


def test_resume_twice(refuse):
    assert refuse("fit", *VAE, "--resume", "abc", "--resume").startswith("--resume: given 2 times")
    assert refuse("fit", *VAE, "--ckpt_path", "last", "--resume", "abc").startswith("--resume: given 2 times")
