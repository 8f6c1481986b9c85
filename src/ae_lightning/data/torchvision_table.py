"""The sets of torchvision that are images with a class each, and what each needs to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ae_lightning.data.splits import SplitName

Kind = Literal["arrays", "files", "images"]
"""How torchvision has the images: in one array, in a file each, or one by one."""

Splits = Mapping[SplitName, Mapping[str, Any]]

TRAIN: Splits = {"train": {"train": True}, "test": {"train": False}}
SPLIT: Splits = {"train": {"split": "train"}, "test": {"split": "test"}}
SPLIT_VAL: Splits = {"train": {"split": "train"}, "val": {"split": "val"}, "test": {"split": "test"}}
NO_TEST: Splits = {"train": {"split": "train"}, "val": {"split": "val"}}
UNDIVIDED: Splits = {"train": {}}


@dataclass(frozen=True)
class TorchvisionClass:
    """How one of torchvision's classes is used.

    Attributes:
        kind: How it has its images.
        splits: The arguments that each of its splits takes; `train` alone where it is not divided.
        options: Further arguments that a user may give.
        needs: Those of them that have no default, each with an example.
        libraries: What it needs beyond this package, by the name to import it.
        has_root: Whether it reads files.
        downloads: Whether it can fetch them.
        is_transposed: Whether its images are stored column by column.
    """

    kind: Kind
    splits: Splits
    options: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    has_root: bool = True
    downloads: bool = True
    is_transposed: bool = False

    @property
    def set_by_us(self) -> set[str]:
        """Arguments that are not a user's to give."""
        return {"root", "transform", "target_transform", "download", "loader"} | {
            name for arguments in self.splits.values() for name in arguments
        }


_VALID: Splits = {"train": {"split": "train"}, "val": {"split": "valid"}, "test": {"split": "test"}}
_TRAINVAL: Splits = {"train": {"split": "trainval"}, "test": {"split": "test"}}
_STANDARD: Splits = {"train": {"split": "train-standard"}, "val": {"split": "val"}}

CLASSES: Mapping[str, TorchvisionClass] = {
    "CIFAR10": TorchvisionClass("arrays", TRAIN),
    "CIFAR100": TorchvisionClass("arrays", TRAIN),
    "CLEVRClassification": TorchvisionClass("files", SPLIT_VAL),
    "Caltech101": TorchvisionClass("files", UNDIVIDED),
    "Caltech256": TorchvisionClass("files", UNDIVIDED),
    "Country211": TorchvisionClass("files", _VALID),
    "DTD": TorchvisionClass("files", SPLIT_VAL, options=("partition",)),
    "EMNIST": TorchvisionClass("arrays", TRAIN, options=("split",), needs={"split": "letters"}, is_transposed=True),
    "EuroSAT": TorchvisionClass("files", UNDIVIDED),
    "FER2013": TorchvisionClass("images", SPLIT, downloads=False),
    "FGVCAircraft": TorchvisionClass("files", SPLIT_VAL, options=("annotation_level",)),
    "FakeData": TorchvisionClass(
        "images", UNDIVIDED, options=("size", "image_size", "num_classes", "random_offset"), has_root=False
    ),
    "FashionMNIST": TorchvisionClass("arrays", TRAIN),
    "Flowers102": TorchvisionClass("files", SPLIT_VAL),
    "Food101": TorchvisionClass("files", SPLIT),
    "GTSRB": TorchvisionClass("files", SPLIT),
    "ImageNet": TorchvisionClass("files", NO_TEST, downloads=False),
    "Imagenette": TorchvisionClass("files", NO_TEST, options=("size",)),
    "KMNIST": TorchvisionClass("arrays", TRAIN),
    "LFWPeople": TorchvisionClass("files", SPLIT, options=("image_set",), downloads=False),
    "MNIST": TorchvisionClass("arrays", TRAIN),
    "OxfordIIITPet": TorchvisionClass("files", _TRAINVAL),
    "PCAM": TorchvisionClass("images", SPLIT_VAL, libraries=("h5py",)),
    "Places365": TorchvisionClass("files", _STANDARD, options=("small",)),
    "QMNIST": TorchvisionClass("arrays", TRAIN),
    "RenderedSST2": TorchvisionClass("files", SPLIT_VAL),
    "SEMEION": TorchvisionClass("arrays", UNDIVIDED),
    "STL10": TorchvisionClass("arrays", SPLIT, options=("folds",)),
    "SUN397": TorchvisionClass("files", UNDIVIDED),
    "SVHN": TorchvisionClass("arrays", SPLIT),
    "StanfordCars": TorchvisionClass("files", SPLIT, downloads=False),
    "USPS": TorchvisionClass("arrays", TRAIN),
}
"""SciPy, which Flowers102, ImageNet, StanfordCars and SVHN need, comes with this package."""
