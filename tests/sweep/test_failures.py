"""Trials that fail or are pruned, and sweeps that make no sense."""

from __future__ import annotations

import optuna
import pytest
import torch
from optuna.trial import TrialState

from ae_lightning.errors import ConfigError, NotFiniteError
from ae_lightning.sweep.classes import build_pruner
from ae_lightning.sweep.failures import failure_of
from ae_lightning.sweep.study_file import ClassChoice, read_study
from ae_lightning.sweep.summary import TrialProgress
from ae_lightning.sweep.training import mean_of, pruning_of
from ae_lightning.sweep.trial_queue import REASON, put_back

PARENT = "mlflow.parentRunId"


def test_a_trial_says_its_reason_as_it_is(tmp_path, write_study, capsys):
    study = optuna.create_study(direction="minimize")
    reason = "out of memory: [enforce fail at alloc_cpu.cpp:127] :warning: [/red]"
    with TrialProgress(study, read_study(write_study(tmp_path))) as progress:
        trial = study.ask()
        trial.set_user_attr(REASON, reason)
        study.tell(trial, state=TrialState.FAIL)
        progress.update(study)
    assert f"trial 0  fail  {reason}" in capsys.readouterr().err


def test_a_measure_that_one_seed_is_without_has_no_mean_and_the_others_have():
    assert mean_of([{"val/mse": 0.1, "val/gmm_accuracy": 0.5}, {"val/mse": 0.3}]) == {"val/mse": pytest.approx(0.2)}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …"), "out of memory"),
        (MemoryError(), "out of memory"),
        (NotFiniteError("val/loss is nan"), "not finite"),
        (ValueError("3 of 40 training codes are not finite"), "not finite"),
        (
            ConfigError("model.network.kernel_size: 2 is smaller than the stride 3"),
            "impossible: model.network.kernel_size",
        ),
        (ValueError("probabilities contain NaN"), "not finite"),
        (ValueError("no such file: /home/fernando/maintenance"), "ValueError"),
        (KeyError("who"), "KeyError"),
    ],
)
def test_a_failure_has_a_kind_and_one_line(error, kind):
    failure = failure_of(error)
    assert failure.kind == kind
    assert len(failure.reason.splitlines()) == 1


def kernels(*pairs):
    """A space where a kernel may be smaller than the stride: each value alone is possible, some pairs are not."""
    space = {
        "model.network.kernel_size": {"type": "categorical", "choices": sorted({kernel for kernel, _ in pairs})},
        "model.network.stride": {"type": "categorical", "choices": sorted({stride for _, stride in pairs})},
    }
    return space, [{"model.network.kernel_size": kernel, "model.network.stride": stride} for kernel, stride in pairs]


@pytest.fixture
def convolutional(quick):
    return {**quick, "model.network": "Conv", "model.network.filters": [4]}


@pytest.mark.slow
def test_a_trial_that_cannot_be_built_fails_and_the_sweep_goes_on(sweep, study_of, workspace, convolutional):
    space, first = kernels((2, 3), (3, 3), (2, 2))
    outcome = sweep(settings=convolutional, space=space, first=first)
    assert outcome.code == 0, outcome.err
    trials = study_of().trials
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.COMPLETE, TrialState.COMPLETE]
    assert "kernel_size: 2 is smaller than the stride 3" in trials[0].user_attrs["reason"]
    run = next(run for run in workspace.runs() if run.data.tags.get("optuna.trial") == "0")
    assert run.info.status == "FAILED"
    assert run.data.tags["optuna.state"] == "failed"
    assert run.data.tags["optuna.reason"] == trials[0].user_attrs["reason"]
    assert run.data.params["model.network.stride"] == "3"
    assert "1 fail" in outcome.out


@pytest.mark.slow
def test_a_trial_that_diverges_fails(sweep, study_of, workspace):
    space = {"model.optimizer.lr": {"type": "categorical", "choices": [1e30, 1e-3]}}
    outcome = sweep(space=space, first=[{"model.optimizer.lr": 1e30}, {"model.optimizer.lr": 1e-3}], trials=2)
    assert outcome.code == 0, outcome.err
    trials = study_of().trials
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert trials[0].user_attrs["kind"] == "not finite"
    assert {run.info.status for run in workspace.runs()} == {"FAILED", "FINISHED"}


@pytest.mark.slow
def test_five_failing_alike_end_the_sweep(sweep, study_of, convolutional):
    space, _ = kernels((2, 3))
    outcome = sweep(settings=convolutional, space=space, trials=9)
    assert outcome.code == 1
    assert "5 trials in a row failed the same way: impossible: model.network.kernel_size" in outcome.err
    assert len(study_of().trials) == 5


@pytest.mark.slow
def test_models_that_are_impossible_end_no_night_that_had_results(sweep, study_of, convolutional):
    space, (bad, good) = kernels((2, 3), (3, 3))
    space = {**space, "model.optimizer.lr": {"type": "float", "low": 1e-4, "high": 1e-2}}
    order = [good] + [bad] * 6
    first = [{**values, "model.optimizer.lr": 1e-3 + number * 1e-4} for number, values in enumerate(order)]
    outcome = sweep(settings=convolutional, space=space, first=first, trials=len(first))
    assert outcome.code == 0, outcome.err
    assert [trial.state for trial in study_of().trials] == [TrialState.COMPLETE] + [TrialState.FAIL] * 6


@pytest.mark.slow
def test_five_failing_alike_end_a_night_that_had_results_and_these_are_kept(sweep, study_of, workspace):
    rate = {"type": "categorical", "choices": [1e30, 1e-3]}
    space = {"model.optimizer.lr": rate, "model.latent_dim": {"type": "int", "low": 1, "high": 12}}
    order = [1e30] * 4 + [1e-3] + [1e30] * 6
    first = [{"model.optimizer.lr": lr, "model.latent_dim": number + 1} for number, lr in enumerate(order)]
    outcome = sweep(space=space, first=first, trials=12)
    assert outcome.code == 1
    assert "5 trials in a row failed the same way" in outcome.err
    states = [trial.state for trial in study_of().trials if trial.state.is_finished()]
    assert states == [TrialState.FAIL] * 4 + [TrialState.COMPLETE] + [TrialState.FAIL] * 5
    parent = next(run for run in workspace.runs() if PARENT not in run.data.tags)
    assert parent.info.status == "FAILED"
    assert "best.yaml" in workspace.artifacts(parent.info.run_id)


@pytest.mark.slow
def test_the_pruner_sees_every_validation(sweep, study_of, quick):
    settings = {**quick, "trainer.max_epochs": 2, "trainer.val_check_interval": 0.5}
    pruner = {"class_path": "ThresholdPruner", "init_args": {"upper": 1e6}}
    assert sweep(settings=settings, objectives={"val/loss": "minimize"}, pruner=pruner, trials=1).code == 0
    assert list(study_of().trials[0].intermediate_values) == [1, 2, 3, 4]


@pytest.mark.filterwarnings("error")
def test_a_trial_that_is_run_again_is_judged_from_where_it_was():
    pruner = optuna.pruners.ThresholdPruner(upper=1, n_warmup_steps=2)
    study = optuna.create_study(pruner=pruner)
    trial = study.ask()
    should_prune = pruning_of(trial)
    assert [should_prune(value, step) for step, value in ((1, 0.1), (2, 5.0))] == [False, True]
    put_back(study, trial._trial_id)
    again = pruning_of(study.ask())
    assert [again(value, step) for step, value in ((1, 0.1), (2, 5.0))] == [False, True]
    assert study.trials[0].intermediate_values == {1: 0.1, 2: 5.0}


def test_patience_alone_prunes_what_gets_worse():
    """Optuna's documented use: with null for the pruner within, the patience decides."""
    given = {"class_path": "PatientPruner", "init_args": {"wrapped_pruner": None, "patience": 1}}
    trial = optuna.create_study(pruner=build_pruner(ClassChoice.model_validate(given))).ask()
    should_prune = pruning_of(trial)
    assert [should_prune(value, step) for step, value in ((1, 1.0), (2, 2.0), (3, 3.0))] == [False, False, True]


@pytest.mark.slow
def test_hopeless_trials_are_pruned(sweep, study_of, workspace, quick):
    pruner = {"class_path": "ThresholdPruner", "init_args": {"upper": 1e-6, "n_warmup_steps": 2}}
    outcome = sweep(settings={**quick, "trainer.max_epochs": 6}, objectives={"val/loss": "minimize"}, pruner=pruner)
    assert outcome.code == 3
    assert "3 pruned; no trial is complete yet" in outcome.out
    for trial in study_of().trials:
        assert trial.state == TrialState.PRUNED
        assert list(trial.intermediate_values) == [1, 2]
    runs = [run for run in workspace.runs() if PARENT in run.data.tags]
    for run in runs:
        assert run.info.status == "KILLED"
        assert run.data.tags["optuna.state"] == "pruned"
        assert len(workspace.history(run.info.run_id, "val/loss")) == 2
