"""Pages on which hovering a point shows its image: one file, no request to any other host."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ae_lightning.judging.drawing.tiles import to_rgb

MAX_SIDE = 40
"""Pixels that an image's longer side has at most on a page; larger ones are reduced."""

_WEBP_QUALITY = 70
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True)
class Trace:
    """Points that have a name in the legend.

    Attributes:
        name: What the legend calls them.
        points: Shape (N, 2).
        colour: Of the points.
        images: Shape (N, C, H, W), one shown when its point is hovered; None where hovering shows the captions alone.
        captions: Written below the images, N in all; none where hovering shows nothing.
        symbol: Plotly's name of the marker.
        is_path: Whether a line joins the points.
    """

    name: str
    points: NDArray[np.float64]
    colour: str
    images: NDArray[np.float32] | None = None
    captions: Sequence[str] = ()
    symbol: str = "circle"
    is_path: bool = False


@dataclass(frozen=True)
class Scene:
    """Points and the axes that they lie between.

    Attributes:
        traces: The points.
        names: What the two axes show.
        equal_scales: Whether a unit is as long on both axes.
    """

    traces: Sequence[Trace]
    names: tuple[str, str]
    equal_scales: bool


def page(scene: Scene, title: str) -> str:
    """Draw points whose images a person sees by hovering.

    Args:
        scene: The points.
        title: Title of the page.

    Returns:
        An HTML page with plotly's script in it, which takes 4.8 MB. A policy in its head keeps browsers from asking
        any host for anything.
    """
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{html.escape(title)}</title>"
    )
    body = _plot(scene, title, "plot", "96vh", has_script=True)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def fragment(scene: Scene, title: str, plot_id: str, height: str = "480px") -> str:
    """Draw the same as a part of a page that has plotly's script already.

    Args:
        scene: The points.
        title: Title of the plot.
        plot_id: Of its element; another on the page has another.
        height: As CSS says it.
    """
    return _plot(scene, title, plot_id, height, has_script=False)


def _plot(scene: Scene, title: str, plot_id: str, height: str, *, has_script: bool) -> str:
    from plotly.io import to_html

    layout = {
        "title": {"text": drawn_text(title)},
        "template": "plotly_white",
        "xaxis": {"title": {"text": drawn_text(scene.names[0])}},
        "yaxis": {
            "title": {"text": drawn_text(scene.names[1])},
            **({"scaleanchor": "x"} if scene.equal_scales else {}),
        },
        "hovermode": "closest",
        "legend": {"itemsizing": "constant"},
    }
    text: str = to_html(
        {"data": [_scatter(trace) for trace in scene.traces], "layout": layout},
        config={"displaylogo": False, "responsive": True, "scrollZoom": True},
        include_plotlyjs=has_script,
        include_mathjax=False,
        full_html=False,
        default_height=height,
        div_id=plot_id,
        post_script=_script(),
    )
    return text


def data_uri(image: NDArray[np.float32]) -> str:
    """Write an image into an address of its own.

    Args:
        image: Shape (C, H, W), clipped to [0, 1].

    Returns:
        A WebP file as a data URI, its longer side at most ``MAX_SIDE`` pixels.
    """
    pixels = np.round(to_rgb(image[None])[0] * 255).astype(np.uint8)
    picture = Image.fromarray(pixels)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_WEBP_QUALITY)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def _scatter(trace: Trace) -> dict[str, Any]:
    shown = {
        "type": "scatter",
        "x": np.round(trace.points[:, 0], 4),
        "y": np.round(trace.points[:, 1], 4),
        "name": drawn_text(trace.name),
        "mode": "lines+markers" if trace.is_path else "markers",
        "marker": {"color": trace.colour, "symbol": trace.symbol, "size": 8 if trace.is_path else 6, "opacity": 0.75},
    }
    if trace.images is None and trace.captions:
        return {**shown, "hoverinfo": "text", "text": [drawn_text(caption) for caption in trace.captions]}
    if trace.images is None:
        return {**shown, "hoverinfo": "skip"}
    hovered = zip(map(data_uri, trace.images), trace.captions, strict=True)
    return {**shown, "hoverinfo": "none", "customdata": [list(one) for one in hovered]}


@cache
def _script() -> str:
    return files("ae_lightning.judging.drawing").joinpath("hover.js").read_text(encoding="utf-8")


def drawn_text(text: str) -> str:
    """Return a text as plotly takes it: it draws some tags, and knows no entity for quotation marks."""
    return html.escape(text, quote=False)
