"""What all figures share: colours, sizes, how a figure is made and how it becomes a PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.chunks import sample_positions
from ae_lightning.machine.matplotlib_defaults import matplotlib_defaults

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 120
TITLE_SIZE = 13
LABEL_SIZE = 11
SMALL_SIZE = 9

PALETTE = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#000000",
    "#F0E442",
    "#882255",
    "#7733DD",
)
"""Okabe and Ito's eight colours (2008) with a wine and a violet: told apart under every colour blindness."""

MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
"""One for each time the palette is used up, so that class 11 does not look like class 1."""

UNLABELLED_COLOUR = "#C8C8C8"

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def class_colour(index: int) -> str:
    """Give the colour of a class.

    Args:
        index: The class, from 0.

    Returns:
        A hexadecimal RGB colour.
    """
    return PALETTE[index % len(PALETTE)]


def class_marker(index: int) -> str:
    """Give the marker of a class.

    Args:
        index: The class, from 0.

    Returns:
        A matplotlib marker.
    """
    return MARKERS[index // len(PALETTE) % len(MARKERS)]


def class_name(label: int, class_names: Sequence[str] | None) -> str:
    """Say what a class is called.

    Args:
        label: The class; −1 for a missing label.
        class_names: Names by class, or None where classes go by their numbers.

    Returns:
        The name, ``"unlabelled"`` for a missing label, and the number where there is no name.
    """
    if label < 0:
        return "unlabelled"
    return class_names[label] if class_names is not None and label < len(class_names) else str(label)


def names_of(labels: NDArray[np.int64] | None, class_names: Sequence[str] | None) -> list[str] | None:
    """Say what the classes of several images are called.

    Args:
        labels: Class of each image, −1 where missing; None for an unlabelled split.
        class_names: Names by class, or None where classes go by their numbers.

    Returns:
        A name an image, or None where there are no labels.
    """
    return None if labels is None else [class_name(int(label), class_names) for label in labels]


def dimension_name(index: int) -> str:
    """Name a dimension of the code as formulas do, from z₁ on.

    Args:
        index: The dimension, from 0.
    """
    return "z" + str(index + 1).translate(_SUBSCRIPTS)


class Margins(NamedTuple):
    """Room around axes in rows and columns, in inches: at the figure's edges, and between two of them."""

    left: float
    right: float
    bottom: float
    top: float
    between_columns: float
    between_rows: float


def new_figure(width: float, height: float, title: str) -> Figure:
    """Make an empty figure that can be drawn without a display.

    Args:
        width: Inches.
        height: Inches.
        title: Written at the top, as it is: names in it are no formulas.

    Returns:
        The figure, on the Agg canvas.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=TITLE_SIZE, parse_math=False)
    return figure


def new_grid(
    width: float, height: float, title: str, num_rows: int, num_columns: int, margins: Margins
) -> tuple[Figure, list[Axes]]:
    """Make an empty figure of many axes whose texts need as much room as is said: to find it out takes a second.

    Args:
        width: Inches.
        height: Inches.
        title: As of ``new_figure``.
        num_rows: Rows of axes.
        num_columns: Columns of axes.
        margins: The room.

    Returns:
        The figure, and its axes, row by row.
    """
    figure = new_figure(width, height, title)
    figure.set_layout_engine("none")
    own_width = (width - margins.left - margins.right - (num_columns - 1) * margins.between_columns) / num_columns
    own_height = (height - margins.bottom - margins.top - (num_rows - 1) * margins.between_rows) / num_rows
    places = {
        "left": margins.left / width,
        "right": 1 - margins.right / width,
        "bottom": margins.bottom / height,
        "top": 1 - margins.top / height,
        "wspace": margins.between_columns / own_width,
        "hspace": margins.between_rows / own_height,
    }
    grid = figure.subplots(num_rows, num_columns, squeeze=False, gridspec_kw=places)
    return figure, list(grid.ravel())


@matplotlib_defaults()
def to_png(figure: Figure) -> bytes:
    """Render a figure.

    Args:
        figure: Any figure.

    Returns:
        The bytes of a PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    # `savefig` lays everything out and goes through it once more, in vain, before it draws.
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    buffer = io.BytesIO()
    # Nothing of it is transparent.
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]  # type: ignore[no-untyped-call]
    Image.fromarray(pixels).save(buffer, "png", dpi=(figure.dpi, figure.dpi))
    return buffer.getvalue()


def spread(num: int, at_most: int) -> NDArray[np.int64]:
    """Choose a bounded number of rows, the same ones every time.

    Args:
        num: Rows there are.
        at_most: Rows to keep.

    Returns:
        Indices in increasing order: all, or a random subset with a fixed seed.
    """
    chosen = sample_positions(num, at_most, seed=0)
    return np.arange(num) if chosen is None else chosen
