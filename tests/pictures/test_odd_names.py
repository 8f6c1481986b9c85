"""Class names that mean something to matplotlib, and nothing to us."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from ae_lightning.judging.drawing.confusion import confusion
from ae_lightning.judging.drawing.grids import named_grid
from ae_lightning.judging.drawing.plane import to_plane
from ae_lightning.judging.drawing.side_by_side import side_by_side
from ae_lightning.judging.drawing.style import new_figure, to_png
from ae_lightning.judging.pictures.features import features
from ae_lightning.judging.pictures.latent_scatter import latent_scatter
from ae_lightning.judging.pictures.reconstructions import reconstructions

NAMES = ["$0-50%", "$x_{$", "_hidden", r"\$1"]
LABELS = np.arange(40) % 4


def codes(latent_dim: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, latent_dim)).astype(np.float32)


def images() -> np.ndarray:
    return np.random.default_rng(0).random((40, 1, 4, 4), dtype=np.float32)


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("latent_dim", [1, 2])
def test_the_legend_has_every_class(latent_dim: int) -> None:
    figure = latent_scatter(to_plane(codes(latent_dim)), LABELS, NAMES)
    to_png(figure)
    assert legend(figure) == NAMES


@pytest.mark.parametrize(
    "figure",
    [
        latent_scatter(to_plane(codes(2)), LABELS, NAMES),
        reconstructions(images(), images(), LABELS, NAMES),
        confusion(LABELS, LABELS, NAMES),
        named_grid(images()[:4].reshape(2, 2, 1, 4, 4), NAMES[:2], NAMES[2:], NAMES[0]),
        side_by_side(images(), {"lr $1e-3": images()}, LABELS, NAMES),
        features(codes(4), codes(4), names=NAMES),
        new_figure(4, 3, f"class {NAMES[1]} left out, and {NAMES[0]}"),
    ],
    ids=["latent_scatter", "reconstructions", "confusion", "grid", "side by side", "features", "title"],
)
def test_names_are_written_as_they_are(figure: Figure) -> None:
    to_png(figure)
    named = [text for text in figure.findobj(Text) if isinstance(text, Text) and "$" in text.get_text()]
    assert named
    assert not any(text.get_parse_math() for text in named)
