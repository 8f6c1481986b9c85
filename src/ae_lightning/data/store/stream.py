"""Converted samples, opened to train on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from numpy.typing import NDArray
from torch import Tensor

from ae_lightning.data.loader import ResumableLoader
from ae_lightning.data.memory import require_memory
from ae_lightning.data.opened_data import NUM_FINGERPRINTED, OpenedData, Origins
from ae_lightning.data.sample_keys import keys_of_files
from ae_lightning.data.sampling import Sampling
from ae_lightning.data.splits import Split, SplitName, require_named_labels
from ae_lightning.data.store.arrays import ArrayDescription, StoredArray
from ae_lightning.data.store.cache import DataCache
from ae_lightning.data.store.description import FILE_NAME, parse_description
from ae_lightning.data.store.fetching import Fetcher
from ae_lightning.data.store.loader import StreamLoader
from ae_lightning.data.store.windows import WindowSampler
from ae_lightning.errors import DataError, first_line

SAMPLE_SIZE = 60_000
SAMPLE_BYTES = 1 << 28
"""Of the train split, what is read into memory for measures and pictures at most."""


class Stream(OpenedData):
    """Samples on disk: the train split is read as it is trained on, the others are read into memory at first need.

    Args:
        place: The folder that `convert` wrote, or its address.
        cache: Where what is at an address is fetched to.

    Raises:
        ConfigError: If nothing installed reads the address.
        DataError: If it is not there, not such a folder, of another version, or not whole.
    """

    def __init__(self, place: str, cache: DataCache) -> None:
        fetcher = Fetcher(place, FILE_NAME, cache) if "://" in place else None
        folder = Path(place).expanduser() if fetcher is None else fetcher.folder
        text = _read(folder / FILE_NAME) if fetcher is None else fetcher.index
        described = parse_description(text, place)
        self._described, self._place = described, place
        self.class_names = described.class_names
        self.factors = described.factors
        self.novel_class = described.novel_class
        self.num_skipped = described.num_skipped
        self.notes = described.notes
        self._arrays = {
            name: {
                kind: StoredArray(array, folder, f"{name}/{kind}", fetcher)
                for kind, array in split
                if isinstance(array, ArrayDescription)
            }
            for name, split in described.splits.items()
        }
        self.num_samples = described.num_samples
        needed = self._arrays["train"]["x"].nbytes
        if fetcher is not None and needed > cache.max_bytes:
            size, most = (f"{num_bytes / 2**30:.3g}" for num_bytes in (needed, cache.max_bytes))
            rank_zero_warn(
                f"data.cache_gib: the train split has {size} GiB, of which {most} are kept: files are fetched again in "
                "each epoch, many of them several times"
            )
        self._read: dict[SplitName, Split] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return self._described.splits["train"].x.shape

    @property
    def dtype(self) -> torch.dtype:
        """Of the samples."""
        return {"|u1": torch.uint8, "<u2": torch.uint16}.get(self._described.splits["train"].x.dtype, torch.float32)

    def extremes(self, name: SplitName) -> tuple[float, float]:
        """Return the smallest and the largest value of a whole split."""
        split = self._described.splits[name]
        return split.smallest, split.largest

    def split(self, name: SplitName) -> Split:
        """Return the val or test split, or of the train split a fixed sample: its first ones, stored in random order.

        Raises:
            DataError: If a file cannot be read, or the split does not fit into memory.
        """
        if name not in self._read:
            arrays, size = self._arrays[name], self.num_samples[name]
            row_bytes = arrays["x"].described.row_bytes
            if name == "train":
                size = min(size, SAMPLE_SIZE, max(1, SAMPLE_BYTES // row_bytes))
            require_memory(size * row_bytes, f"data.path: the {name} split")
            found = {kind: array[np.arange(size)] for kind, array in arrays.items() if kind != "keys"}
            tensors = {kind: torch.from_numpy(values) for kind, values in found.items()}
            keys = self.origins(name, np.arange(size)).keys
            split = Split(**tensors, keys=keys_of_files(keys))
            require_named_labels(split, self.class_names, f"{self._place}/{name}")
            self._read[name] = split
        return self._read[name]

    def origins(self, name: SplitName, positions: NDArray[np.int64]) -> Origins:
        """Say where samples of a split come from, those that stay on disk too."""
        arrays = self._arrays[name]
        labels = arrays["labels"][positions] if "labels" in arrays else None
        return Origins([key.decode(errors="replace") for key in arrays["keys"][positions].tolist()], labels)

    def loader(
        self,
        name: SplitName,
        sampling: Sampling,
        kept_on: Callable[[Split], torch.device | None],
        *,
        with_labels: bool = False,
    ) -> ResumableLoader:
        """Return batches of a whole split, those of the train split read from disk as they are asked for."""
        if name != "train":
            return super().loader(name, sampling, kept_on, with_labels=with_labels)
        arrays = self._arrays[name]
        sampler = WindowSampler(
            len(arrays["x"]), arrays["x"].described.block_rows, self._described.window_size, sampling
        )
        return StreamLoader(arrays["x"], arrays.get("labels"), sampler, with_labels=with_labels)

    def _some_samples(self, name: SplitName) -> Tensor:
        return torch.from_numpy(self._arrays[name]["x"][np.arange(min(self.num_samples[name], NUM_FINGERPRINTED))])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        said = f"data.path: there is no {path}, which `convert` writes; data.name folder reads a tree of image files"
        raise DataError(said) from error
    except OSError as error:
        raise DataError(f"data.path: {path} cannot be read ({first_line(error)})") from error
