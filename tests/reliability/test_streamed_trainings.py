"""Trainings on images that stay on disk, ended or killed within an epoch and gone on with: the same weights."""

from __future__ import annotations

import signal

import pytest

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
    started.start_until("step 60")
    assert started.signal(signal.SIGTERM) == 143, started.err
    assert started.kept_step == 61
    started.finish("--resume")
    in_peace(*stream).require_same(started)


@pytest.mark.slow
def test_killed_and_gone_on_with(training, in_peace, stream):
    started = training(*stream)
    started.start_until("step 110")
    started.wait_for_steps(110)
    started.kill()
    assert started.kept_step == 2 * STEPS_PER_EPOCH
    started.finish("--resume")
    in_peace(*stream).require_same(started)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_ranks_ended_in_the_middle_of_an_epoch_and_gone_on_with(training, in_peace, stream):
    started = training(*stream, ranks=2)
    started.start_until("step 30")
    assert started.signal(signal.SIGTERM) == 143, started.err
    # An epoch has 21 steps here.
    assert started.kept_step == 32
    started.finish("--resume")
    in_peace(*stream, ranks=2).require_same(started)
