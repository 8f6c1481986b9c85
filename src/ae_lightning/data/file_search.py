"""Finding image files in a tree of folders."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from ae_lightning.data.faults import Faults
from ae_lightning.errors import DataError

SUFFIXES = frozenset(
    (
        ".bmp",
        ".gif",
        ".jpeg",
        ".jpg",
        ".pbm",
        ".pgm",
        ".png",
        ".pnm",
        ".ppm",
        ".tga",
        ".tif",
        ".tiff",
        ".webp",
    )
)
MAX_LINKS_NAMED = 5


def find_images(root: Path, boundary: Path, follow_links: bool, faults: Faults) -> list[Path]:
    """Find every image file below a folder, each folder once even where links form a ring.

    Args:
        root: The folder.
        boundary: What lies outside of this folder is outside.
        follow_links: Whether links that lead outside are followed.
        faults: Where folders go that cannot be listed.

    Returns:
        The files in the order of their names.

    Raises:
        DataError: If there are none, or the folder is itself a link that is not followed.
    """
    outside = _Outside(boundary, follow_links)
    files = sorted(_walk(root, outside, faults), key=Path.as_posix)
    outside.warn()
    if not files:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DataError(f"there are no images in {root} (looked for {kinds}){outside.hint}")
    return files


def _walk(root: Path, outside: _Outside, faults: Faults) -> Iterator[Path]:
    if outside.leaves_out(root):
        return
    seen = set()
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=faults.refused_folder):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith(".") and not outside.leaves_out(Path(folder, name))
        )
        for name in names:
            is_image = not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
            if is_image and not outside.leaves_out(Path(folder, name)):
                yield Path(folder, name)


class _Outside:
    """Tells links that lead out of a folder, and remembers them."""

    def __init__(self, boundary: Path, follow: bool) -> None:
        self.boundary = os.path.realpath(boundary)
        self.follow = follow
        self.links: list[Path] = []

    def leaves_out(self, link: Path) -> bool:
        if self.follow or not link.is_symlink():
            return False
        target = os.path.realpath(link)
        if os.path.commonpath([target, self.boundary]) == self.boundary:
            return False
        self.links.append(link)
        return True

    def warn(self) -> None:
        for link in self.links[:MAX_LINKS_NAMED]:
            warnings.warn(f"left out: {link} leads to {os.path.realpath(link)}; {FOLLOW_LINKS}", stacklevel=4)
        if len(self.links) > MAX_LINKS_NAMED:
            warnings.warn(f"left out: {len(self.links):,} links that lead outside of {self.boundary}", stacklevel=4)

    @property
    def hint(self) -> str:
        return f"; {len(self.links):,} links lead outside of it: {FOLLOW_LINKS}" if self.links else ""


FOLLOW_LINKS = "data.follow_links true follows such links"
