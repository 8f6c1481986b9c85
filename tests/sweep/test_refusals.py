"""A study that cannot work is refused before its first trial: one line, exit code 2, nothing left behind."""

from __future__ import annotations

import pytest

INT = {"type": "int", "low": 2, "high": 3}
LATENT = {"model.latent_dim": INT}
MODEL = {"type": "categorical", "choices": ["VanillaAE", "VAE"]}


def patient(wrapped):
    return {"class_path": "PatientPruner", "init_args": {"wrapped_pruner": wrapped, "patience": 1}}


@pytest.fixture
def refuse(sweep, workspace):
    def run(*options, **changes):
        outcome = sweep(*options, **changes)
        lines = outcome.err.splitlines()
        assert outcome.code == 2, outcome.err
        assert len([line for line in lines if line.startswith("ae_lightning: error: ")]) == 1
        assert "Traceback" not in outcome.err
        assert workspace.runs() == []
        assert not (workspace.folder / "optuna.db").exists()
        return lines[-1].removeprefix("ae_lightning: error: ")

    return run


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"spaec": {}}, "did you mean 'space'?"),
        ({"space": None}, "space: it is missing"),
        ({"space": {"model.latent_dim": {**INT, "hgih": 4}}}, "did you mean 'high'?"),
        ({"space": {"model.latent_dim": {"type": "int", "low": 2}}}, "space.model.latent_dim.high: it is missing"),
        ({"space": {"model.latent_dim": {**INT, "low": "few"}}}, "space.model.latent_dim.low: 'few'"),
        ({"space": {"model.latent_dim": {"type": "whole"}}}, "'int'"),
        ({"space": {"model": MODEL, "model.latent_dim": {**INT, "when": {"model": []}}}}, "latent_dim.when.model: []"),
        ({"objectives": {}}, "objectives"),
        ({"objectives": {"val/mse": "smaller"}}, "'minimize' or 'maximize'"),
        ({"objectives": {"test/mse": "minimize"}}, "use 'val/mse'"),
        ({"objectives": {"mse": "minimize"}}, "val/… metric"),
        ({"constraints": {"test/mse": {"max": 1}}}, "constraints: 'test/mse' is refused"),
        ({"constraints": {"val/mse": {}}}, "give max or min"),
        ({"constraints": {"val/mse": {"maximum": 1}}}, "did you mean 'max'?"),
        ({"sampler": "TPESampeler"}, "did you mean 'TPESampler'?"),
        ({"sampler": {"class_path": "TPESampler", "init_args": {"sede": 3}}}, "did you mean 'seed'?"),
        ({"sampler": "json.JSONDecoder"}, "is no subclass of optuna.samplers._base.BaseSampler"),
        ({"sampler": "nsgaii"}, "did you mean 'NSGAIISampler'?"),
        ({"sampler": ".own.Sampler"}, "sampler: '.own.Sampler' cannot be imported: TypeError: "),
        (
            {"sampler": {"class_path": "GridSampler", "init_args": {"search_space": [1, 2]}}},
            "sampler.init_args: GridSampler cannot use a value ('list' object has no attribute 'items')",
        ),
        (
            {
                "sampler": {
                    "class_path": "PartialFixedSampler",
                    "init_args": {"fixed_params": {}, "base_sampler": "TPE"},
                }
            },
            "sampler.init_args.base_sampler: 'TPE' is not known",
        ),
        (
            {"sampler": {"class_path": "PartialFixedSampler", "init_args": {"fixed_params": {}, "base_sampler": None}}},
            "sampler.init_args.base_sampler: None is not allowed",
        ),
        ({"pruner": patient({"class_path": "MedianPruner", "init_arg": {}})}, "did you mean 'init_args'?"),
        (
            {"pruner": patient({"clas_path": "MedianPruner"})},
            "pruner.init_args.wrapped_pruner.class_path: it is missing",
        ),
        ({"pruner": patient("MedianPrunner")}, "pruner.init_args.wrapped_pruner: 'MedianPrunner' is not known"),
        ({"pruner": "MedianPrunner"}, "did you mean 'MedianPruner'?"),
        ({"pruner": "MedianPruner", "objectives": {"val/mse": "minimize", "latent_dim": "minimize"}}, "several"),
        ({"pruner": "MedianPruner", "objectives": {"latent_dim": "minimize"}}, "does not change in training"),
        ({"trials": None}, "never ends"),
        ({"trials": 0}, "trials: 0"),
        ({"timeout": "long"}, "such as 8h"),
        ({"storage": "optuna.db"}, "storage: 'optuna.db'"),
        ({"configs": ["nowhere.yaml"]}, "nowhere.yaml"),
        ({"name": "a b"}, "name: 'a b'"),
        ({"first": [{"model.latent_dim": 2.5}]}, "first.model.latent_dim: 2.5 is not in the space"),
        ({"first": [{"model.latent_dim": 99, "model.optimizer.lr": 1e-3}]}, "first.model.latent_dim: 99"),
    ],
)
def test_a_wrong_key_or_value(refuse, changes, said):
    assert said in refuse(**changes)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Sampler(", "SyntaxError: "),
        ("Sampler = Samplar", "NameError: name 'Samplar' is not defined"),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
    ],
)
def test_why_a_class_of_ones_own_cannot_be_imported(refuse, workspace, source, said):
    (workspace.folder / "own_broken_sampler.py").write_text(source)
    path = "own_broken_sampler.Sampler"
    assert f"sampler: {path!r} cannot be imported: {said}" in refuse(sampler=path)


OWN_CALLBACK = """
from lightning.pytorch.callbacks import Callback

class Calibrated(Callback):
    def on_validation_start(self, trainer, pl_module):
        open("measured.csv")
"""


def test_a_file_that_the_users_own_class_misses_is_not_taken_for_the_lock(sweep, workspace, quick):
    (workspace.folder / "own_calibration.py").write_text(OWN_CALLBACK)
    with pytest.raises(FileNotFoundError, match=r"measured\.csv"):
        sweep(settings={**quick, "trainer.callbacks": "own_calibration.Calibrated"})


def test_a_lock_that_cannot_be_written_is(refuse):
    message = refuse("--storage", "sqlite:////proc/nowhere/optuna.db")
    assert message == "storage: /proc/nowhere/optuna.db.small.lock cannot be written (No such file or directory)"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"space": {"model.latent_dmi": INT}}, "did you mean 'latent_dim'?"),
        ({"space": {"model.network.filter": INT}}, "model.network: 'filter'"),
        ({"space": {"trainer.max_epoch": INT}}, "did you mean 'max_epochs'?"),
        ({"space": {"model.latent_dim": {**INT, "low": -1}}}, "space.model.latent_dim: -1 cannot be used"),
        (
            {"space": {"model": {"type": "categorical", "choices": ["VanillaAE", "VEA"]}}},
            "space.model: 'VEA' cannot be used",
        ),
        (
            {"space": {"model.network": {"type": "categorical", "choices": ["Linear", "MPL"]}}},
            "did you mean 'MLP'?",
        ),
        ({"objectives": {"val/msee": "minimize"}}, "did you mean 'val/mse'?"),
        ({"constraints": {"val/kmeans_acuracy": {"min": 0.5}}}, "constraints: 'val/kmeans_acuracy' is not known"),
        ({"settings": {"data.batchsize": 3}}, "did you mean 'batch_size'?"),
    ],
)
def test_what_the_command_line_would_refuse(refuse, quick, changes, said):
    if "settings" in changes:
        changes = {"settings": {**quick, **changes["settings"]}}
    assert said in refuse(**changes)


def test_unknown_option(refuse):
    assert "did you mean '--timeout'?" in refuse("--timout=8h")


def test_several_workers_on_sqlite(refuse):
    message = refuse("--workers", "4")
    assert "SQLite locks the whole file" in message
    assert "postgresql" in message


def test_a_sweep_needs_mlflow(refuse, quick):
    settings = {key: value for key, value in quick.items() if not key.startswith("trainer.logger")}
    assert "MLflow" in refuse(settings={**settings, "trainer.logger": False})


def test_a_file_that_is_no_study(workspace):
    (workspace.folder / "list.yaml").write_text("- a\n")
    (workspace.folder / "broken.yaml").write_text("a: [b")
    for name, said in (("list.yaml", "holds no study"), ("broken.yaml", "not valid YAML"), ("no.yaml", "no.yaml")):
        outcome = workspace("sweep", "-c", name)
        assert outcome.code == 2
        assert said in outcome.err


@pytest.mark.slow
def test_other_objectives_under_the_same_name(sweep):
    assert sweep(trials=1).code == 0
    outcome = sweep(trials=1, objectives={"val/loss": "minimize"})
    assert outcome.code == 2
    assert "other objectives (val/mse)" in outcome.err
