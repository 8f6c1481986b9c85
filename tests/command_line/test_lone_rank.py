"""A training of one rank under a strategy for several leaves nothing of it to what the process starts next."""

from __future__ import annotations

import os

from torch import distributed

FOR_RANKS = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")


def told_to_ranks():
    return {name: os.environ.get(name) for name in FOR_RANKS}


def test_neither_a_process_group_nor_where_to_meet_is_left(workspace):
    before = told_to_ranks()
    outcome = workspace.fit("--trainer.strategy", "ddp", "--trainer.devices", "1")
    assert outcome.code == 0, outcome.err
    assert not distributed.is_initialized()
    assert told_to_ranks() == before


def test_where_to_meet_stays_what_it_was_after_a_training_that_failed(workspace, monkeypatch):
    monkeypatch.setenv("MASTER_PORT", "29517")
    before = told_to_ranks()
    broken = ("--trainer.callbacks+=BackboneFinetuning",)
    outcome = workspace.fit("--trainer.strategy", "ddp", "--trainer.devices", "1", *broken)
    assert outcome.code == 2
    assert not distributed.is_initialized()
    assert told_to_ranks() == before
