"""Errors for want of memory or disk space: what says so, whichever library says it, and what the user can do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ae_lightning.errors import ExhaustedError, first_line

MEMORY_WORDS = ("out of memory", "alloc_failed", "not enough memory", "can't allocate memory", "cannot allocate memory")
DISK_WORDS = ("no space left on device", "database or disk is full", "disk quota exceeded")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the processor's or the device's memory is used up."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or _says(error, MEMORY_WORDS)


def is_out_of_disk_space(error: BaseException) -> bool:
    """Whether an error says that a disk is full, or what a user may write to it used up."""
    number = error.errno if isinstance(error, OSError) else None
    return number in (errno.ENOSPC, errno.EDQUOT) or _says(error, DISK_WORDS)


def is_exhausted(error: BaseException) -> bool:
    """Whether an error, or one over which it was raised, says that memory or disk space is used up."""
    return any(is_out_of_memory(cause) or is_out_of_disk_space(cause) for cause in _causes(error))


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    said = str(error).lower()
    return any(word in said for word in words)


@contextmanager
def resource_errors_explained() -> Iterator[None]:
    """Say in one line that there is no memory or disk space left, and what to do about it.

    Raises:
        ExhaustedError: In place of an error that says so, or was raised over one that does.
    """
    try:
        yield
    except Exception as error:
        for cause in _causes(error):
            if is_out_of_memory(cause):
                hint = "lower data.batch_size, or take a smaller model.network; checkpoints from before are whole"
                raise ExhaustedError(f"out of memory: {first_line(cause)}; {hint}") from error
            if is_out_of_disk_space(cause):
                hint = "make room, then go on with fit --resume; checkpoints from before are whole"
                raise ExhaustedError(f"the disk is full: {first_line(cause)}; {hint}") from error
        raise


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and those over which it was raised."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
