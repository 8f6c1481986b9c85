"""Every fault of the user's: one line on stderr, exit code 2, nothing left behind."""

from __future__ import annotations

import socket
import time

import pytest


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return path

    return write


VAE = ("--model", "VAE")


@pytest.mark.parametrize(
    ("option", "nearest"),
    [
        ("--seed_everythin", "seed_everything"),
        ("--modle", "model"),
        ("--model.latent_dmi", "latent_dim"),
        ("--model.bta", "beta"),
        ("--model.network.filter", "filters"),
        ("--trainer.max_epoch", "max_epochs"),
        ("--data.batchsize", "batch_size"),
        ("--evaluation.num_image", "num_images"),
        ("--checkpoint.monitors", "monitor"),
    ],
)
def test_unknown_option_names_the_nearest(refuse, option, nearest):
    message = refuse("fit", *VAE, option, "3")
    assert option.rsplit(".", 1)[-1].removeprefix("--") in message
    assert f"did you mean {nearest!r}?" in message


@pytest.mark.parametrize(
    ("text", "unknown", "nearest"),
    [
        ("modle: {class_path: VAE}", "modle", "model"),
        ("model: {class_path: VAE, init_args: {latent_dmi: 3}}", "latent_dmi", "latent_dim"),
        (
            "model: {class_path: VAE, init_args: {network: {class_path: Conv, init_args: {filter: [3]}}}}",
            "filter",
            "filters",
        ),
        (
            "model: {class_path: VAE, init_args: {network: {class_path: MLP, init_args: {hiden: [3]}}}}",
            "hiden",
            "hidden",
        ),
        ("{model: {class_path: VAE}, trainer: {max_epoch: 3}}", "max_epoch", "max_epochs"),
        ("{model: {class_path: VAE}, data: {batchsize: 3}}", "batchsize", "batch_size"),
    ],
)
def test_unknown_key_in_a_file_names_the_nearest(refuse, config, text, unknown, nearest):
    message = refuse("fit", "-c", config(text))
    assert repr(unknown) in message
    assert f"did you mean {nearest!r}?" in message


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (("--model", "VEA"), "VAE"),
        (("--model", "VAE", "--model.network", "Convv"), "Conv"),
        (("--model", "VAE", "--model.optimizer", "Adan"), "Adam"),
    ],
)
def test_unknown_class_names_the_nearest(refuse, arguments, nearest):
    message = refuse("fit", *arguments)
    assert f"did you mean {nearest!r}?" in message


def test_unknown_class_in_a_file_names_the_nearest(refuse, config):
    message = refuse("fit", "-c", config("model: {class_path: VEA}"))
    assert "did you mean 'VAE'?" in message
    message = refuse("fit", "-c", config("model: {class_path: VAE, init_args: {network: {class_path: MPL}}}"))
    assert "did you mean 'MLP'?" in message


def test_a_class_named_in_full_says_why_it_cannot_be_had(refuse, tmp_path):
    (tmp_path / "own_of_errors.py").write_text("import not_there_at_all\n")
    for key, given in (("model", "own_of_errors.Own"), ("trainer.callbacks", "own_of_errors.Own")):
        assert refuse("fit", *VAE, f"--{key}", given).startswith(
            f"{key}: Problem with given class_path {given!r}: No mod"
        )
    assert refuse("fit", *VAE, "--model.optimizer", "no.Such").startswith("model.optimizer: No module named 'no'")


def test_unknown_data_set_names_the_nearest(refuse):
    assert "did you mean 'mnist'?" in refuse("fit", *VAE, "--data.name", "mnits")


def test_a_part_of_what_has_none_is_answered_with_what_there_may_be(refuse):
    assert refuse("fit", *VAE, "--data.name.x", "3") == "data.name: 'x' is not known; it must be a text"


def test_unknown_command_names_the_nearest(refuse):
    assert "did you mean 'fit'?" in refuse("fitt", *VAE)


def test_no_command_says_which_there_are(refuse):
    message = refuse()
    assert "fit" in message
    assert "predict" in message


def test_no_model_says_how_to_choose_one(refuse):
    message = refuse("fit")
    assert message.startswith("model: no autoencoder is chosen; give -c vae, or --model with one of: AdversarialAE, ")
    assert refuse("test") == message.replace("give ", "give --ckpt_path with the checkpoint of one, ")


def test_a_study_without_its_option(refuse):
    assert refuse("sweep", "conv") == "sweep: 'conv' belongs to no option; a study stands behind -c: -c conv"


def test_two_dashes_are_no_value_of_another_command(refuse):
    assert refuse("convert", "--output=--") == "convert: argument --output: '--' is no value"
    assert refuse("sweep", "-c", "conv", "--storage=--") == "sweep: argument --storage: '--' is no value"


@pytest.mark.parametrize(
    ("option", "value", "kind"),
    [
        ("--data.batch_size", "many", "a whole number"),
        ("--model.latent_dim", "2.5", "a whole number"),
        ("--model.beta", "high", "a number, {start, end, warmup_epochs} or auto"),
        ("--model.beta.end", "high", "a number"),
        ("--model.optimizer.lr", "fast", "a number or Tensor"),
        ("--model.network.filters", "wide", "a list"),
        ("--model.network.batch_norm", "perhaps", "true or false"),
        ("--model.reconstruction", "mes", "mse, bce, l1 or softmax"),
        ("--data.num_val", "few", "a whole number or null"),
        ("--checkpoint.mode", "least", "min or max"),
        ("--evaluation.measures", "mse", "a list of names, all or cheap; one alone is a list too: [mse]"),
        ("--trainer.max_epochs", "long", "a whole number or null"),
        ("--trainer.precision", "bf15", "32-true, 64-true, bf16-mixed or 16-mixed"),
        ("--trainer.deterministic", "maybe", "true, false, warn or null"),
    ],
)
def test_wrong_type_names_key_value_and_what_is_allowed(refuse, option, value, kind):
    key = option.removeprefix("--")
    assert refuse("fit", *VAE, option, value) == f"{key}: {value!r} is not allowed; it must be {kind}"


def test_a_weight_that_changes_names_its_own_keys(refuse, config):
    weight = "{start: 1, END: 2, warmup_epochs: 3}"
    message = refuse("fit", *VAE, "--model.beta", weight.replace("END", "ende"))
    assert message.startswith("model.beta: 'ende' is not known; did you mean 'end'?")
    text = f"model: {{class_path: VAE, init_args: {{beta: {weight.replace('END: 2', 'end: high')}}}}}"
    assert refuse("fit", "-c", config(text)).startswith("model.beta.end: 'high' is not allowed; it must be a number")
    assert "did you mean 'end'? Allowed: end, start" in refuse("fit", *VAE, "--model.beta.ende", "3")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["configs/vae.yaml"],
            "'configs/vae.yaml' belongs to no option; did you mean -c configs/vae.yaml?",
        ),
        (["vae"], "'vae' belongs to no option; did you mean -c vae?"),
        (["VAE"], "'VAE' belongs to no option; did you mean --model VAE?"),
        ([*VAE, "--model.latent_dim", "3", "4"], "'4' belongs to no option; each begins with -- and takes one value"),
        (
            [*VAE, "-model.latent_dim", "3"],
            "'-model.latent_dim' belongs to no option; did you mean --model.latent_dim?",
        ),
        ([*VAE, "data.name=mnist"], "'data.name=mnist' belongs to no option; did you mean --data.name=mnist?"),
        ([*VAE, "--model.latent_dim"], "--model.latent_dim: its value is missing"),
        (["-c"], "-c: its value is missing"),
        (
            ["runs/best.ckpt"],
            "'runs/best.ckpt' belongs to no option; did you mean --ckpt_path runs/best.ckpt?",
        ),
        ([*VAE, "--", "--data.name", "mnist"], "'--' belongs to no option"),
    ],
)
def test_what_belongs_to_no_option_says_what_may_be_meant(refuse, arguments, said):
    assert refuse("fit", *arguments).startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {batch_size: many}", "data.batch_size: 'many' is not allowed; it must be a whole number"),
        (
            "model: {class_path: VAE, init_args: {optimizer: {class_path: Adam, init_args: {lr: fast}}}}",
            "model.optimizer.lr: 'fast' is not allowed; it must be a number or Tensor",
        ),
        (
            "trainer: {callbacks: [{class_path: Timer}, {class_path: EarlyStopping, init_args: {patienc: 3}}, "
            "{class_path: ModelSummary}]}",
            "trainer.callbacks: 'patienc' is not known; did you mean 'patience'? Allowed: check_finite, ",
        ),
    ],
)
def test_a_file_is_answered_with_the_whole_key_and_its_own_class(refuse, config, text, said):
    assert refuse("fit", *VAE, "-c", config(text)).startswith(said)


def test_missing_config_file(refuse):
    assert "nowhere.yaml" in refuse("fit", "-c", "nowhere.yaml")


@pytest.mark.parametrize("text", ["model: [VAE", "model: {class_path: VAE\ndata: }", "a: b: c"])
def test_invalid_yaml(refuse, config, text):
    assert "YAML" in refuse("fit", "-c", config(text))


def test_config_that_is_a_folder_or_no_text(refuse, tmp_path, config):
    assert str(tmp_path) in refuse("fit", "-c", tmp_path)
    path = config("")
    path.write_bytes(b"\x80\x81\xff\x00")
    assert "config.yaml" in refuse("fit", "-c", path)


@pytest.mark.parametrize("value", ["0", "-3"])
def test_latent_dim_below_one(refuse, value):
    assert f"model.latent_dim: {value}" in refuse("fit", *VAE, "--model.latent_dim", value)


def test_kernel_larger_than_the_image(refuse):
    message = refuse("fit", *VAE, "--model.network.kernel_size", "40")
    assert "kernel_size" in message
    assert "40" in message


def test_kernel_smaller_than_the_stride(refuse):
    assert "kernel_size" in refuse("fit", *VAE, "--model.network.kernel_size", "2", "--model.network.stride", "3")


def test_batch_size_zero(refuse):
    assert "data.batch_size" in refuse("fit", *VAE, "--data.batch_size", "0")


def test_num_val_that_leaves_nothing_to_train_on(refuse):
    assert "data.num_val" in refuse("fit", *VAE, "--data.num_val", "5000")


def test_negative_seed(refuse):
    assert "seed_everything" in refuse("fit", *VAE, "--seed_everything", "-1")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--trainer.devices", "-1"),
        ("--trainer.num_nodes", "0"),
        ("--trainer.strategy", "x"),
        ("--trainer.accelerator", "x"),
        ("--trainer.accelerator", "tpu"),
        ("--seed_everything", "99999999999999"),
    ],
)
def test_what_the_trainer_refuses(refuse, option, value):
    message = refuse("fit", *VAE, "--trainer.accelerator", "cpu", option, value)
    assert message.startswith(option.removeprefix("--").split(".")[0])


def test_negative_beta(refuse):
    assert "model.beta" in refuse("fit", *VAE, "--model.beta", "-1")


def test_unknown_measure_and_picture(refuse):
    assert "did you mean 'kmeans'?" in refuse("fit", *VAE, "--evaluation.measures", "[kmean]")
    assert "did you mean 'psnr'?" in refuse("fit", *VAE, "--evaluation.training_measures", "[psn]")
    assert "did you mean 'samples'?" in refuse("fit", *VAE, "--evaluation.pictures", "[sample]")


@pytest.fixture
def below_a_file(tmp_path):
    """A path that not even root can make: what would be its folder is a regular file."""
    (tmp_path / "file").write_text("in the way")
    return tmp_path / "file" / "below"


def test_unwritable_checkpoint_directory(refuse, below_a_file):
    message = refuse("fit", *VAE, "--checkpoint.directory", below_a_file)
    assert "checkpoint.directory" in message
    assert str(below_a_file) in message


def test_unwritable_database(refuse, below_a_file, monkeypatch):
    uri = f"sqlite:///{below_a_file / 'mlflow.db'}"
    assert uri in refuse("fit", *VAE, "--trainer.logger.tracking_uri", uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert uri in refuse("fit", *VAE)


def test_file_that_is_no_database(refuse, tmp_path):
    (tmp_path / "mlflow.text").write_text("no database" * 100)
    uri = f"sqlite:///{tmp_path / 'mlflow.text'}"
    assert "mlflow.text" in refuse("fit", *VAE, "--trainer.logger.tracking_uri", uri, creates=["mlflow.text.lock"])


def test_server_that_does_not_answer(refuse):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{unused.getsockname()[1]}"
        start = time.monotonic()
        message = refuse("fit", *VAE, "--trainer.logger.tracking_uri", uri)
    assert uri in message
    assert time.monotonic() - start < 15


def test_store_of_an_unknown_kind(refuse):
    assert "nosuch://store" in refuse("fit", *VAE, "--trainer.logger.tracking_uri", "nosuch://store")


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_missing_checkpoint(refuse, command):
    assert "nowhere.ckpt" in refuse(command, *VAE, "--ckpt_path", "nowhere.ckpt")


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 no more"])
def test_damaged_checkpoint(refuse, tmp_path, content):
    (tmp_path / "damaged.ckpt").write_bytes(content)
    assert "damaged.ckpt" in refuse("test", "--ckpt_path", "damaged.ckpt")


def test_foreign_checkpoint(refuse, tmp_path):
    import torch

    torch.save({"state_dict": {}, "hyper_parameters": {"width": 3}}, tmp_path / "foreign.ckpt")
    assert "foreign.ckpt" in refuse("test", "--ckpt_path", "foreign.ckpt")
    torch.save({"weights": torch.zeros(3)}, tmp_path / "foreign.ckpt")
    assert "foreign.ckpt" in refuse("test", "--ckpt_path", "foreign.ckpt")


def test_truncated_checkpoint(refuse, trained, tmp_path):
    whole = trained.checkpoint().read_bytes()
    (tmp_path / "half.ckpt").write_bytes(whole[: len(whole) // 2])
    assert "half.ckpt" in refuse("test", "--ckpt_path", "half.ckpt")


@pytest.mark.parametrize("command", ["test", "fit", "predict"])
def test_weights_that_do_not_fit_an_explicit_flag(refuse, trained, command):
    message = refuse(command, "--ckpt_path", trained.checkpoint(), "--model.latent_dim", "5")
    assert "best.ckpt" in message
    assert "fit" in message


@pytest.mark.parametrize("arguments", [("--output", "codes.txt"), ("--output", "nowhere/codes.npz")])
def test_unusable_output_is_refused_before_any_work(refuse, trained, arguments):
    assert "output" in refuse("predict", "--ckpt_path", trained.checkpoint(), *arguments)


def test_predictions_are_not_overwritten(refuse, trained, tmp_path):
    (tmp_path / "codes.npz").write_bytes(b"precious")
    message = refuse("predict", "--ckpt_path", trained.checkpoint(), "--output", "codes.npz")
    assert "exists already" in message


def test_resume_is_for_fit_alone(refuse, trained):
    assert "--resume" in refuse("test", "--resume", "--model", "VAE")
    assert "--ckpt_path" in refuse("fit", "--resume", "--ckpt_path", trained.checkpoint(), *VAE)


def test_resume_of_an_unknown_run(refuse):
    assert "nosuchrun" in refuse("fit", "--resume", "nosuchrun", *VAE)
