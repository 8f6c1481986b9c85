"""Draw the pictures of the documentation: every variant on the digits, and every picture of the gallery.

python -m experiments.gallery docs/pictures
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ae_lightning as ael

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIANTS = {
    "vanilla": "reconstructions",
    "double": "interpolations",
    "vae": "samples",
    "sample_vae": "samples",
    "double_sample_vae": "samples",
    "denoising": "denoising",
    "sparse": "code_histograms",
    "contractive": "latent_traversals",
    "adversarial": "latent_scatter",
    "stacked": "reconstructions",
}
"""The picture that shows of each configuration what its objective is for."""

OF_DIGITS = (
    "reconstructions",
    "worst_reconstructions",
    "latent_scatter",
    "samples",
    "interpolations",
    "latent_traversals",
    "denoising",
    "code_histograms",
    "confusion_kmeans",
    "confusion_gmm",
    "compression",
    "filters",
    "activations",
)
"""What a VAE of 8 numbers shows."""

COLOURS = 64
"""Of the stored pictures: small files, and no difference to the eye."""

WIDTH = 900
"""Pixels of the stored pictures at most."""


def main(arguments: list[str] | None = None) -> int:
    """Train, and write the pictures into a folder.

    Args:
        arguments: Of the command line.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="experiments.gallery", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    folder = parser.parse_args(arguments).folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        for config, picture in VARIANTS.items():
            save(trained(config, "digits").plot(picture), folder / f"{config}.png")
        result = trained("vae", "digits")
        for picture in OF_DIGITS:
            save(result.plot(picture), folder / f"gallery_{picture}.png")
        plane = trained("vae", "digits", latent_dim=2)
        save(plane.plot("latent_grid"), folder / "gallery_latent_grid.png")
        augment = [ael.RandomAffine(10, (0.1, 0.1), interpolation="bilinear")]
        augmented = trained("vae", "digits", data={"augment": augment})
        save(augmented.plot("augmented"), folder / "gallery_augmented.png")
        without = trained("vae", "digits", data={"leave_out_class": 1})
        save(without.plot("novelty"), folder / "gallery_novelty.png")
        save(trained("vanilla", *cells(), network=ael.MLP()).plot("features"), folder / "gallery_features.png")
    return 0


def cells() -> tuple[Any, Any]:
    """Return 30 features of 569 cells, and which of them are benign (scikit-learn's data on breast cancer)."""
    from sklearn.datasets import load_breast_cancer

    found: Any = load_breast_cancer()
    return found.data, found.target


def trained(config: str, x: Any, y: Any = None, *, latent_dim: int = 8, **options: Any) -> ael.Result:
    """Train a configuration with a step that suits small data."""
    sys.stderr.write(f"{config}\n")
    settings: dict[str, Any] = {
        "latent_dim": latent_dim,
        "trainer": {"max_epochs": 40, "enable_progress_bar": False},
        "evaluation": {"measures": [], "pictures": []},
        "tracking": False,
        **options,
    }
    if config not in ("adversarial", "stacked"):
        settings["optimizer"] = {"class_path": "torch.optim.Adam", "init_args": {"lr": 0.005}}
    result: ael.Result = ael.fit(config, x, y, **settings)
    return result


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a small PNG."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi, bbox_inches="tight")
    image = Image.open(buffer).convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    image.quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
