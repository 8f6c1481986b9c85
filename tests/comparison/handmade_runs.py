"""Runs made by hand, as they are read from MLflow."""

from __future__ import annotations

from ae_lightning.tracking.comparison import TrackedRun

BASE = {"model.latent_dim": "2", "seed_everything": "0", "data.name": "digits", "trainer.max_epochs": "3"}


def tracked(variant, metrics, status="FINISHED", **params):
    values = {**BASE, "model": variant, **{key.replace("__", "."): value for key, value in params.items()}}
    return TrackedRun(
        run_id=f"{variant}{len(str(values))}",
        experiment_id="1",
        name=f"{variant}-{values['model.latent_dim']}",
        status=status,
        variant=variant,
        params=values,
        metrics={name if "/" in name else f"test/{name}": value for name, value in metrics.items()},
        checkpoint_folder=None,
    )


def measured(mse, accuracy, **more):
    return {
        "loss": 64 * mse,
        "mse": mse,
        "kmeans_accuracy": accuracy,
        "pca_mse": 0.2,
        "pca_kmeans_accuracy": 0.5,
        **more,
    }
