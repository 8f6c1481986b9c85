from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ae_lightning.errors import ConfigError
from ae_lightning.training.schedules import Annealing, as_annealing, phase_of


@pytest.mark.parametrize(
    ("epoch", "weight"), [(0, 0.5), (1, 0.875), (2.5, 1.4375), (4, 2.0), (4.001, 2.0), (1000, 2.0)]
)
def test_a_weight_goes_straight_from_start_to_end_and_stays(epoch, weight):
    assert Annealing(0.5, 2.0, 4).at(epoch) == pytest.approx(weight)


def test_a_weight_may_fall():
    annealing = Annealing(4.0, 1.0, 2)
    assert [annealing.at(epoch) for epoch in (0, 1, 2, 3)] == [4.0, 2.5, 1.0, 1.0]


def test_without_a_warm_up_the_weight_is_the_final_one_from_the_start():
    assert Annealing(0.0, 3.0, 0).at(0) == 3.0


@given(st.floats(0, 100), st.floats(0, 1000))
def test_a_number_never_changes(weight, epoch):
    assert as_annealing("model.beta", weight).at(epoch) == weight


@pytest.mark.parametrize(
    ("weight", "key"),
    [
        (-1.0, r"model\.beta"),
        (float("nan"), r"model\.beta"),
        (Annealing(-1, 1, 1), r"model\.beta\.start"),
        (Annealing(0, -1, 1), r"model\.beta\.end"),
        (Annealing(0, 1, -1), r"model\.beta\.warmup_epochs"),
    ],
)
def test_what_is_negative_is_refused_by_its_key(weight, key):
    with pytest.raises(ConfigError, match=rf"^{key}: "):
        as_annealing("model.beta", weight)


@given(st.integers(1, 40), st.integers(0, 400))
def test_phases_are_equal_shares_in_order(num_phases, more):
    """With at least as many batches as phases, each has one at least and none has two more than another."""
    num_batches = num_phases + more
    phases = [phase_of(batch, num_batches, [1.0] * num_phases) for batch in range(num_batches)]
    sizes = [len(list(group)) for _, group in groupby(phases)]
    assert phases == sorted(phases)
    assert set(phases) == set(range(num_phases))
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 40), st.integers(1, 80))
def test_the_last_batch_belongs_to_the_last_phase(num_phases, num_batches):
    """However short the training: no other phase makes a best checkpoint."""
    assert phase_of(num_batches - 1, num_batches, [1.0] * num_phases) == num_phases - 1


def test_with_half_as_many_batches_as_phases_the_second_of_each_pair_is_kept():
    """Of a double autoencoder's rounds, that is the reconstruction."""
    assert [phase_of(batch, 5, [1.0] * 10) for batch in range(5)] == [1, 3, 5, 7, 9]


def test_batches_beyond_the_end_belong_to_the_last_phase():
    assert phase_of(25, 20, [1.0] * 4) == 3
    assert phase_of(3, 0, [1.0] * 4) == 3


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=12), st.integers(0, 400))
def test_phases_have_their_shares_of_the_batches(shares, more):
    """Within a batch where none needs a larger part than its share to have a batch at all; always one at least."""
    num_batches = len(shares) + more
    sizes = Counter(phase_of(batch, num_batches, shares) for batch in range(num_batches))
    assert set(sizes) == set(range(len(shares)))
    expected = [num_batches * share / sum(shares) for share in shares]
    if min(expected) >= 1:
        assert all(abs(sizes[phase] - size) <= 1 + 1e-6 for phase, size in enumerate(expected))


def test_one_phase_may_take_most_of_a_training():
    assert [phase_of(batch, 10, [1, 8, 1]) for batch in range(10)] == [0, *[1] * 8, 2]
    assert [phase_of(batch, 4, [1, 100, 1]) for batch in range(4)] == [0, 1, 1, 2]
