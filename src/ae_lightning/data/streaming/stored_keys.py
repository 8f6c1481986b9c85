"""What converted images were called at their source: a file in the folder of each split, a line of JSON an image."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from ae_lightning.data.sample_keys import SampleKeys, keys_of_array, keys_of_files
from ae_lightning.errors import DataError

FILE_NAME = "keys.jsonl"


def append_keys(folder: Path, keys: Iterable[str]) -> None:
    """Write keys behind those that are there.

    Args:
        folder: Of the split.
        keys: In the order of the images.
    """
    with (folder / FILE_NAME).open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(key, ensure_ascii=False)}\n" for key in keys)


def read_keys(folder: Path, num_images: int) -> SampleKeys:
    """Read the keys of the first images of a split; where none were written, these are their positions there.

    Raises:
        DataError: If the file cannot be read, or has fewer.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return keys_of_array(folder.name, num_images)
    try:
        with path.open(encoding="utf-8") as file:
            keys = [str(json.loads(line)) for line in islice(file, num_images)]
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read; convert the images again") from error
    if len(keys) < num_images:
        raise DataError(f"{path} is truncated: {len(keys):,} of {num_images:,} keys; convert the images again")
    return keys_of_files(keys)
