"""The sampler of `examples/`, as a user would call it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ae_lightning.errors import ConfigError

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def _examples_importable(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)


def neighbours(**options):
    from my_sampler import Neighbours

    return Neighbours(**options)


def test_draws_lie_on_the_lines_to_neighbours():
    codes = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    sampler = neighbours(num_neighbours=3)
    sampler.fit(codes, seed=0)
    drawn = sampler.draw(300, seed=1)
    fourth = np.sort(cdist(codes, codes), axis=1)[:, 3]
    # No point of a line between two codes is further from the nearer one than half of its length.
    assert (cdist(drawn, codes).min(axis=1) <= fourth.max() / 2).all()
    assert np.array_equal(drawn, sampler.draw(300, seed=1))


def test_it_wants_a_neighbour():
    with pytest.raises(ConfigError, match=r"^sampler\.num_neighbours: 0 is not allowed"):
        neighbours(num_neighbours=0)


def test_it_is_fitted_kept_and_drawn_from(workspace):
    measures = ("--evaluation.measures", "[mse]", "--evaluation.cache", "null")
    outcome = workspace.fit("--model", "VanillaAE", "--sampler", "my_sampler.Neighbours", *measures)
    assert outcome.code == 0, outcome.err
    assert workspace.checkpoint("best.sampler.safetensors").is_file()
    outcome = workspace("sample", "--ckpt_path", workspace.checkpoint(), "--num", "9", "--output", "nine.npz")
    assert outcome.code == 0, outcome.err
    assert "drawn by Neighbours" in outcome.out
    with np.load("nine.npz") as arrays:
        assert arrays["x"].shape == (9, 1, 8, 8)
