"""Why a trial failed, in a word that can be counted and a line that can be read."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ae_lightning.errors import UserError

MEMORY_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")
NUMBER_WORDS = ("not finite", "nan")


class NotFiniteError(Exception):
    """A loss or measure became NaN or infinite."""


@dataclass(frozen=True)
class Failure:
    """Why a trial failed.

    Attributes:
        kind: The same for failures of the same sort.
        reason: One line.
    """

    kind: str
    reason: str


def failure_of(error: BaseException) -> Failure:
    """Say why a trial failed."""
    lines = str(error).strip().splitlines()
    line = " ".join((lines[0] if lines else "").split())[:300]
    said = str(error).lower()
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(word in said for word in MEMORY_WORDS):
        return Failure("out of memory", f"out of memory: {line}")
    if isinstance(error, NotFiniteError) or (isinstance(error, ValueError) and any(w in said for w in NUMBER_WORDS)):
        return Failure("not finite", f"not finite: {line}")
    if isinstance(error, UserError):
        return Failure(f"impossible: {line.split(':')[0]}", f"impossible: {line}")
    return Failure(type(error).__name__, f"{type(error).__name__}: {line}")
