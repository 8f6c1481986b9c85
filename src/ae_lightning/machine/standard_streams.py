"""Standard output and error that end no training: closed, on a full disk, or with nobody who reads them any more."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class LastingStream(io.TextIOWrapper):
    """Writes to a standard stream until that fails, and from then on to nowhere.

    Args:
        number: 1 for standard output, 2 for standard error.
        like: What the interpreter opened there; None where it found nothing open.

    Attributes:
        failure: Why it could not be written; None as long as it could.
    """

    failure: OSError | None = None

    def __init__(self, number: int, like: io.TextIOWrapper | None) -> None:
        super().__init__(
            open(number, "wb", closefd=False),  # noqa: SIM115 - open as long as the program runs
            encoding="utf-8" if like is None else like.encoding,
            errors="backslashreplace" if like is None else like.errors,
            line_buffering=like is not None and like.line_buffering,
            write_through=like is not None and like.write_through,
        )

    def write(self, text: str) -> int:
        """Write, as far as that is possible."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush, as far as that is possible."""
        try:
            super().flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.failure = self.failure or error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        super().flush()


def keep_standard_streams() -> None:
    """Let neither a closed nor a failing standard stream end the program."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # This takes the lowest free number; left free, it would go to a file, the database say, for others to
            # print to.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for number, name in ((1, "stdout"), (2, "stderr")):
        found = getattr(sys, name)
        if found is None or isinstance(found, io.TextIOWrapper):
            setattr(sys, name, LastingStream(number, found))


def output_failure() -> OSError | None:
    """Return why standard output did not take everything; None where it did, or nobody wanted the rest."""
    sys.stdout.flush()
    failure = getattr(sys.stdout, "failure", None)
    return None if isinstance(failure, BrokenPipeError) else failure


@contextmanager
def said_on_terminals(what: str) -> Iterator[None]:
    """Say what is done where the line can be taken away again; nothing is imported for it.

    Args:
        what: Such as `loading PyTorch`.
    """
    is_shown = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    if is_shown:
        sys.stderr.write(what)
        sys.stderr.flush()
    try:
        yield
    finally:
        if is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
