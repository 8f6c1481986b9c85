"""Fits that stop early on purpose."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class _Fits:
    """Those that run now, on several threads."""

    lock = threading.Lock()
    num_running = 0
    filters = warnings.catch_warnings()


@contextmanager
def unconverged_is_fine() -> Iterator[None]:
    """Keep scikit-learn from warning of fewer distinct codes than clusters, or of a stop at the last round.

    Collapsed codes are what a measure is there to show, and the rounds are bounded on purpose.
    """
    from sklearn.exceptions import ConvergenceWarning

    # The filters are the whole process's: the first of several threads changes them, the last one puts them back.
    with _Fits.lock:
        if not _Fits.num_running:
            _Fits.filters = warnings.catch_warnings()
            _Fits.filters.__enter__()
            warnings.simplefilter("ignore", ConvergenceWarning)
        _Fits.num_running += 1
    try:
        yield
    finally:
        with _Fits.lock:
            _Fits.num_running -= 1
            if not _Fits.num_running:
                _Fits.filters.__exit__(None, None, None)
