"""What a tree of images says of itself: which folders are splits, which are classes, and what belongs to neither."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ae_lightning.data.data_line import first_few
from ae_lightning.data.holding_out import TEST_SHARE, hold_out, num_held_out_for_test, told_of_test
from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.image_folder.masks import refuse_masks
from ae_lightning.data.image_folder.search import FoundFiles, counted, find_files
from ae_lightning.data.image_folder.settings import FolderLabels, FolderReading
from ae_lightning.data.image_folder.stored_image import ImagePath
from ae_lightning.data.image_folder.tree import Node, are_strays, tree_of
from ae_lightning.data.split_names import Part, part_of, parts_of, told_of_splits
from ae_lightning.data.splits import SPLITS, SplitName
from ae_lightning.errors import DataError
from ae_lightning.labels import MISSING_LABEL

BY_HAND = "data.splits: {train: DIR, test: DIR} names them"


class PlacedImage(NamedTuple):
    """An image file and what its folders say of it.

    Attributes:
        path: Of the file, or what stands for it.
        split: None where the tree is not divided.
        class_name: None where it has no label.
    """

    path: ImagePath
    split: SplitName | None
    class_name: str | None


@dataclass(frozen=True)
class FolderLayout:
    """How a tree was understood.

    Attributes:
        root: Where it is.
        images: Of train, val and test in this order, each in the order of names.
        class_names: In ascending order; None where the images are unlabelled.
        notes: How the tree was understood, and what was left out.
    """

    root: Path
    images: tuple[PlacedImage, ...]
    class_names: tuple[str, ...] | None
    notes: tuple[str, ...]

    @property
    def shown_classes(self) -> tuple[str, ...] | None:
        """The class names as every file and page takes them."""
        return None if self.class_names is None else tuple(map(shown, self.class_names))

    def labels_of(self, images: Sequence[PlacedImage]) -> Tensor | None:
        """Return the label of each of some images, int64, −1 where it has none; None where all are unlabelled."""
        if self.class_names is None:
            return None
        places: dict[str | None, int] = {name: place for place, name in enumerate(self.class_names)}
        return torch.tensor([places.get(image.class_name, MISSING_LABEL) for image in images])

    def keys_of(self, images: Sequence[PlacedImage]) -> list[str]:
        """Return the paths of some images below the root, or the whole path of what lies elsewhere."""
        # As text: of a hundred thousand files, paths would take seconds to be told relative to each other.
        root = f"{self.root}{os.sep}"
        return [shown(str(image.path).removeprefix(root)) for image in images]

    def divided(self, images: Sequence[PlacedImage], seed: int) -> dict[SplitName, Tensor]:
        """Divide some of the images as their folders say; without a test split, a tenth of the others becomes one.

        Args:
            images: Those that can be read.
            seed: Fixes which tenth.

        Returns:
            For each split where among these images its own are, int64; `train` and `test`, and `val` where there is
            one.

        Raises:
            DataError: If there are no images for a split.
        """
        splits = [image.split or "train" for image in images]
        places: dict[SplitName, Tensor] = {
            name: torch.tensor([place for place, split in enumerate(splits) if split == name], dtype=torch.int64)
            for name in dict.fromkeys(image.split or "train" for image in self.images)
        }
        if "test" not in places:
            train = places["train"]
            kept, held_out = hold_out(len(train), num_held_out_for_test(len(train), TEST_SHARE), seed)
            places |= {"train": train[kept], "test": train[held_out]}
        return places


def read_layout(path: Path, reading: FolderReading, faults: Faults) -> FolderLayout:
    """Understand the folders of a tree of images.

    Args:
        path: Where it is.
        reading: What is to be made of it.
        faults: Where folders go that cannot be listed.

    Raises:
        DataError: If a folder is missing or holds no image, or what the folders are cannot be told.
    """
    if not path.is_dir():
        raise DataError(f"data.path: there is no folder {path}")
    reader = _Reader(path, reading.labels)
    if reading.splits is None:
        found = find_files(path, path, reading.follow_links, faults)
        if not found.images:
            raise DataError(found.lack(path))
        return reader.layout(reader.divided(found), found.passed_over)
    searched = {
        name: _searched(path, name, folder, reading.follow_links, faults) for name, folder in reading.splits.items()
    }
    _refuse_overlap(searched)
    trees = {name: tree_of(found.root, found.images) for name, found in searched.items()}
    passed_over = sum((Counter(found.passed_over) for found in searched.values()), Counter[str]())
    return reader.layout(reader.splits_of(trees), passed_over)


def _searched(path: Path, split: SplitName, folder: str, follow_links: bool, faults: Faults) -> FoundFiles:
    root = path / folder
    if not root.is_dir():
        raise DataError(f"data.splits: {split}: there is no folder {root}")
    found = find_files(root, path if root.is_relative_to(path) else root, follow_links, faults)
    if not found.images:
        raise DataError(f"data.splits: {split}: {found.lack(root)}")
    return found


def _refuse_overlap(searched: Mapping[SplitName, FoundFiles]) -> None:
    real = {name: found.root.resolve() for name, found in searched.items()}
    for name, other in ((a, b) for a in real for b in real if a != b):
        if real[other].is_relative_to(real[name]):
            raise DataError(f"data.splits: {other} lies in {name}: {searched[other].root}, {searched[name].root}")


class _Reader:
    """Goes down a tree, and notes what it takes the folders for."""

    def __init__(self, path: Path, labels: FolderLabels | None) -> None:
        self._path = path
        self._labels = labels
        self._notes: list[str] = []
        self._left_out: list[str] = []

    def divided(self, found: FoundFiles) -> dict[SplitName | None, Node]:
        """Return the folder of each split; the one of all under None where there are none."""
        top = node = tree_of(found.root, found.images)
        while True:
            linked = {link.name for link in found.links if link.parent == node.path and part_of(link.name)}
            parts = parts_of({*node.folders, *linked})
            if parts is not None:
                self._leave_out(node.images, "beside the splits")
                return self.splits_of(self._chosen(node, parts, found))
            below = self._below(node)
            if below is None:
                break
            if node.images and self._labels != "none":
                self._leave_out(node.images, f"beside {below.path.name}")
            node = below
        return {None: top if self._labels == "none" else node}

    def _below(self, node: Node) -> Node | None:
        """Return the folder to go down to; a last one that a user takes for a class is none."""
        below = node.descend()
        return None if below is None or (self._labels == "folders" and not below.folders) else below

    def _chosen(self, node: Node, parts: Mapping[str, Part], found: FoundFiles) -> dict[SplitName, Node]:
        named: dict[Part, list[str]] = {}
        for name in sorted(parts):
            named.setdefault(parts[name], []).append(name)
        for name in named.pop("other", []):
            if name in node.folders:
                self._leave_out(list(node.folders[name].everything()), f"of {name}")
        for part, names in named.items():
            if len(names) > 1:
                raise DataError(f"data.path: {node.path} has {' and '.join(names)} for {part}; {BY_HAND}")
        if "train" not in named:
            others = " and ".join(name for names in named.values() for name in names)
            raise DataError(f"data.path: {node.path} has {others}, but nothing to train on; {BY_HAND}")
        for (name,) in named.values():
            if name not in node.folders:
                raise DataError(found.lack(node.path / name))
        return {split: node.folders[named[split][0]] for split in SPLITS if split in named}

    def splits_of(self, trees: Mapping[SplitName, Node]) -> dict[SplitName | None, Node]:
        """Return where the classes or images of each split lie, going down through folders that hold all of it."""
        found: dict[SplitName | None, Node] = {}
        for split in (split for split in SPLITS if split in trees):
            others = {name for other in trees if other != split for name in _first_names(trees[other])}
            node = trees[split]
            # A split may show one class alone.
            while (below := self._below(node)) is not None and not others & node.folders.keys():
                self._leave_out(node.images, f"beside {self._shown(below.path)}")
                node = below
            found[split] = node
        self._notes += told_of_splits({split: self._shown(node.path) for split, node in found.items() if split})
        return found

    def layout(self, divided: Mapping[SplitName | None, Node], passed_over: Mapping[str, int]) -> FolderLayout:
        """Return all images, each with its split and class."""
        refuse_masks(self._path, divided)
        classes = self._classes(divided)
        if "test" not in divided:
            held_out_of = "train" if "train" in divided else "the images"
            self._notes.append(told_of_test(held_out_of))
        if passed_over:
            self._left_out.append(counted(passed_over))
        notes = [*self._notes, *(["left out: " + ", ".join(self._left_out)] if self._left_out else [])]
        placed = [one for split, node in divided.items() for one in self._placed(split, node, classes)]
        return FolderLayout(self._path, tuple(placed), tuple(classes) or None, tuple(notes))

    def _classes(self, divided: Mapping[SplitName | None, Node]) -> list[str]:
        """Return the folders that are classes; none where the images are unlabelled."""
        with_folders = {split: node for split, node in divided.items() if node.folders}
        names = sorted({name for node in with_folders.values() for name in node.folders})
        if self._labels == "folders" and not names:
            raise DataError(f"data.labels: folders: no image lies in a folder of {self._path}")
        if self._labels == "none" or (self._labels is None and len(names) < 2):
            return []
        loose = [image for node in with_folders.values() for image in node.images]
        num_in_folders = sum(node.num_below for node in with_folders.values())
        where = f"{len(loose):,} image{'' if len(loose) == 1 else 's'} beside the folders {first_few(names)}"
        if self._labels is None and are_strays(len(loose), num_in_folders):
            self._leave_out(loose, "beside the classes")
            for node in with_folders.values():
                node.images.clear()
        elif self._labels is None and len(loose) > num_in_folders:
            self._notes.append(f"no labels, as there are {where} (data.labels: folders gives those in folders theirs)")
            return []
        elif loose:
            self._notes.append(f"without a label: {where}")
        self._tell_of_classes(divided)
        return names

    def _tell_of_classes(self, divided: Mapping[SplitName | None, Node]) -> None:
        undivided = divided.get(None)
        folders = sorted(undivided.folders) if undivided is not None else []
        lookalikes = [name for name in folders if (named := part_of(name)) is not None and named.part in SPLITS]
        if lookalikes:
            names = first_few(list(dict.fromkeys([*lookalikes, *folders])))
            self._notes.append(f"{names} are classes, as not all folders are called after splits ({BY_HAND})")
        elif undivided is not None and undivided.path != self._path:
            self._notes.append(f"classes are the folders of {self._shown(undivided.path)}")
        for split, node in divided.items():
            if not node.folders:
                self._notes.append(f"{split} has no labels, as it has no folders")
        sets = {str(split): node.folders.keys() for split, node in divided.items() if node.folders}
        others = [split for split in sets if split != "train" and "train" in sets]
        for one, other in (pair for split in others for pair in (("train", split), (split, "train"))):
            alone = sorted(sets[one] - sets[other])
            if alone:
                self._notes.append(f"{first_few(alone)} in {one}, and not in {other}")

    def _placed(self, split: SplitName | None, node: Node, classes: Sequence[str]) -> list[PlacedImage]:
        if not classes:
            return [PlacedImage(path, split, None) for path in sorted(node.everything(), key=Path.as_posix)]
        placed = [PlacedImage(path, split, None) for path in node.images]
        for name, folder in node.folders.items():
            placed += [PlacedImage(path, split, name) for path in folder.everything()]
        return sorted(placed, key=lambda one: str(one.path))

    def _leave_out(self, images: Sequence[Path], where: str) -> None:
        if len(images) == 1:
            self._left_out.append(self._shown(images[0]))
        elif images:
            self._left_out.append(f"{len(images):,} images {where}")

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self._path)) if path.is_relative_to(self._path) else str(path)


def _first_names(node: Node) -> list[str]:
    """Return the names of the folders that first lie side by side; none where a single one leads to images."""
    while len(node.folders) == 1:
        (node,) = node.folders.values()
    return list(node.folders)


def shown(name: str) -> str:
    """Return a name that every file and page takes: those of files need not be valid UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="replace")
