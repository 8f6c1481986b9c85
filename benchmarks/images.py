"""What is trained on: the training images of `fit`'s own data module, as a file that every contender can read."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from ae_lightning.data.datamodule import DataModule

DataName: TypeAlias = Literal["mnist", "generated"]
KEPT_PER_HELD_OUT = 9
"""An archive's images to train on for each that is held out for validation: `fit` holds out a tenth."""

NUM_TEST = 1000
"""Generated images to judge on, which no training is measured with."""


class Images(NamedTuple):
    """Where the images are.

    Attributes:
        path: A NumPy array of the training images, shape (N, C, H, W), uint8: validation's held out already.
        fit_options: The options with which `fit` trains on the same images.
    """

    path: Path
    fit_options: tuple[str, ...]


def prepare_images(name: DataName, num_images: int, side: int, folder: Path) -> Images:
    """Write the images where all contenders find them.

    Args:
        name: `mnist` from the folder of the data sets, or `generated`: smooth random shapes.
        num_images: How many generated images to train on; what `fit` holds out for validation comes on top.
        side: Height and width to generate, in pixels.
        folder: Where to write.

    Raises:
        DataError: If MNIST is missing.
    """
    if name == "mnist":
        data = DataModule(name="mnist")
    else:
        archive = folder / f"generated-{side}.npz"
        x_NHW = generate_images(num_images + num_images // KEPT_PER_HELD_OUT + NUM_TEST, side)
        np.savez(archive, x_train=x_NHW[:-NUM_TEST], x_test=x_NHW[-NUM_TEST:])
        data = DataModule(name="npz", path=str(archive))
    path = folder / f"{name}-{side}.npy"
    np.save(path, data.split("train").x.numpy())
    source = ("--data.name", data.name)
    return Images(path, source if data.path is None else (*source, "--data.path", data.path))


def generate_images(num_images: int, side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Draw a bright disc on black for each image, shape (num_images, side, side)."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side]
    centre_N2 = random.uniform(0.25, 0.75, (2, num_images, 1, 1)) * side
    radius_N = random.uniform(0.1, 0.3, (num_images, 1, 1)) * side
    inside = (rows - centre_N2[0]) ** 2 + (columns - centre_N2[1]) ** 2 < radius_N**2
    return np.where(inside, np.uint8(255), np.uint8(0))
