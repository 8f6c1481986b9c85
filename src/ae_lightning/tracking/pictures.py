"""Pictures as the image grid of MLflow's charts finds them."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from mlflow.tracking import MlflowClient

from ae_lightning.tracking.addresses import NOWHERE

IMAGES_FOLDER = "images"
IMAGES_TAG = "mlflow.loggedImages"
_RANDOM_PART = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def write_grid_picture(path: Path, folder: Path, key: str, step: int, timestamp: int) -> None:
    """Write a PNG under the names that MLflow's image grid looks for, in full and small.

    The names tell the key, the step and the time alone. A picture that is drawn again, as by a run that is gone on with
    and repeats an epoch, takes the place of the first, where MLflow's random names would leave both.

    Args:
        path: The PNG.
        folder: Where to write; its contents belong into the artifacts' folder `images`.
        key: Name of the grid.
        step: Where the grid's slider shows it.
        timestamp: In milliseconds, the same for every picture of a run.
    """
    from PIL import Image

    with Image.open(path) as picture:
        # The file as it is, rather than one that is compressed anew.
        picture.save = partial(shutil.copyfile, path)  # type: ignore[method-assign]
        _FolderClient(folder).log_image("", picture, key=key, step=step, timestamp=timestamp, synchronous=True)


class _FolderClient(MlflowClient):
    """Writes a run's artifacts into a folder instead of a store."""

    def __init__(self, folder: Path) -> None:
        super().__init__(NOWHERE)
        self._folder = folder

    def log_artifact(self, run_id: str, local_path: str, artifact_path: str | None = None) -> None:
        shutil.copy(local_path, self._folder / _RANDOM_PART.sub(str(UUID(int=0)), Path(local_path).name))

    def set_tag(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> None:
        """Leave the tag to `IMAGES_TAG`."""
