"""What a picture is, and one function that draws a choice of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.named_part import Choice, Guard, Part, known_parts, select_parts
from ae_lightning.judging.picture_case import PictureCase
from ae_lightning.machine.matplotlib_defaults import matplotlib_defaults

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Picture(Part):
    """One thing that is shown."""

    @abstractmethod
    def draw(self, case: PictureCase) -> Figure | None:
        """Draw a case that holds all of ``needs``; None where there is no such picture of it all the same."""

    def write(self, case: PictureCase) -> str | None:
        """Write the HTML page that a person would hover over; None, as here, where there is none."""
        return None


Maker = Callable[[Picture, PictureCase], bytes | None]
"""Makes one file of a picture."""


@cache
def known_pictures() -> tuple[Picture, ...]:
    """Return this package's pictures, in the order in which they are drawn."""
    return known_parts("ae_lightning.judging.pictures", Picture)  # type: ignore[type-abstract]


def select_pictures(key: str, choice: Choice) -> tuple[Picture, ...]:
    """Find pictures by name or dotted path, so that a config can be refused before any training.

    Args:
        key: The setting that chooses.
        choice: Names and dotted paths, or one of the words `all` and `cheap`.

    Raises:
        ConfigError: If a name is not known, or a path leads to nothing that can be used.
    """
    return select_parts(key, choice, known_pictures(), Picture)  # type: ignore[type-abstract]


def num_files(pictures: Sequence[Picture], case: PictureCase, *, with_pages: bool) -> int:
    """Return how many files ``draw_pictures`` tells its guard of."""
    return sum(len(_kinds(picture, with_pages)) for picture in _applicable(pictures, case))


def draw_pictures(
    pictures: Sequence[Picture], case: PictureCase, folder: Path, *, with_pages: bool, guard: Guard = nullcontext
) -> Iterator[Path]:
    """Draw pictures into files, one after the other.

    A picture that there is not is left out, and so is one for which something is missing.

    Args:
        pictures: Which ones.
        case: What they are made from.
        folder: Where to put `NAME.png` and, where there is a page, `NAME.html`.
        with_pages: Whether to write the pages too.
        guard: What surrounds each file; one whose failure it takes is left out. None is taken by default.

    Yields:
        Each file as soon as it is written.
    """
    for picture in _applicable(pictures, case):
        for suffix, make in _kinds(picture, with_pages).items():
            content = None
            with guard(f"the picture {picture.name}{suffix}"):
                content = make(picture, case)
            if content is not None:
                path = folder / f"{picture.name}{suffix}"
                path.write_bytes(content)
                yield path


def _applicable(pictures: Sequence[Picture], case: PictureCase) -> tuple[Picture, ...]:
    return tuple(picture for picture in pictures if picture.needs <= case.case.given)


def _kinds(picture: Picture, with_pages: bool) -> dict[str, Maker]:
    kinds: dict[str, Maker] = {".png": _png}
    if with_pages and type(picture).write is not Picture.write:
        kinds[".html"] = _page
    return kinds


@matplotlib_defaults()
def _png(picture: Picture, case: PictureCase) -> bytes | None:
    figure = picture.draw(case)
    return None if figure is None else to_png(figure)


def _page(picture: Picture, case: PictureCase) -> bytes | None:
    page = picture.write(case)
    return None if page is None else page.encode()
