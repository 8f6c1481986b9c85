"""Shared colours, names and the PNG."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ae_lightning.judging.drawing.style import (
    DPI,
    PALETTE,
    class_colour,
    class_marker,
    class_name,
    new_figure,
    spread,
    to_png,
)

# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
COLOUR_BLINDNESS = {
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def test_a_png_has_the_size_that_was_asked_for() -> None:
    png = to_png(new_figure(4, 3, "title"))
    assert png.startswith(b"\x89PNG")
    assert (int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) == (4 * DPI, 3 * DPI)


def test_a_figure_has_its_title_and_no_pyplot_state() -> None:
    assert new_figure(4, 3, "what it shows").get_suptitle() == "what it shows"
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_eighty_classes_look_different() -> None:
    assert len({(class_colour(index), class_marker(index)) for index in range(80)}) == 80


@pytest.mark.parametrize("kind", COLOUR_BLINDNESS)
def test_colours_stay_apart_under_colour_blindness(kind: str) -> None:
    rgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in PALETTE])
    seen = np.clip(rgb**2.2 @ np.array(COLOUR_BLINDNESS[kind]).T, 0, 1) ** (1 / 2.2)
    distances = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 9 * np.eye(len(seen))
    assert distances.min() > 0.1


def test_class_names() -> None:
    assert [class_name(label, ["cat", "dog"]) for label in (0, 1, 2, -1)] == ["cat", "dog", "2", "unlabelled"]
    assert class_name(3, None) == "3"


def test_spread_is_all_or_a_fixed_subset() -> None:
    np.testing.assert_array_equal(spread(5, 10), np.arange(5))
    subset = spread(1000, 10)
    assert len(set(subset)) == 10
    np.testing.assert_array_equal(subset, spread(1000, 10))
