"""Files with a final name: whole, or what was there before."""

from __future__ import annotations

import os
import signal

import pytest

from ae_lightning.whole_files import remove_unfinished, replacing


def in_another_process(work):
    """Return how a process ended that does some work."""
    process_id = os.fork()
    if process_id == 0:
        try:
            work()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(process_id, 0)[1])


@pytest.mark.parametrize("before", [None, "old"])
def test_what_a_killed_process_wrote_takes_no_name_and_is_removed_by_the_next(tmp_path, before):
    path = tmp_path / "file[1].txt"
    if before is not None:
        path.write_text(before)

    def work():
        with replacing(path) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_another_process(work) == -signal.SIGKILL
    left = set(tmp_path.iterdir()) - {path}
    assert [file.read_text() for file in left] == ["half"]
    assert (path.read_text() if path.exists() else None) == before
    with replacing(path) as temporary:
        temporary.write_text("whole")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "whole"


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_failure_leaves_what_was_there(tmp_path, is_folder):
    path = tmp_path / "name"

    def write(temporary, text):
        if is_folder:
            temporary.mkdir()
        (temporary / "inside" if is_folder else temporary).write_text(text)

    with replacing(path, overwrites=False) as temporary:
        write(temporary, "first")

    def fail():
        with replacing(path) as temporary:
            write(temporary, "second")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    with pytest.raises(FileExistsError), replacing(path, overwrites=False) as temporary:
        write(temporary, "third")
    assert list(tmp_path.iterdir()) == [path]
    assert (path / "inside" if is_folder else path).read_text() == "first"


def test_a_file_that_came_meanwhile_is_not_overwritten(tmp_path):
    path = tmp_path / "name"

    def write():
        with replacing(path, overwrites=False) as temporary:
            temporary.write_text("own")
            path.write_text("another's")

    with pytest.raises(FileExistsError):
        write()
    assert path.read_text() == "another's"


def test_files_of_living_processes_and_of_others_stay(tmp_path):
    living = tmp_path / f".a.{os.getppid()}.writing"
    journal = tmp_path / ".a.999999999.writing-journal"
    foreign = tmp_path / ".a.draft.writing"
    for path in (living, journal, foreign):
        path.touch()
    remove_unfinished(tmp_path)
    assert set(tmp_path.iterdir()) == {living, foreign}
