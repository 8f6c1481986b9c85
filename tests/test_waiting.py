"""Waiting for what another process has."""

from __future__ import annotations

import os
import threading

import pytest

from ae_lightning import waiting
from ae_lightning.waiting import HeldTooLongError, holding


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A lock that is held until the event is set."""
    monkeypatch.setattr(waiting, "SECONDS_IN_SILENCE", 0.1)
    lock, is_held, lets_go = tmp_path / "lock", threading.Event(), threading.Event()

    def hold():
        with holding(lock, 60):
            is_held.set()
            lets_go.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert is_held.wait(60)
    yield lock, lets_go
    lets_go.set()
    thread.join()


def test_who_is_waited_for_is_said_and_then_who_holds_it_for_too_long(held):
    lock, _ = held
    who = f"process {os.getpid()} on "
    with (
        pytest.warns(UserWarning, match=f"waiting for {who}.*, which has .*lock, for at most 0 seconds more"),
        pytest.raises(HeldTooLongError, match=f"{who}.* has .*lock for too long"),
        holding(lock, 0.2),
    ):
        pass


def test_it_goes_on_as_soon_as_the_other_lets_go(held):
    lock, lets_go = held
    timer = threading.Timer(0.5, lets_go.set)
    timer.start()
    with pytest.warns(UserWarning, match="waiting for"), holding(lock, 60):
        assert lets_go.is_set()
