"""The files below a folder: which are images, which are passed over, and which links lead elsewhere."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ae_lightning.data.image_folder.faults import Faults
from ae_lightning.data.split_names import part_of

SUFFIXES = frozenset(
    (
        *(".apng", ".avif", ".avifs", ".blp", ".bmp", ".bw", ".cur", ".dcx", ".dds", ".dib", ".fit", ".fits", ".flc"),
        *(".fli", ".ftc", ".ftu", ".gbr", ".gif", ".icb", ".icns", ".ico", ".iim", ".im", ".j2c", ".j2k", ".jfif"),
        *(".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".msp", ".pbm", ".pcd", ".pcx", ".pfm"),
        *(".pgm", ".png", ".pnm", ".ppm", ".psd", ".pxr", ".qoi", ".ras", ".rgb", ".rgba", ".sgi", ".tga", ".tif"),
        *(".tiff", ".vda", ".vst", ".webp", ".xbm", ".xpm"),
    )
)
"""Of all files of pixels that Pillow decodes by itself: not those for which it starts another program, as for EPS."""

MAX_LINKS_NAMED = 5
FOLLOW_LINKS = "data.follow_links true follows such links"


@dataclass(frozen=True)
class FoundFiles:
    """What lies below a folder, hidden files and folders apart.

    Attributes:
        root: The folder.
        images: Files with an image's suffix, in the order of their names.
        passed_over: How many others there are, by suffix.
        links: Those that lead outside, and were not followed.
    """

    root: Path
    images: tuple[Path, ...]
    passed_over: Mapping[str, int]
    links: tuple[Path, ...]

    def lack(self, folder: Path) -> str:
        """Say that a folder among these holds no image, what it does hold, and which links might lead to some."""
        held = counted(self.passed_over) or "no file that is read"
        links = f"; {len(self.links):,} links lead outside of it: {FOLLOW_LINKS}" if self.links else ""
        return f"there are no images in {folder} (it holds {held}){links}"


def counted(by_suffix: Mapping[str, int]) -> str:
    """Return how many files there are of each suffix in words, the most frequent first."""
    ordered = sorted(by_suffix.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{num:,} {suffix or 'without a suffix'}" for suffix, num in ordered)


def find_files(root: Path, boundary: Path, follow_links: bool, faults: Faults) -> FoundFiles:
    """Find every file below a folder, each folder once even where links form a ring.

    Args:
        root: The folder.
        boundary: What lies outside of this folder is outside.
        follow_links: Whether links that lead outside are followed; warnings name those that are not.
        faults: Where folders go that cannot be listed.
    """
    outside = _Outside(boundary, follow_links)
    images, passed_over = [], Counter[str]()
    for file in _walk(root, outside, faults):
        suffix = file.suffix.lower()
        if suffix not in SUFFIXES:
            passed_over[suffix] += 1
        elif not outside.leaves_out(file):
            images.append(file)
    outside.warn()
    return FoundFiles(root, tuple(sorted(images, key=Path.as_posix)), passed_over, tuple(outside.links))


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
        # A folder that several links lead to is seen once, by the name that says most of it.
        subfolders[:] = sorted(
            (name for name in subfolders if not name.startswith(".") and not outside.leaves_out(Path(folder, name))),
            key=lambda name: (part_of(name) is None, name),
        )
        yield from (Path(folder, name) for name in names if not name.startswith("."))


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
