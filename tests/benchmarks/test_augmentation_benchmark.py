"""The table of what augmentation costs, and that each kind takes a step."""

from __future__ import annotations

import math

from benchmarks.augmentation import measure, settings, write_table


def test_the_table_shows_medians_and_ratios_within_a_round():
    *_, row = write_table({("one", (1, 8, 8)): [(0.010, 0.011), (0.020, 0.024), (0.030, 0.045)]}).splitlines()
    assert row == "| one | 1 × 8 × 8 | 20.0 | 24.0 | 20.0% | 10.0% | 50.0% |"


def test_both_kinds_of_step_are_measured():
    found = measure((1, 8, 8), settings(8)["RandomCrop, padding 4"], rounds=2, steps=1)
    assert len(found) == 2
    assert all(math.isfinite(seconds) and seconds > 0 for pair in found for seconds in pair)
