"""Trainings that several threads of a program ask for, as `study.optimize(objective, n_jobs=2)` does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ae_lightning as ael

pytestmark = pytest.mark.slow

SAMPLES = np.random.default_rng(0).random((90, 8, 8), dtype=np.float32)


def trained(seed):
    return ael.fit(
        "vanilla",
        SAMPLES / (1 + seed),
        network="Linear",
        latent_dim=2,
        seed=seed,
        tracking=False,
        trainer={"max_epochs": 1, "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False},
        evaluation={"measures": ["mse"], "pictures": []},
    )


def test_each_thread_has_what_it_would_have_alone(workspace, capfd):
    alone = [trained(seed).measures for seed in range(3)]
    assert "waiting" not in capfd.readouterr().err
    with ThreadPoolExecutor(3) as threads:
        assert [result.measures for result in threads.map(trained, range(3))] == alone
    assert "another thread trains: waiting for it" in capfd.readouterr().err
