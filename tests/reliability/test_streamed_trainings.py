"""Trainings on images that stay on disk, ended or killed within an epoch and gone on with: the same weights."""

from __future__ import annotations

import signal

import pytest
import torch

from stored_digits import store

STEPS_PER_EPOCH = 41
NUM_WINDOWS = 9


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    """Options that train on digits in many blocks and windows."""
    folder = tmp_path_factory.mktemp("stored") / "digits"
    data = store(folder)
    loader = data.train_dataloader()
    assert len(list(loader.sampler.windows())) == NUM_WINDOWS
    return ("--model", "VAE", "--data.name", "stream", "--data.path", str(folder))


@pytest.mark.slow
def test_ended_in_the_middle_of_an_epoch_and_gone_on_with(training, in_peace, stream):
    started = training(*stream)
    started.start()
    started.wait_for_step(60)
    assert started.signal(signal.SIGTERM) == 143, started.err
    ended_at = torch.load(started.workspace.checkpoint("last.ckpt"), weights_only=True)["global_step"]
    assert ended_at % STEPS_PER_EPOCH != 0
    started.finish("--resume")
    in_peace(*stream).require_same(started)


@pytest.mark.slow
def test_killed_and_gone_on_with(training, in_peace, stream):
    started = training(*stream)
    started.start()
    started.wait_for_step(110)
    started.kill()
    started.finish("--resume")
    in_peace(*stream).require_same(started)


@pytest.mark.slow
def test_two_ranks_ended_in_the_middle_of_an_epoch_and_gone_on_with(training, in_peace, stream):
    started = training(*stream, ranks=2)
    started.start()
    started.wait_for_step(30)
    assert started.signal(signal.SIGTERM) == 143, started.err
    started.finish("--resume")
    in_peace(*stream, ranks=2).require_same(started)
