"""Any of torchvision's sets of images with a class each, by the name of its class there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision import datasets  # type: ignore[import-untyped]

from ae_lightning.data.arrays.samples import with_channels_first
from ae_lightning.data.downloading import FAILURES, downloading, no_empty_folders
from ae_lightning.data.holding_out import TEST_SHARE, hold_out_test, told_of_test
from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.layout import FolderLayout, PlacedImage
from ae_lightning.data.image_folder.settings import OF_FILES
from ae_lightning.data.memory import COPIES, require_memory
from ae_lightning.data.progress import track_slow
from ae_lightning.data.sample_keys import keys_of_array
from ae_lightning.data.source import Place
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.splits import DataSet, Split, SplitName
from ae_lightning.data.torchvision_table import CLASSES, TorchvisionClass
from ae_lightning.errors import ConfigError, DataError, first_line, unknown_name
from ae_lightning.labels import MISSING_LABEL

KEY, OPTIONS = "data.dataset", "data.dataset_options"

Opened = Mapping[SplitName, Any]


def check_class(settings: SourceSettings) -> None:
    """Refuse what names no set of torchvision's that is read here, or options that it does not take.

    Raises:
        ConfigError: If the name, an option or a setting cannot be meant.
    """
    name = settings.dataset
    if name is None:
        raise ConfigError(f"{KEY} must say which of torchvision's sets; Allowed: {', '.join(sorted(CLASSES))}")
    if name not in CLASSES:
        if name in datasets.__all__:
            allowed = ", ".join(sorted(CLASSES))
            raise ConfigError(f"{KEY}: {name} is no set of images with a class each; Allowed: {allowed}")
        raise ConfigError(unknown_name(KEY, name, CLASSES))
    about, options = CLASSES[name], settings.dataset_options or {}
    for option in options:
        if option in about.set_by_us and option not in about.options:
            raise ConfigError(f"{OPTIONS}: {option} is set already; {_allowed(name)}")
        if option not in about.options:
            raise ConfigError(f"{OPTIONS}: {option!r} is not known; {_allowed(name)}")
    for option, example in about.needs.items():
        if option not in options:
            raise ConfigError(f"{OPTIONS}: {name} needs {option}, such as {{{option}: {example}}}")
    for key in settings.given:
        if key in OF_FILES - {"resize"} and about.kind != "files":
            raise ConfigError(f"data.{key}: the images of {name} are no files, and have one size")
    for library in about.libraries:
        if find_spec(library) is None:
            raise ConfigError(f"{KEY}: {name} needs {library}: pip install {library}")


def _allowed(name: str) -> str:
    options = CLASSES[name].options
    return f"{name} takes {', '.join(options)}" if options else f"{name} takes none"


def called(settings: SourceSettings) -> str:
    """Return what a set is called: its name, and the words among its options, such as `EMNIST-letters`."""
    words = [value for value in (settings.dataset_options or {}).values() if isinstance(value, str)]
    return "-".join([settings.dataset or "torchvision", *words])


def read_class(place: Place) -> DataSet:
    """Read a set; where its files are missing, a download is tried.

    Args:
        place: Its name and options are among the settings; its files below the root.

    Returns:
        The splits as torchvision has them. Where it has no test split, a tenth of the train split is held out.

    Raises:
        ConfigError: If an option is refused.
        DataError: If files are missing and cannot be downloaded, or are damaged.
    """
    name = str(place.settings.dataset)
    about = CLASSES[name]
    with no_empty_folders(place.root):
        opened: Opened = {split: _open(name, about, place, arguments) for split, arguments in about.splits.items()}
    if about.kind == "files":
        return _read_files(about, place, opened)
    return _read_arrays(name, about, place, opened)


def _open(name: str, about: TorchvisionClass, place: Place, arguments: Mapping[str, Any]) -> Any:
    """Open a split, downloaded if need be."""
    options = place.settings.dataset_options or {}
    all_arguments = {**options, **arguments}
    if about.has_root:
        all_arguments["root"] = str(place.root)
    if about.kind == "files" and name not in _PATHS:
        # What it would decode an image by: it gives the path instead.
        all_arguments["loader"] = str
    cls = getattr(datasets, name)
    try:
        return cls(**all_arguments, **({"download": False} if about.has_root and about.downloads else {}))
    except (*FAILURES, TypeError) as error:
        if isinstance(error, ValueError | TypeError) and options:
            raise ConfigError(f"{OPTIONS}: {first_line(error)}") from error
        if not about.downloads:
            raise DataError(f"{KEY} {name}: {first_line(error, 400)} (data.root {place.root})") from error
    where = f"put its files below {place.root}, where torchvision.datasets.{name} looks for them"
    with downloading(f"{KEY} {name}", place.root, name, lambda: where):
        return cls(**all_arguments, download=True)


def _class_names(opened: Opened, numbers: Sequence[int]) -> list[str]:
    """Return the names of some classes: torchvision's where it gives them, else their numbers."""
    data = opened["train"]
    known = getattr(data, "classes", None) or getattr(data, "categories", None)
    if known is None:
        known = {number: name for name, number in getattr(data, "class_to_idx", {}).items()}
    names = []
    for number in numbers:
        name = known.get(number, number) if isinstance(known, dict) else known[number]
        names.append(str(name[0] if isinstance(name, tuple) else name))
    times = Counter(names)
    return [name if times[name] == 1 else f"{name} ({number})" for name, number in zip(names, numbers, strict=True)]


def _read_arrays(name: str, about: TorchvisionClass, place: Place, opened: Opened) -> DataSet:
    notes = []
    found = {split: _arrays_of(name, about, data) for split, data in opened.items()}
    numbers = np.unique(np.concatenate([labels for _, labels in found.values()]))
    numbers = numbers[numbers != MISSING_LABEL]
    splits = {}
    for split, (images, labels) in found.items():
        x = with_channels_first(images.swapaxes(1, 2) if about.is_transposed else images)
        # Those that a file maps cannot be written to, of which PyTorch warns.
        x = x if x.flags.writeable else x.copy()
        places = np.where(labels == MISSING_LABEL, MISSING_LABEL, np.searchsorted(numbers, labels))
        keys = keys_of_array(split if len(opened) > 1 else name, len(x))
        splits[split] = Split(torch.from_numpy(x), torch.from_numpy(places.astype(np.int64)), keys=keys)
    if about.is_transposed:
        notes.append(f"turned upright, as {name} stores images column by column")
    train, test = splits["train"], splits.get("test")
    if test is None:
        train, test = hold_out_test(train, TEST_SHARE, place.split_seed)
        notes.append(told_of_test())
    names = tuple(_class_names(opened, numbers.tolist()))
    return DataSet(train, test, names, val=splits.get("val"), notes=tuple(notes))


def _arrays_of(name: str, about: TorchvisionClass, data: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the images of a split, with channels or none, and their labels, −1 where missing."""
    if about.kind == "arrays":
        labels = np.asarray(data.targets if hasattr(data, "targets") else data.labels)
        # QMNIST's first column is the digit; the others are who wrote it, and the like.
        return np.asarray(data.data), (labels[:, 0] if labels.ndim == 2 else labels).astype(np.int64)
    images, classes = [], []
    for position in track_slow(range(len(data)), f"Reading {name}", "images"):
        image, label = data[position]
        images.append(np.asarray(image))
        classes.append(MISSING_LABEL if label is None else int(label))
    require_memory(COPIES * len(images) * images[0].nbytes, f"{KEY} {name}:")
    return np.stack(images), np.array(classes, dtype=np.int64)


_Labelled = Iterable[tuple[Any, int | None]]


def _opened_lazily(data: Any) -> _Labelled:
    """Give the paths of images that are opened, and not decoded until they are looked at."""
    return ((data[place][0].filename, data.y[place]) for place in range(len(data)))


_PATHS: Mapping[str, Callable[[Any], _Labelled]] = {
    "Caltech101": _opened_lazily,
    "Caltech256": _opened_lazily,
    # They decode all images to colour themselves.
    "GTSRB": lambda data: data._samples,
    "OxfordIIITPet": lambda data: zip(data._images, data._labels, strict=True),
}
"""Paths and labels of sets that take no loader."""


def _read_files(about: TorchvisionClass, place: Place, opened: Opened) -> DataSet:
    # What describes kept images takes a tenth of a second to import.
    from ae_lightning.data.image_folder.folder import KeptUnder, read_layout_images

    found: dict[SplitName, list[tuple[Path, int | None]]] = {}
    for split, data in opened.items():
        labelled = _PATHS.get(type(data).__name__, _loaded)(data)
        rows = [(Path(path), None if label is None else int(label)) for path, label in labelled]
        found[split] = sorted(rows, key=lambda row: str(row[0]))
    numbers = sorted({label for rows in found.values() for _, label in rows if label is not None})
    names = dict(zip(numbers, _class_names(opened, numbers), strict=True))
    is_divided = len(opened) > 1
    images = [
        PlacedImage(path, split if is_divided else None, None if label is None else names[label])
        for split, rows in found.items()
        for path, label in rows
    ]
    notes = () if "test" in opened else (told_of_test(),)
    layout = FolderLayout(place.root, tuple(images), tuple(names.values()), notes)
    reading = place.settings
    files = [path for rows in found.values() for path, _ in rows]
    kept_under = KeptUnder(layout.keys_of(images), files)
    return read_layout_images(layout, place.split_seed, reading, Faults(reading.on_error), kept_under, place.cache)


def _loaded(data: Any) -> _Labelled:
    """Give what a set makes of images whose loader gives their paths."""
    return (data[place] for place in range(len(data)))
