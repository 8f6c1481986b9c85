"""Every picture by name, and one function that draws a choice of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ae_lightning.callbacks.code_pictures import (
    draw_code_histograms,
    draw_confusion_gmm,
    draw_confusion_kmeans,
    draw_interpolations,
    draw_latent_grid,
    draw_latent_scatter,
    draw_latent_traversals,
    draw_samples,
    write_interpolations,
    write_latent_scatter,
    write_latent_traversals,
)
from ae_lightning.callbacks.filter_pictures import draw_activations, draw_filters
from ae_lightning.callbacks.leaving_out import left_out
from ae_lightning.callbacks.pixel_pictures import (
    draw_compression,
    draw_denoising,
    draw_novelty,
    draw_reconstructions,
    draw_worst_reconstructions,
)
from ae_lightning.callbacks.subject import Subject
from ae_lightning.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Choice = list[str] | Literal["all", "cheap"]


@dataclass(frozen=True)
class Picture:
    """One thing that is shown.

    Attributes:
        draw: Makes the figure; None where the model or the data have no such picture.
        write: Makes the HTML page that a person would hover over, where there is one.
        is_cheap: Whether it is quick enough to be drawn every few epochs.
    """

    draw: Callable[[Subject], Figure | None]
    write: Callable[[Subject], str] | None = None
    is_cheap: bool = False


PICTURES: dict[str, Picture] = {
    "reconstructions": Picture(draw_reconstructions, is_cheap=True),
    "worst_reconstructions": Picture(draw_worst_reconstructions, is_cheap=True),
    "latent_scatter": Picture(draw_latent_scatter, write_latent_scatter, is_cheap=True),
    "latent_grid": Picture(draw_latent_grid, is_cheap=True),
    "samples": Picture(draw_samples, is_cheap=True),
    "interpolations": Picture(draw_interpolations, write_interpolations),
    "latent_traversals": Picture(draw_latent_traversals, write_latent_traversals),
    "denoising": Picture(draw_denoising),
    "code_histograms": Picture(draw_code_histograms),
    "confusion_kmeans": Picture(draw_confusion_kmeans),
    "confusion_gmm": Picture(draw_confusion_gmm),
    "novelty": Picture(draw_novelty),
    "compression": Picture(draw_compression),
    "filters": Picture(draw_filters),
    "activations": Picture(draw_activations),
}
"""Every picture by name, in the order in which they are drawn."""


def select_pictures(key: str, choice: Choice) -> list[str]:
    """Find pictures by name, so that a config can be refused before any training.

    Args:
        key: The setting that chooses.
        choice: Names, or one of the words `all` and `cheap`.

    Raises:
        ConfigError: If a name is not known.
    """
    if choice in ("all", "cheap"):
        return [name for name, picture in PICTURES.items() if choice == "all" or picture.is_cheap]
    names: list[str] = [choice] if isinstance(choice, str) else [*choice]
    for name in names:
        if name not in PICTURES:
            raise ConfigError(unknown_name(key, name, [*PICTURES, "all", "cheap"]))
    return names


def draw_pictures(names: Sequence[str], subject: Subject, folder: Path, *, with_pages: bool) -> Iterator[Path]:
    """Draw pictures into files, one after the other.

    A picture that there is not is left out, and so is, with a warning, one that raises (see ``left_out``).

    Args:
        names: Which ones.
        subject: What they are made from.
        folder: Where to put `NAME.png` and, where there is a page, `NAME.html`.
        with_pages: Whether to write the pages too.

    Yields:
        Each file as soon as it is written.
    """
    kinds: dict[str, Callable[[Picture, Subject], bytes | None]] = {".png": _png}
    if with_pages:
        kinds[".html"] = _page
    for name in names:
        for suffix, make in kinds.items():
            content = None
            with left_out(f"the picture {name}{suffix}"):
                content = make(PICTURES[name], subject)
            if content is not None:
                path = folder / f"{name}{suffix}"
                path.write_bytes(content)
                yield path


def _png(picture: Picture, subject: Subject) -> bytes | None:
    from ae_lightning.plots.style import to_png

    figure = picture.draw(subject)
    return None if figure is None else to_png(figure)


def _page(picture: Picture, subject: Subject) -> bytes | None:
    return None if picture.write is None else picture.write(subject).encode()
