"""What a program or a `matplotlibrc` may have set for all figures, left out of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def matplotlib_defaults() -> Iterator[None]:
    """Draw as where nobody has chosen a style: one for dark pages hides texts, one for papers asks for LaTeX.

    Fonts stay those that were chosen: names of classes may need them.
    """
    import matplotlib

    with matplotlib.rc_context():
        fonts = {key: value for key, value in matplotlib.rcParams.items() if key.startswith("font.")}
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(fonts)
        yield
