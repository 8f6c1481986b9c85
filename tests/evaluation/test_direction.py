"""Which of several values is the best."""

from __future__ import annotations

import pytest

from ae_lightning.evaluation.direction import (
    HIGHER_IS_BETTER,
    LOWER_IS_BETTER,
    MEASURED,
    NOT_BELOW_ZERO,
    WITHOUT_DIRECTION,
    best_of,
)


@pytest.mark.parametrize(
    ("name", "best"), [("mse", 0.1), ("ssim", 0.3), ("active_units", None), ("bits_per_pixel", None), ("kl", None)]
)
def test_the_best_is_the_least_or_the_greatest_or_none(name: str, best: float | None) -> None:
    assert best_of(name, (0.2, 0.1, 0.3)) == best


def test_an_estimate_below_zero_is_no_better_than_another() -> None:
    assert best_of("prior_mmd", (0.01, -0.001, -0.004)) == -0.001
    assert best_of("prior_mmd", (-0.004, -0.001)) == -0.004
    assert best_of("prior_mmd", (0.01, 0.002)) == 0.002


def test_a_measure_has_one_direction() -> None:
    assert len(MEASURED) == len(LOWER_IS_BETTER) + len(HIGHER_IS_BETTER) + len(WITHOUT_DIRECTION)
    assert NOT_BELOW_ZERO <= LOWER_IS_BETTER
