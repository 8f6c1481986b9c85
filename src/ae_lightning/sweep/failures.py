"""Why a trial failed, in a word that can be counted and a line that can be read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ae_lightning.errors import NotFiniteError, UserError
from ae_lightning.machine.resource_errors import is_out_of_memory

NOT_FINITE = re.compile(r"\bnot finite\b|\bnan\b", re.IGNORECASE)


@dataclass(frozen=True)
class Failure:
    """Why a trial failed.

    Attributes:
        kind: The same for failures of the same sort.
        reason: One line.
    """

    kind: str
    reason: str


class KnownFailureError(Exception):
    """Something failed in another process, which has said why.

    Attributes:
        failure: What it said.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def failure_of(error: BaseException) -> Failure:
    """Say why a trial failed."""
    if isinstance(error, KnownFailureError):
        return error.failure
    lines = str(error).strip().splitlines()
    line = " ".join((lines[0] if lines else "").split())[:300]
    if is_out_of_memory(error):
        return Failure("out of memory", f"out of memory: {line}")
    if isinstance(error, NotFiniteError) or (isinstance(error, ValueError) and NOT_FINITE.search(str(error))):
        return Failure("not finite", f"not finite: {line}")
    if isinstance(error, UserError):
        return Failure(f"impossible: {line.split(':')[0]}", f"impossible: {line}")
    return Failure(type(error).__name__, f"{type(error).__name__}: {line}")
