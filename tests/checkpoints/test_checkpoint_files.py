"""Checkpoint files: whole or not there, and every damage found."""

from __future__ import annotations

import os

import pytest
import torch

from ae_lightning.callbacks.checkpoint_io import SoundCheckpointIO
from ae_lightning.checkpoints import files as checkpoint_files
from ae_lightning.checkpoints.files import find_damage, newest_sound, write_checkpoint
from ae_lightning.checkpoints.loading import load_state
from ae_lightning.errors import CheckpointError
from ae_lightning.whole_files import remove_unfinished

CONTENT = {"state_dict": {"weight": torch.arange(300.0)}, "hyper_parameters": {"latent_dim": 2}, "epoch": 3}


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "last.ckpt"
    write_checkpoint(CONTENT, path)
    return path


def holds_content(path):
    state = load_state(path)
    return torch.equal(state["state_dict"]["weight"], CONTENT["state_dict"]["weight"]) and state["epoch"] == 3


def test_what_was_written_is_read(written):
    assert find_damage(written) is None
    assert holds_content(written)
    assert torch.load(written, weights_only=True)["epoch"] == 3


def test_every_flipped_byte_is_found_or_does_no_harm(written):
    whole = written.read_bytes()
    for position in range(len(whole)):
        written.write_bytes(whole[:position] + bytes([whole[position] ^ 0x10]) + whole[position + 1 :])
        if find_damage(written) is None:
            # The seal's own name is no longer there; what it sealed is.
            assert holds_content(written), position


def test_every_cut_is_found_or_does_no_harm(written):
    whole = written.read_bytes()
    for length in range(0, len(whole), 7):
        written.write_bytes(whole[:length])
        if find_damage(written) is None:
            assert length > len(whole) - 100
            assert holds_content(written)


def test_a_checkpoint_without_a_seal_is_checked_by_its_records(tmp_path):
    path = tmp_path / "foreign.ckpt"
    torch.save(CONTENT, path)
    assert find_damage(path) is None
    content = bytearray(path.read_bytes())
    position = content.index(CONTENT["state_dict"]["weight"].numpy().tobytes()[400:500])
    content[position] ^= 1
    path.write_bytes(content)
    assert "its record" in find_damage(path)


def test_a_damaged_checkpoint_is_named(written):
    written.write_bytes(written.read_bytes()[:-500])
    with pytest.raises(CheckpointError, match=r"last\.ckpt: damaged"):
        load_state(written)


def test_code_in_a_checkpoint_is_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/ran",)

    path = tmp_path / "evil.ckpt"
    write_checkpoint({**CONTENT, "extra": Payload()}, path)
    assert find_damage(path) is None
    with pytest.raises(CheckpointError):
        load_state(path)
    assert not (tmp_path / "ran").exists()


def test_the_one_before_stays_and_is_used_when_the_newest_is_damaged(written):
    write_checkpoint({**CONTENT, "epoch": 4}, written)
    assert newest_sound(written.parent) == (written, [])
    written.write_bytes(b"")
    found, said = newest_sound(written.parent)
    assert found == written.with_name("previous.ckpt")
    assert holds_content(found)
    assert "last.ckpt is damaged" in said[0]


def test_what_is_damaged_takes_the_place_of_no_sound_one(written):
    previous = written.with_name("previous.ckpt")
    SoundCheckpointIO().save_checkpoint({**CONTENT, "epoch": 4}, written)
    written.write_bytes(written.read_bytes()[:-300])
    going_on = SoundCheckpointIO()
    going_on.save_checkpoint({**CONTENT, "epoch": 5}, written)
    assert load_state(written)["epoch"] == 5
    assert holds_content(previous)
    going_on.save_checkpoint({**CONTENT, "epoch": 6}, written)
    assert load_state(previous)["epoch"] == 5


def test_no_sound_checkpoint_at_all(written):
    written.write_bytes(b"nothing")
    found, said = newest_sound(written.parent)
    assert found is None
    assert len(said) == 1


class EndedError(Exception):
    """Stands for a process that ends in the middle of a write."""


@pytest.mark.parametrize("moment", ["save", "seal", "sync"])
def test_a_write_that_ends_early_leaves_the_earlier_file(written, monkeypatch, moment):
    before = written.read_bytes()

    def end(*arguments):
        raise EndedError

    if moment == "save":
        monkeypatch.setattr(torch, "save", end)
    else:
        monkeypatch.setattr(checkpoint_files, moment, end)
    with pytest.raises(EndedError):
        write_checkpoint({**CONTENT, "epoch": 4}, written)
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == ["last.ckpt"]


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(written):
    ended = written.with_name(".last.ckpt.999999999.writing")
    living = written.with_name(f".last.ckpt.{os.getppid()}.writing")
    for path in (ended, living):
        path.write_bytes(b"half")
    remove_unfinished(written.parent)
    assert not ended.exists()
    assert living.exists()
