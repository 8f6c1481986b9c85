"""The data sets that torchvision reads and, where their files are missing, downloads."""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torchvision.datasets import CIFAR10, KMNIST, MNIST, FashionMNIST  # type: ignore[import-untyped]
from torchvision.datasets.utils import check_integrity  # type: ignore[import-untyped]

from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet, Split
from ae_lightning.errors import DataError
from ae_lightning.waiting import holding

IDX_SETS: dict[str, type[MNIST]] = {"mnist": MNIST, "fashion_mnist": FashionMNIST, "kmnist": KMNIST}
TORCHVISION_SETS = (*IDX_SETS, "cifar10")
DOWNLOAD_TIMEOUT_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 3600.0
UINT8_TYPE = 8


class TorchvisionSet(Source):
    """One of torchvision's sets, by the name of its class in `data.name`."""

    is_published = True

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_torchvision_set(self.name, place.root)


def read_torchvision_set(name: str, root: Path) -> DataSet:
    """Read a data set from torchvision's folder layout below a root.

    Files that are there are used without any network; a download is tried only where some are missing.

    Args:
        name: One of ``TORCHVISION_SETS``.
        root: The folder that holds ``MNIST/raw``, ``FashionMNIST/raw``, ``KMNIST/raw`` or
            ``cifar-10-batches-py``.

    Returns:
        The train and test splits as published, images of shape (1, 28, 28) or (3, 32, 32), ten classes.

    Raises:
        DataError: If files are missing and cannot be downloaded, or a file is damaged.
    """
    if name == "cifar10":
        return _read_cifar10(root)
    return _read_idx_set(name, IDX_SETS[name], root)


def _read_idx_set(name: str, reader: type[MNIST], root: Path) -> DataSet:
    folder = root / reader.__name__ / "raw"
    files = [Path(archive).stem for archive, _ in reader.resources]
    if _missing(folder, files):
        with _downloading(name, root, folder, files):
            reader(str(root), train=True, download=True)
    for part in ("train", "t10k"):
        num_images, _, _ = check_idx_file(folder / f"{part}-images-idx3-ubyte", num_dimensions=3)
        (num_labels,) = check_idx_file(folder / f"{part}-labels-idx1-ubyte", num_dimensions=1)
        if num_labels != num_images:
            raise DataError(f"{folder / part}-labels-idx1-ubyte: {num_labels} labels for {num_images} images")
    train, test = (_idx_split(reader(str(root), train=train)) for train in (True, False))
    return DataSet(train, test, tuple(reader.classes))


def _idx_split(data: MNIST) -> Split:
    return Split(data.data.unsqueeze(1).contiguous(), data.targets)


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
    """Let one process of a machine download, and turn a failure into advice.

    Every rank of a distributed run asks for the images; without the lock all of them would write the files.
    """
    timeout = socket.getdefaulttimeout()
    # torchvision sets none: a firewall that drops packets would stall the run for many minutes
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_SECONDS)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with holding(root / f".{name}.lock", LOCK_TIMEOUT_SECONDS):
            yield
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        reason = _last_line(error)
        missing = ", ".join(_missing(folder, files) or files)
        advice = "or use --data.name digits, which needs no files"
        message = f"data.name {name}: the download failed ({reason}); put {missing} into {folder}, {advice}"
        raise DataError(message) from error
    finally:
        socket.setdefaulttimeout(timeout)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def check_idx_file(path: Path, num_dimensions: int) -> tuple[int, ...]:
    """Check that an idx file of bytes is whole: torchvision's reader says neither which file is damaged nor how.

    Args:
        path: The file, not compressed.
        num_dimensions: How many dimensions its array must have.

    Returns:
        The shape of its array.

    Raises:
        DataError: If the file cannot be read, is of another format, or holds more or less than it declares.
    """
    try:
        with path.open("rb") as file:
            header = file.read(4 + 4 * num_dimensions)
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(header) < 4 + 4 * num_dimensions:
        raise DataError(f"{path} is truncated: it holds {size} bytes; delete it and get it again")
    magic, *shape = struct.unpack(f">{1 + num_dimensions}I", header)
    if magic != UINT8_TYPE << 8 | num_dimensions:
        raise DataError(f"{path} is corrupt: it is no idx file of bytes in {num_dimensions} dimensions")
    declared = len(header) + math.prod(shape)
    if size != declared:
        fault = "truncated" if size < declared else "corrupt"
        raise DataError(f"{path} is {fault}: {size} bytes instead of {declared}; delete it and get it again")
    return tuple(shape)
