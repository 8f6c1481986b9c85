"""Why a trial failed, in a word that can be counted and a line that can be read."""

from __future__ import annotations

import re
from typing import NamedTuple

from ae_lightning.errors import NotFiniteError, UserError
from ae_lightning.machine.resource_errors import is_out_of_memory

NOT_FINITE = re.compile(r"\bnot finite\b|\bnan\b", re.IGNORECASE)


class Failure(NamedTuple):
    """Why a trial failed.

    Attributes:
        kind: The same for failures of the same sort.
        reason: One line.
    """

    kind: str
    reason: str


def failure_of(error: BaseException) -> Failure:
    """Say why a trial failed."""
    line = " ".join(next(iter(str(error).strip().splitlines()), "").split())[:300]
    kind, prefix = type(error).__name__, type(error).__name__
    if is_out_of_memory(error):
        kind = prefix = "out of memory"
    elif isinstance(error, NotFiniteError) or (isinstance(error, ValueError) and NOT_FINITE.search(str(error))):
        kind = prefix = "not finite"
    elif isinstance(error, UserError):
        kind, prefix = f"impossible: {line.split(':')[0]}", "impossible"
    return Failure(kind, f"{prefix}: {line}")
