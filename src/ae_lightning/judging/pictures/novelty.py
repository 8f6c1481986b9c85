"""How well scores tell images of a class that was left out of training from the others."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ae_lightning.judging.drawing.style import LABEL_SIZE, PALETTE, SMALL_SIZE, class_name, new_figure
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase
from ae_lightning.judging.pixels import mse_per_image
from ae_lightning.labels import MISSING_LABEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUM_BINS = 60
_STYLES = ("-", "--", "-.", ":")
_KNOWN, _NOVEL = PALETTE[0], PALETTE[5]


class NoveltyScores(Picture):
    """How images of the class that was left out of training stand out."""

    name = "novelty"
    needs = frozenset({"reconstructions", "novel class"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        split, novel_class = case.evaluated, case.case.novel_class
        assert split.labels is not None
        assert novel_class is not None
        labelled = split.select(split.labels != MISSING_LABEL)
        assert labelled.labels is not None
        assert labelled.reconstructions is not None
        scores = {
            "reconstruction error (mse)": mse_per_image(labelled.x, labelled.reconstructions),
            "negative log-likelihood of the code (nats)": -case.mixture.log_likelihood(labelled.codes),
        }
        title = f"Novelty detection: class {class_name(novel_class, case.class_names)} left out of training"
        return novelty(scores, labelled.labels == novel_class, title)


def novelty(
    scores: Mapping[str, NDArray[np.float64]], is_novel: NDArray[np.bool_], title: str = "Novelty detection"
) -> Figure:
    """Show a histogram of each score for known and for novel images, and the ROC curves of all scores.

    Args:
        scores: By name, such as `reconstruction error`; shape (N,) each, higher for what looks newer.
        is_novel: Whether an image is of the class that was left out, shape (N,).
        title: Title of the figure, which says which class was left out.

    Returns:
        A figure of one axes a score, and one for the ROC curves. Histograms leave the highest 0.5 % out.

    Raises:
        ValueError: If all images are novel, or none is.
    """
    if is_novel.all() or not is_novel.any():
        raise ValueError(f"{int(is_novel.sum())} of {len(is_novel)} images are novel; some must be, and some not")
    figure = new_figure(4.6 * (len(scores) + 1), 5.2, title)
    *panels, last = figure.subplots(1, len(scores) + 1)
    for axes, (name, values) in zip(panels, scores.items(), strict=True):
        _histograms(axes, name, values, is_novel)
    _curves(last, scores, is_novel)
    return figure


def _histograms(axes: Axes, name: str, values: NDArray[np.float64], is_novel: NDArray[np.bool_]) -> None:
    # Of each group by itself: a rare one that lies far out would else be cut off.
    highest = max(np.quantile(values[~is_novel], 0.995), np.quantile(values[is_novel], 0.995))
    lowest = values.min()
    edges = np.linspace(lowest, highest if highest > lowest else lowest + 1.0, _NUM_BINS + 1).tolist()
    for own, colour, kind in ((values[~is_novel], _KNOWN, "known classes"), (values[is_novel], _NOVEL, "left out")):
        label = f"{kind} ({len(own):,})"
        axes.hist(own, edges, density=True, histtype="stepfilled", alpha=0.35, color=colour, label=label)
        axes.hist(own, edges, density=True, histtype="step", linewidth=1.6, color=colour)
    axes.set_xlabel(name, fontsize=LABEL_SIZE)
    axes.set_ylabel("density", fontsize=LABEL_SIZE)
    axes.set_yticks([])
    axes.tick_params(labelsize=SMALL_SIZE)
    _legend_below(axes)


def _curves(axes: Axes, scores: Mapping[str, NDArray[np.float64]], is_novel: NDArray[np.bool_]) -> None:
    from sklearn.metrics import roc_auc_score, roc_curve

    for (name, values), style, colour in zip(scores.items(), cycle(_STYLES), cycle(PALETTE), strict=False):
        false_rate, true_rate, _ = roc_curve(is_novel, values)
        label = f"{name}: AUROC {roc_auc_score(is_novel, values):.3f}"
        axes.plot(false_rate, true_rate, style, color=colour, linewidth=2, label=label)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":", label="chance: AUROC 0.500")
    axes.set_aspect("equal")
    axes.set_xlabel("share of known images taken for novel", fontsize=LABEL_SIZE)
    axes.set_ylabel("share of novel images found", fontsize=LABEL_SIZE)
    axes.tick_params(labelsize=SMALL_SIZE)
    axes.grid(alpha=0.25)
    _legend_below(axes)


def _legend_below(axes: Axes) -> None:
    """Put the legend where no curve can lie under it."""
    axes.legend(fontsize=SMALL_SIZE, loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)
