"""The curves of the time per step: their exponents, tables and picture, from times that are given."""

from __future__ import annotations

import pytest

from benchmarks.curves import BASE, Curve, draw_curves, multiply_adds, write_curves
from benchmarks.scaling import parse, planned_curves


def measured(power):
    """The planned curves, with times that grow as a power of the work."""
    curves = planned_curves(parse([]))
    for curve in curves:
        for point, work in zip(curve.points, curve.work, strict=True):
            for noise in (0.5, 1, 9):
                curve.note(point, noise * 1e-6 * work**power)
    return curves


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_the_exponent_is_that_of_the_median_times(power):
    assert [curve.exponent for curve in measured(power)] == pytest.approx([power] * 3)


def test_each_curve_varies_one_thing_of_the_base_model():
    for curve in planned_curves(parse([])):
        differing = {
            name for point in curve.points for name, value in point._asdict().items() if value != getattr(BASE, name)
        }
        assert len(differing) == 1
        assert BASE in curve.points
        assert curve.work == sorted(set(curve.work))


def test_multiply_adds_are_those_of_the_layers():
    """Counted by hand: kernels of 4 × 4 on 14 × 14 and 7 × 7 maps, there and back, and two affine maps."""
    convolutions = 2 * (14 * 14 * 16 * 32 + 7 * 7 * 16 * 32 * 64)
    affine = 2 * 7 * 7 * 64 * 32
    assert multiply_adds(BASE) == pytest.approx(convolutions + affine, rel=0.02)


def test_a_measurement_belongs_to_the_curves_that_have_its_point():
    curve = Curve("batch", "images a step", [BASE])
    curve.note(BASE._replace(side=56), 1.0)
    assert curve.seconds == {BASE: []}


def test_the_curves_are_written_and_drawn(tmp_path):
    curves = measured(1.0)
    text = write_curves(curves)
    assert text.count("its power 1.00") == len(curves)
    assert sum(line.startswith("| ") for line in text.splitlines()) == sum(2 + len(curve.points) for curve in curves)
    draw_curves(curves, tmp_path / "curves.svg")
    assert "</svg>" in (tmp_path / "curves.svg").read_text(encoding="utf-8")
