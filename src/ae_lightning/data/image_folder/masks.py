"""Images and the masks that belong to them, side by side in a tree: no classes, and the masks are nothing to learn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ae_lightning.data.image_folder.tree import Node
from ae_lightning.data.split_names import words_of
from ae_lightning.data.splits import SplitName
from ae_lightning.errors import DataError

_MASKS = {
    *("mask", "masks", "label", "labels", "annotation", "annotations", "segmentation", "segmentations"),
    *("gt", "groundtruth", "target", "targets", "matte", "mattes", "depth"),
}
_IMAGES = {"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "input", "inputs", "rgb"}
_SHARE = 0.5
"""Of the masks, how many must be called as an image is, but for words that say what they are."""


def refuse_masks(path: Path, divided: Mapping[SplitName | None, Node]) -> None:
    """Refuse folders of masks beside the images that they belong to.

    Args:
        path: The tree.
        divided: The folder of each split, that of all under None.

    Raises:
        DataError: If there are such; it says how to read the images alone.
    """
    found = {split: pair for split, node in divided.items() if (pair := _pair(node)) is not None}
    if not found:
        return
    images, masks = next(iter(found.values()))
    remedy = f"data.path: {images.path}"
    if None not in found:
        shown = {split: (found[split][0] if split in found else node).path for split, node in divided.items()}
        below = {key: one.relative_to(path) if one.is_relative_to(path) else one for key, one in shown.items()}
        remedy = "data.splits: {" + ", ".join(f"{key}: {one}" for key, one in below.items()) + "}"
    raise DataError(
        f"data.path: {masks.path} has masks of the images in {images.path}, and is no class; "
        f"to read those alone: {remedy}"
    )


def _pair(node: Node) -> tuple[Node, Node] | None:
    kinds = {name: set(words_of(name)) for name in node.folders}
    for masks in (name for name, words in kinds.items() if words & _MASKS):
        for images in (name for name, words in kinds.items() if words & _IMAGES and not words & _MASKS):
            theirs, own = _stems(node.folders[masks]), _stems(node.folders[images])
            if len(theirs & own) >= _SHARE * len(theirs):
                return node.folders[images], node.folders[masks]
    return None


def _stems(node: Node) -> set[tuple[str, ...]]:
    paths = (path.relative_to(node.path) for path in node.everything())
    return {tuple(word for word in words_of(str(path.with_suffix(""))) if word not in _MASKS) for path in paths}
