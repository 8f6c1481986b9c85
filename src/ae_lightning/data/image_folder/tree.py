"""Image files as the tree of folders that they lie in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

MAX_STRAYS, MAX_STRAY_SHARE = 5, 0.1
"""So few images beside folders of images are previews and the like, which belong to none."""


@dataclass(frozen=True)
class Node:
    """A folder that holds images, or whose folders do.

    Attributes:
        path: Where it is.
        images: Those that lie in it.
        folders: Those in it that hold images at any depth, by name.
    """

    path: Path
    images: list[Path] = field(default_factory=list)
    folders: dict[str, Node] = field(default_factory=dict)

    def everything(self) -> Iterator[Path]:
        """Yield the images in it at any depth."""
        yield from self.images
        for folder in self.folders.values():
            yield from folder.everything()

    @property
    def num_below(self) -> int:
        """Count the images that lie in its folders."""
        return sum(len(folder.images) + folder.num_below for folder in self.folders.values())

    @property
    def is_divided(self) -> bool:
        """Whether some of its folders lie side by side, at whatever depth the first of them do."""
        return len(self.folders) > 1 or any(folder.is_divided for folder in self.folders.values())

    def descend(self) -> Node | None:
        """Return its only folder, where no images lie beside that but a few strays above what is divided."""
        only = next(iter(self.folders.values())) if len(self.folders) == 1 else None
        if only is None or (self.images and not (only.is_divided and are_strays(len(self.images), self.num_below))):
            return None
        return only


def tree_of(root: Path, images: Iterable[Path]) -> Node:
    """Return images as a tree.

    Args:
        root: The folder that they all lie in.
        images: In the order of their names.
    """
    top = Node(root)
    for image in images:
        node = top
        for name in image.relative_to(root).parts[:-1]:
            if name not in node.folders:
                node.folders[name] = Node(node.path / name)
            node = node.folders[name]
        node.images.append(image)
    return top


def are_strays(num_images: int, num_in_folders: int) -> bool:
    """Whether images beside folders are so few that they belong to none of what the folders divide."""
    return num_images <= min(MAX_STRAYS, MAX_STRAY_SHARE * num_in_folders)
