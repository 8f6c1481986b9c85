"""What Eftimiades and Bagul trained, and what their claims are measured on: every run of `docs/results.md`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
CONFIGS = FOLDER.parent / "configs"

TABULATED = ("vanilla", "double", "vae", "sample_vae", "double_sample_vae")
"""The variants that Eftimiades tabulates, and the one left there to the future."""

LATENT_DIMS = (2, 32)
REPEATED = ("vanilla", "double")
"""Variants whose 2-D row is held against Eftimiades's over several seeds."""

SEEDS = (1, 2)
"""Those of the repetitions; every training is run with seed 0 first."""


@dataclass(frozen=True)
class Training:
    """One run of `fit`.

    Attributes:
        group: MLflow experiment; also the overlay's name in this folder.
        name: Name of the run within it.
        arguments: Of `fit`.
    """

    group: str
    name: str
    arguments: tuple[str, ...]


def all_trainings() -> list[Training]:
    """Return every training, the ones first that the others are held against."""
    first = [_eftimiades(variant, latent_dim) for latent_dim in LATENT_DIMS for variant in TABULATED]
    novelty = [
        _training("novelty", f"without {digit}", "vanilla", "--data.leave_out_class", str(digit)) for digit in range(10)
    ]
    denoising = [_training("denoising", variant, variant) for variant in ("denoising", "vanilla")]
    repeated = [_eftimiades(variant, 2, seed) for variant in REPEATED for seed in SEEDS]
    return [*first, *novelty, *denoising, *_bagul(), *repeated]


def _training(group: str, name: str, config: str, *arguments: str) -> Training:
    overlays = ("-c", str(CONFIGS / f"{config}.yaml"), "-c", str(FOLDER / f"{group}.yaml"))
    return Training(group, name, (*overlays, *arguments))


def _eftimiades(variant: str, latent_dim: int, seed: int = 0) -> Training:
    name = f"{variant}, {latent_dim}-D, seed {seed}"
    arguments = ("--model.latent_dim", str(latent_dim), "--seed_everything", str(seed))
    return _training("eftimiades", name, variant, *arguments)


def _bagul() -> list[Training]:
    path = ("--data.path", str(Path(os.environ.get("AE_LIGHTNING_DATA", "data")) / "pokemon"))
    perceptron = ("--model.network", "MLP", "--model.network.hidden", "[1024,512]", "--model.optimizer.lr", "3e-4")
    convolutions = ("--model.network.batch_norm", "true", "--model.network.activation", "leaky_relu")
    return [
        _training("bagul", "MLP", "vanilla", *path, *perceptron),
        _training("bagul", "Conv", "vanilla", *path, *convolutions),
    ]
