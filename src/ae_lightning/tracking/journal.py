"""Writes as lines of a file, each behind its CRC: one that is cut short or altered is found."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path

from ae_lightning.tracking.mlflow_write import MLflowWrite
from ae_lightning.tracking.mlflow_writes import decoded, encoded

_CRC_LENGTH = 8


def line_of(write: MLflowWrite) -> bytes:
    """Return the line of a write."""
    content = json.dumps(encoded(write)).encode()
    return f"{zlib.crc32(content):0{_CRC_LENGTH}x} ".encode() + content + b"\n"


def write_in(line: bytes) -> MLflowWrite | None:
    """Return the write of a line; None for one that is damaged.

    Raises:
        KeyError: If it is of a kind that this version does not know.
        TypeError: If it has other fields.
    """
    crc, content = line[:_CRC_LENGTH], line[_CRC_LENGTH + 1 : -1]
    if not line.endswith(b"\n") or crc != f"{zlib.crc32(content):0{_CRC_LENGTH}x}".encode():
        return None
    try:
        return decoded(json.loads(content))
    except ValueError:
        return None


def append(path: Path, lines: Iterable[bytes]) -> None:
    """Put lines at the end of a file, and sync it to the disk.

    Raises:
        OSError: If the disk does not take them; what was there before stays whole.
    """
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.truncate(path, before)
        raise
