"""Data sets of images as Hugging Face's `datasets` has them: saved to disk, in Parquet files, or on its hub."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ae_lightning.data.arrays.labels import check_label_header, places_of
from ae_lightning.data.arrays.samples import Header
from ae_lightning.data.data_line import first_few
from ae_lightning.data.holding_out import told_of_test
from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.layout import FolderLayout, PlacedImage
from ae_lightning.data.image_folder.stored_image import StoredImage
from ae_lightning.data.source import Place
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.split_names import Part, part_of, split_by_names, told_of_splits
from ae_lightning.data.splits import SPLITS, DataSet, SplitName
from ae_lightning.errors import ConfigError, DataError, first_line, unknown_name
from ae_lightning.labels import MISSING_LABEL

OPTIONS = ("name", "revision", "data_dir", "data_files")
"""Arguments of `load_dataset` that say what is read. None says who reads: others' code is not run."""

OPTIONS_KEY = "data.dataset_options"
IMAGE_KEY, LABEL_KEY = "data.image_column", "data.label_column"

SAVED_ONE, SAVED_SEVERAL = "state.json", "dataset_dict.json"
"""What `save_to_disk` writes into the folder of a data set, and of several splits."""

HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
"""Of somebody's data set, or of one of the first ones, which are nobody's."""

BY_HAND = "data.splits: {train: NAME, test: NAME} names them"


class Splits(NamedTuple):
    """The splits of a data set as `datasets` opens them.

    Attributes:
        opened: By name; `train` alone where it is in one piece.
        notes: How they were understood.
    """

    opened: dict[SplitName, Any]
    notes: list[str]


def check_huggingface(settings: SourceSettings) -> None:
    """Refuse options that are not known, and a package that is missing.

    Raises:
        ConfigError: If one is refused, or `datasets` is not installed.
    """
    for option in settings.dataset_options or {}:
        if option == "trust_remote_code":
            raise ConfigError(f"{OPTIONS_KEY}: {option} is not allowed: code that comes with data is not run")
        if option not in OPTIONS:
            raise ConfigError(unknown_name(OPTIONS_KEY, str(option), OPTIONS))
    found = importlib.util.find_spec("datasets")
    # A folder of that name in the working directory is no package.
    if found is None or found.origin is None:
        raise ConfigError("data.name huggingface needs the package datasets: pip install 'ae_lightning[huggingface]'")


def read_huggingface(place: Place) -> DataSet:
    """Read images, and labels if there are any.

    Args:
        place: The path is a folder that `save_to_disk` wrote, one of Parquet files, or the name of a data set on the
            hub. Settings say which columns hold what.

    Returns:
        The splits, images of one channel if all are grey, else of three. Without a test split, a tenth is held out.

    Raises:
        ConfigError: If there is no such column, or more than one that could be it.
        DataError: If it cannot be loaded, or an image cannot be read and is not to be skipped.
    """
    # What describes kept images takes a tenth of a second to import.
    from ae_lightning.data.image_folder.folder import KeptUnder, read_layout_images

    settings = place.settings
    splits = _splits(_load(place), settings)
    train = splits.opened["train"]
    for other in splits.opened.values():
        if other.features.keys() != train.features.keys():
            names = [name for name in train.features if name not in other.features] or list(other.features)
            raise DataError(f"data.path: {settings.path}: its splits have other columns ({first_few(names)})")
    image_column = _image_column(train.features, settings)
    label_column, label_notes = _label_column(train.features, settings, image_column)
    class_of = _class_names(splits.opened, label_column, str(settings.path))
    images, kept_names, kept_files = [], [], []
    for split, one in splits.opened.items():
        stored = _stored(one, split, image_column, str(settings.path))
        own = None if class_of is None else class_of.names[split]
        is_divided = len(splits.opened) > 1
        for position, image in enumerate(stored):
            images.append(PlacedImage(image, split if is_divided else None, None if own is None else own[position]))
        files = [Path(file["filename"]) for file in one.cache_files]
        kept_files += files
        kept_names += [f"{split} {image_column} {one._fingerprint} {number}" for number in range(len(files))]
    notes = [*splits.notes, *label_notes, *([] if class_of is None else class_of.notes)]
    if "test" not in splits.opened:
        notes.append(told_of_test())
    classes = None if class_of is None else tuple(class_of.classes)
    layout = FolderLayout(Path(str(settings.path)), tuple(images), classes, tuple(notes))
    # Of what lies in memory alone nothing tells whether it is the same.
    cache = place.cache if all(one.cache_files for one in splits.opened.values()) else None
    faults = Faults(settings.on_error)
    return read_layout_images(layout, place.split_seed, settings, faults, KeptUnder(kept_names, kept_files), cache)


def _load(place: Place) -> Any:
    """Open a data set: a `Dataset`, or a `DatasetDict` of several splits."""
    import datasets  # type: ignore[import-not-found, import-untyped, unused-ignore]

    path, options = place.path, dict(place.settings.dataset_options or {})
    where = f"data.path: {place.settings.path}"
    is_saved = (path / SAVED_ONE).is_file() or (path / SAVED_SEVERAL).is_file()
    if is_saved and options:
        raise ConfigError(f"{OPTIONS_KEY}: {first_few(list(options))}: {path} was saved to disk, and takes none")
    if not path.exists():
        if not HUB_NAME.fullmatch(str(place.settings.path)) or _is_loader(str(place.settings.path)):
            raise DataError(f"{where}: there is no such folder, and no data set of the hub is called so")
        # Where it cannot be reached, that takes minutes.
        Console(stderr=True).print(
            f"asking Hugging Face's hub for {place.settings.path}", highlight=False, markup=False
        )
    try:
        with _bars_on_terminals_alone():
            if is_saved:
                return datasets.load_from_disk(str(path))
            return datasets.load_dataset(str(path) if path.exists() else str(place.settings.path), **options)
    except Exception as error:  # whatever the hub, or what lies in the folder, is stumbled over by
        kind = "a folder that cannot be loaded" if path.exists() else "no folder, and not loaded from the hub"
        raise DataError(f"{where} is {kind}: {type(error).__name__}: {first_line(error)}") from error


def _is_loader(name: str) -> bool:
    """Whether `datasets` would take a name for one of its own readers of files, some of which would unpickle them."""
    return name.isidentifier() and importlib.util.find_spec(f"datasets.packaged_modules.{name}") is not None


@contextmanager
def _bars_on_terminals_alone() -> Iterator[None]:
    from datasets import utils

    if sys.stderr.isatty() or utils.are_progress_bars_disabled():
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()


def _splits(loaded: Any, settings: SourceSettings) -> Splits:
    if not isinstance(loaded, Mapping):
        if settings.splits is not None:
            raise ConfigError(f"data.splits: {settings.path} is in one piece")
        return Splits({"train": loaded}, [])
    if settings.splits is not None:
        for name in settings.splits.values():
            if name not in loaded:
                raise ConfigError(unknown_name("data.splits", name, map(str, loaded)))
        named = {split: settings.splits[split] for split in SPLITS if split in settings.splits}
    elif len(loaded) == 1:
        return Splits({"train": next(iter(loaded.values()))}, [])
    else:
        read = {name: part_of(name) for name in map(str, loaded)}
        parts: dict[str, Part] = {name: "other" if one is None else one.part for name, one in read.items()}
        named = split_by_names(parts, f"data.path: {settings.path}", BY_HAND)
    notes = told_of_splits(named, [name for name in map(str, loaded) if name not in named.values()])
    return Splits({split: loaded[name] for split, name in named.items()}, notes)


def _image_column(features: Mapping[str, Any], settings: SourceSettings) -> str:
    columns = list(map(str, features))
    if settings.image_column is not None:
        if settings.image_column not in features:
            raise ConfigError(unknown_name(IMAGE_KEY, settings.image_column, columns))
        return settings.image_column
    images = [name for name in columns if type(features[name]).__name__ == "Image"]
    if len(images) == 1:
        return images[0]
    if images:
        raise ConfigError(f"{IMAGE_KEY} must say which column holds the images: {', '.join(images)}")
    raise ConfigError(
        f"{IMAGE_KEY} must say which column holds the images, as none is of their type: {', '.join(columns)}"
    )


def _label_column(
    features: Mapping[str, Any], settings: SourceSettings, image_column: str
) -> tuple[str | None, list[str]]:
    columns = [str(name) for name in features if name != image_column]
    if settings.label_column is not None:
        if settings.label_column not in columns:
            raise ConfigError(unknown_name(LABEL_KEY, settings.label_column, columns))
        return settings.label_column, []
    labels = [name for name in columns if type(features[name]).__name__ == "ClassLabel"]
    if len(labels) > 1:
        raise ConfigError(f"{LABEL_KEY} must say which column holds the labels: {', '.join(labels)}")
    if labels:
        return labels[0], []
    others = f"; {LABEL_KEY} takes one of {first_few(columns)} for them" if columns else ""
    return None, [f"no labels, as no column is of their type{others}"] if others else []


class _Classes(NamedTuple):
    """The class of each image.

    Attributes:
        names: Of each split, by position; None where it has no label.
        classes: All of them, in their order.
        notes: What could not be taken.
    """

    names: dict[SplitName, list[str | None]]
    classes: list[str]
    notes: list[str]


def _class_names(opened: Mapping[SplitName, Any], column: str | None, path: str) -> _Classes | None:
    if column is None:
        return None
    feature = opened["train"].features[column]
    found = {}
    for split, one in opened.items():
        where = f"{path}: {column}"
        values = _values(where, one.select_columns([column])[:][column])
        check_label_header(where, Header(values.shape, values.dtype))
        found[split] = where, values
    labels = places_of(found)
    if not labels.places:
        return None
    classes = list(labels.class_names)
    known = getattr(feature, "names", None)
    if known is not None:
        classes = [known[int(number)] for number in classes]
    names: dict[SplitName, list[str | None]] = {
        split: [None if place == MISSING_LABEL else classes[place] for place in places.tolist()]
        for split, places in labels.places.items()
    }
    return _Classes(names, classes, list(labels.notes))


def _values(where: str, column: Any) -> NDArray[Any]:
    """Return a column as an array, its missing values as labels have them."""
    values = list(column)
    is_word = any(isinstance(value, str) for value in values)
    missing = "" if is_word else MISSING_LABEL
    try:
        return np.array([missing if value is None else value for value in values])
    except ValueError as error:  # of lists that differ in length
        raise DataError(f"{LABEL_KEY}: {where} holds several values a row; labels are integers or words") from error


def _stored(data: Any, split: SplitName, column: str, path: str) -> list[StoredImage]:
    """Return what reads the encoded images of a split."""
    import datasets

    try:
        images = data.select_columns([column]).cast_column(column, datasets.Image(decode=False))
    except Exception as error:  # whatever is in the column
        raise DataError(f"{IMAGE_KEY}: {path}: {column} holds no images ({first_line(error)})") from error

    def reader(position: int) -> bytes:
        image = images[position][column]
        if image is None:
            raise ValueError("there is no image")
        content = image["bytes"]
        return Path(image["path"]).read_bytes() if content is None else bytes(content)

    return [StoredImage(f"{split}[{position}]", partial(reader, position)) for position in range(len(data))]
