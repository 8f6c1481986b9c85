"""What becomes of a measure or a picture that cannot be made of these data: the others are kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.errors import UserError, first_line
from ae_lightning.machine.resource_errors import is_exhausted


@contextmanager
def left_out(what: str) -> Iterator[None]:
    """Make one of several things, and warn that it is left out, and why, if that fails.

    Args:
        what: Names it, such as `the measure ssim`.

    Raises:
        UserError: If that is what it raises: a wrong setting concerns all of them.
        Exception: Whatever says that memory or disk space is used up: no other has more of them.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or is_exhausted(error):
            raise
        rank_zero_warn(f"left out of the evaluation: {what}, which raised {type(error).__name__}: {first_line(error)}")
