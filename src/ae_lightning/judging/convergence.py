"""Fits that stop early on purpose."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unconverged_is_fine() -> Iterator[None]:
    """Keep scikit-learn from warning of fewer distinct codes than clusters, or of a stop at the last round.

    Collapsed codes are what a measure is there to show, and the rounds are bounded on purpose.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
