"""Samplers on disk: back as they were, found out where they are damaged or belong to other weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ae_lightning.checkpoints.sampler_file import read_sampler, sampler_path, write_sampler
from ae_lightning.errors import CheckpointError
from ae_lightning.samplers.gaussian_mixture import GaussianMixture
from ae_lightning.samplers.kernel_density import KernelDensity
from ae_lightning.samplers.two_stage import TwoStage

WEIGHTS = {"weight": torch.arange(6.0).view(2, 3), "count": torch.tensor(3)}
SAMPLERS = [GaussianMixture(num_components=2), KernelDensity("silverman"), TwoStage(hidden=[8], num_steps=3)]


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "best.ckpt"


def fitted(sampler, labels=None):
    codes = np.random.default_rng(0).normal(size=(40, 2, 3)).astype(np.float32)
    sampler.fit(codes, seed=0, labels=labels)
    return sampler


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: type(sampler).__name__)
@pytest.mark.parametrize("labels", [None, np.arange(40) % 3 - 1], ids=["no labels", "labels"])
def test_a_sampler_comes_back_and_draws_the_same(checkpoint, sampler, labels):
    write_sampler(fitted(sampler, labels), checkpoint, WEIGHTS)
    assert [path.name for path in checkpoint.parent.iterdir()] == ["best.sampler.safetensors"]
    again = read_sampler(checkpoint, WEIGHTS)
    assert type(again) is type(sampler)
    assert again.hyperparameters() == sampler.hyperparameters()
    given = None if labels is None else np.array([0, 1, -1, 1])
    assert np.array_equal(again.draw(4, seed=5, given=given), sampler.draw(4, seed=5, given=given))


def test_where_none_is_kept_there_is_none(checkpoint):
    assert read_sampler(checkpoint, WEIGHTS) is None


def test_a_later_one_takes_its_place(checkpoint):
    for sampler in SAMPLERS[:2]:
        write_sampler(fitted(sampler), checkpoint, WEIGHTS)
    assert type(read_sampler(checkpoint, WEIGHTS)) is KernelDensity


def test_one_of_other_weights_is_left_with_a_warning(checkpoint):
    write_sampler(fitted(SAMPLERS[0]), checkpoint, WEIGHTS)
    with pytest.warns(UserWarning, match=r"best\.sampler\.safetensors: fitted to the codes of other weights than"):
        assert read_sampler(checkpoint, {**WEIGHTS, "count": torch.tensor(4)}) is None


def test_weights_in_another_memory_order_are_the_same(checkpoint):
    images = torch.randn(2, 3, 4, 4)
    write_sampler(fitted(SAMPLERS[0]), checkpoint, {"weight": images})
    assert read_sampler(checkpoint, {"weight": images.to(memory_format=torch.channels_last)}) is not None


def test_every_flipped_byte_is_found_or_does_no_harm(checkpoint):
    sampler = fitted(SAMPLERS[0])
    write_sampler(sampler, checkpoint, WEIGHTS)
    path = sampler_path(checkpoint)
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        try:
            again = read_sampler(checkpoint, WEIGHTS)
        except CheckpointError:
            continue
        assert np.array_equal(again.draw(4, seed=0), sampler.draw(4, seed=0)), position


def test_another_programs_file_is_refused(checkpoint):
    from safetensors.torch import save_file

    save_file(WEIGHTS, sampler_path(checkpoint))
    with pytest.raises(CheckpointError, match="holds no sampler"):
        read_sampler(checkpoint, WEIGHTS)


class Gone(GaussianMixture):
    """A user's own, whose file is then deleted."""


def test_a_class_that_is_gone_is_named(checkpoint, monkeypatch):
    write_sampler(fitted(Gone()), checkpoint, WEIGHTS)
    monkeypatch.delattr(f"{__name__}.Gone")
    with pytest.raises(CheckpointError, match=r"cannot be made again \(.*Gone"):
        read_sampler(checkpoint, WEIGHTS)
