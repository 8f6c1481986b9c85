"""At which step each value is logged."""

from __future__ import annotations

from mlflow.entities import Metric

from ae_lightning.tracking.metric_steps import MetricSteps


def known(**values):
    return [Metric(key.replace("_", "/", 1), value, 0, step) for key, (value, step) in values.items()]


def test_a_training_gone_on_with_logs_what_is_not_there_yet():
    steps = MetricSteps(known(train_loss=(1.0, 5), test_mse=(0.5, 0), test_ssim=(0.5, 0)))
    assert steps.to_log({"train/loss": 2.0, "val/loss": 3.0, "epoch": 1}, 5) == [
        ("val/loss", 3.0, 5),
        ("epoch", 1.0, 5),
    ]
    assert steps.to_log({"train/loss": 2.0}, 6) == [("train/loss", 2.0, 6)]
    assert steps.to_log({"train/rate": 7.0, "epoch": 1}, 5) == [("train/rate", 7.0, 5)], "once a step is enough"
    assert steps.to_log({"test/mse": 0.5, "test/ssim": 0.6, "epoch": 2}, 6) == [("test/ssim", 0.6, 0)]


def test_what_judges_a_run_once_more_has_the_last_word_and_adds_no_epoch():
    steps = MetricSteps(known(val_mse=(1.0, 5), test_mse=(0.5, 0)), is_guest=True)
    assert steps.to_log({"val/mse": 1.0, "val/psnr": 9.0, "epoch": 0}, 0) == [("val/mse", 1.0, 5), ("val/psnr", 9.0, 0)]
    assert steps.to_log({"test/mse": 0.5, "epoch": 0}, 0) == [("test/mse", 0.5, 0)]


def test_where_an_earlier_version_logged_the_test_elsewhere_the_newest_still_counts():
    assert MetricSteps(known(test_mse=(0.5, 40))).to_log({"test/mse": 0.4}, 80) == [("test/mse", 0.4, 40)]


def test_system_metrics_go_on_behind_the_last():
    assert MetricSteps(known(**{"system_cpu": (1.0, 7), "val_loss": (1.0, 90)})).next_system_step == 8
    assert MetricSteps().next_system_step == 0
