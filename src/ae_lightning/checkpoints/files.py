"""Checkpoint files that are whole or not there, and of which a damaged one is found out."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from ae_lightning.whole_files import replacing, sync

LAST_CHECKPOINT = "last.ckpt"
PREVIOUS_CHECKPOINT = "previous.ckpt"
BEST_CHECKPOINT = "best.ckpt"

_SEAL = b"ae_lightning sha256 "
_DIGEST_LENGTH = 64
_LENGTH_BYTES = 2
"""A zip archive ends in the length of its comment."""
_CHUNK_BYTES = 1 << 20


def write_checkpoint(checkpoint: dict[str, Any], path: Path, *, keeps_previous: bool = True) -> None:
    """Write a checkpoint under a temporary name, sync it to the disk, and rename it.

    A process that is killed at any moment leaves the file that was there before. What was `last.ckpt`, if it is sound,
    stays as `previous.ckpt`: should the new one be damaged later, it is there to go on from.

    Args:
        checkpoint: What `torch.save` takes.
        path: The file; its folder is made where it is missing.
        keeps_previous: Whether what was `last.ckpt` is sound.

    Raises:
        OSError: If the disk does not take it; what was there before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        # Of a file that it opens itself, torch does not say why it cannot be written.
        with temporary.open("wb") as file:
            torch.save(checkpoint, file)
        seal(temporary)
        # The one before is given up for one that is on the disk.
        sync(temporary)
        if keeps_previous and path.name == LAST_CHECKPOINT and path.exists():
            _keep_as(path, path.with_name(PREVIOUS_CHECKPOINT))


def _keep_as(path: Path, other: Path) -> None:
    """Give a file a second name, so that no moment is without the first; it is on the disk, and its folder soon is."""
    # A file system without hard links keeps no previous one.
    with suppress(OSError), replacing(other, syncs=False) as link:
        os.link(path, link)


def seal(path: Path) -> None:
    """Write the SHA-256 of a checkpoint into it, as the comment that ends a zip archive: `torch.load` passes over it.

    Args:
        path: What `torch.save` wrote: a zip archive with no comment.
    """
    comment = _SEAL + _digest(path, path.stat().st_size).encode()
    with path.open("r+b") as file:
        file.seek(-_LENGTH_BYTES, os.SEEK_END)
        file.write(_length_of(comment) + comment)


def find_damage(path: Path) -> str | None:
    """Check a checkpoint against its seal; one without it, against the CRC-32 of each record in the archive.

    Args:
        path: What `torch.save` wrote, here or elsewhere.

    Returns:
        What is wrong with it, None for a sound one.
    """
    try:
        sealed = _sealed_digest(path)
        if sealed is not None:
            size, digest = sealed
            return None if _digest(path, size) == digest else "its checksum is wrong"
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        return str(error) or type(error).__name__
    return None if damaged is None else f"the checksum of its record {damaged!r} is wrong"


def _sealed_digest(path: Path) -> tuple[int, str] | None:
    """Return the length of what is sealed and the digest that the seal names; None where there is no seal."""
    length = len(_SEAL) + _DIGEST_LENGTH
    size = path.stat().st_size - length
    if size < _LENGTH_BYTES:
        return None
    with path.open("rb") as file:
        file.seek(size - _LENGTH_BYTES)
        named, comment = file.read(_LENGTH_BYTES), file.read(length)
    if not comment.startswith(_SEAL):
        return None
    return size, comment[len(_SEAL) :].decode("ascii", "replace") if named == _length_of(comment) else ""


def _length_of(comment: bytes) -> bytes:
    return len(comment).to_bytes(_LENGTH_BYTES, "little")


def _digest(path: Path, size: int) -> str:
    """Hash the first bytes of a file, the length of the comment at their end taken as zero."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        remaining = size - _LENGTH_BYTES
        while remaining > 0 and (chunk := file.read(min(_CHUNK_BYTES, remaining))):
            digest.update(chunk)
            remaining -= len(chunk)
    digest.update(bytes(_LENGTH_BYTES))
    return digest.hexdigest()


def newest_sound(folder: Path) -> tuple[Path | None, list[str]]:
    """Find the newest checkpoint of a run that is whole.

    Args:
        folder: The run's.

    Returns:
        The file, None where no sound one is there; and what is said of each damaged one that is newer.
    """
    said: list[str] = []
    for path in [folder / name for name in (LAST_CHECKPOINT, PREVIOUS_CHECKPOINT, BEST_CHECKPOINT)]:
        if not path.is_file():
            continue
        damage = find_damage(path)
        if damage is None:
            return path, said
        said.append(f"checkpoint {path} is damaged ({damage}); the one before it is used")
    return None, said
