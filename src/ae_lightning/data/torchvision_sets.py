"""The data sets that torchvision reads and, where their files are missing, downloads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torchvision.datasets import CIFAR10, KMNIST, MNIST, FashionMNIST  # type: ignore[import-untyped]
from torchvision.datasets.utils import check_integrity  # type: ignore[import-untyped]

from ae_lightning.data.arrays.idx_files import find_idx_file, read_idx
from ae_lightning.data.downloading import downloading, no_empty_folders
from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet, Split
from ae_lightning.errors import DataError

IDX_SETS: dict[str, type[MNIST]] = {"mnist": MNIST, "fashion_mnist": FashionMNIST, "kmnist": KMNIST}
TORCHVISION_SETS = (*IDX_SETS, "cifar10")
IDX_PARTS = ("train", "t10k")
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
DEBIANS_DATA_SETS = Path("/usr/share/datasets")
"""Where packages such as dataset-fashion-mnist put theirs."""


class TorchvisionSet(Source):
    """One of torchvision's sets, by the name of its class in `data.name`."""

    is_published = True

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_torchvision_set(self.name, place.root)


def read_torchvision_set(name: str, root: Path) -> DataSet:
    """Read a data set from torchvision's folder layout below a root.

    Files that are there are used without any network, packed ones as they are; a download is tried only where some are
    missing.

    Args:
        name: One of ``TORCHVISION_SETS``.
        root: The folder that holds ``MNIST/raw``, ``FashionMNIST/raw``, ``KMNIST/raw`` or ``cifar-10-batches-py``; the
            idx files of the first three may lie in it itself, in ``FashionMNIST`` or ``fashion-mnist`` (and so on)
            below it, or where Debian's packages put them.

    Returns:
        The train and test splits as published, images of shape (1, 28, 28) or (3, 32, 32), ten classes.

    Raises:
        DataError: If files are missing and cannot be downloaded, or a file is damaged.
    """
    if name == "cifar10":
        return _read_cifar10(root)
    return _read_idx_set(name, IDX_SETS[name], root)


def _read_idx_set(name: str, reader: type[MNIST], root: Path) -> DataSet:
    own = root / reader.__name__ / "raw"
    folder = _folder_of_idx_files(name, reader, root)
    if folder is None:
        files = [Path(archive).stem for archive, _ in reader.resources]
        with _downloading(name, root, own, files):
            reader(str(root), train=True, download=True)
        folder = own
    train, test = (_idx_split(folder, part) for part in IDX_PARTS)
    return DataSet(train, test, tuple(reader.classes), notes=() if folder == own else (f"read from {folder}",))


def _folder_of_idx_files(name: str, reader: type[MNIST], root: Path) -> Path | None:
    """Return the first folder that has all files of a set: torchvision's, the root itself, or Debian's; else None."""
    packaged = name.replace("_", "-")
    folders = (
        *(root / reader.__name__ / "raw", root / reader.__name__, root / packaged, root),
        DEBIANS_DATA_SETS / packaged,
    )
    names = [f"{part}-{what}" for part in IDX_PARTS for what in (IMAGES, LABELS)]
    return next((one for one in folders if all(find_idx_file(one, file) for file in names)), None)


def _idx_split(folder: Path, part: str) -> Split:
    paths = [find_idx_file(folder, f"{part}-{what}") for what in (IMAGES, LABELS)]
    images, labels = (
        read_idx(path or folder, num_dimensions) for path, num_dimensions in zip(paths, (3, 1), strict=True)
    )
    if len(labels) != len(images):
        raise DataError(f"{paths[1]}: {len(labels)} labels for {len(images)} images")
    return Split(torch.from_numpy(images).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))


def _read_cifar10(root: Path) -> DataSet:
    folder = root / CIFAR10.base_folder
    checksums = dict([*CIFAR10.train_list, *CIFAR10.test_list])
    checksums[CIFAR10.meta["filename"]] = CIFAR10.meta["md5"]
    if _missing(folder, list(checksums)):
        with _downloading("cifar10", root, folder, list(checksums)):
            CIFAR10(str(root), download=True)
    for file, checksum in checksums.items():
        if not check_integrity(folder / file, checksum):
            raise DataError(f"{folder / file} is corrupt: its MD5 is not {checksum}; delete it and get it again")
    train, test = (CIFAR10(str(root), train=train) for train in (True, False))
    return DataSet(_cifar10_split(train), _cifar10_split(test), tuple(train.classes))


def _cifar10_split(data: CIFAR10) -> Split:
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
    return Split(images, torch.tensor(data.targets))


def _missing(folder: Path, files: list[str]) -> list[str]:
    return [file for file in files if not (folder / file).is_file()]


@contextmanager
def _downloading(name: str, root: Path, folder: Path, files: list[str]) -> Iterator[None]:
    """Download a set, or say which files to put where."""

    def remedy() -> str:
        missing = ", ".join(_missing(folder, files) or files)
        return f"put {missing} into {folder}, or use --data.name digits, which needs no files"

    with no_empty_folders(root, [folder]), downloading(f"data.name {name}", root, name, remedy):
        yield
