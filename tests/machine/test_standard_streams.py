"""Standard streams that are closed, full, or read by nobody, and a working directory that is gone."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = f"{shlex.quote(sys.executable)} -m ae_lightning"
FULL = "ae_lightning: error: the standard output cannot be written (No space left on device)\n"


@pytest.fixture
def shell(tmp_path, program_environment):
    def run(command):
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command}"],
            cwd=tmp_path,
            env=program_environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.returncode, done.stderr

    return run


@pytest.mark.parametrize("arguments", ["--help", "--version", "sync --help"])
@pytest.mark.parametrize(
    ("redirection", "expected"),
    [
        (">&-", (0, "")),
        ("<&- >&- 2>&-", (0, "")),
        ("| true", (0, "")),
        (">/dev/full", (2, FULL)),
        (">/dev/full 2>&1", (2, "")),
    ],
)
def test_what_cannot_be_shown_ends_in_no_traceback(shell, arguments, redirection, expected):
    assert shell(f"{PROGRAM} {arguments} {redirection}") == expected


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_an_error_that_cannot_be_told_keeps_its_code(shell, redirection):
    assert shell(f"{PROGRAM} sync --spool nowhere {redirection}") == (2, "")


# What a training says goes to both streams; and what it opens must not get the number of one.
WORK = """
import os, sys
from contextlib import suppress
from ae_lightning.machine.standard_streams import keep_standard_streams, output_failure

keep_standard_streams()
with open("database", "w") as database:
    for number in range(20_000):
        print("epoch", number)
        print("loss", number, file=sys.stderr, flush=number % 100 == 0)
        if number % 1000 == 0:
            for stream in (1, 2):
                with suppress(OSError):
                    os.write(stream, b"from elsewhere")
    database.write(f"done, {output_failure()!r}")
"""


@pytest.mark.parametrize(
    ("redirection", "failure"),
    [
        (">&- 2>&-", "None"),
        ("2>&1 | head -n 1", "None"),
        ("> /dev/full 2> /dev/full", "OSError(28, 'No space left on device')"),
        ("> out 2> err", "None"),
    ],
)
def test_work_goes_on_that_nobody_can_be_told_of(shell, tmp_path, redirection, failure):
    (tmp_path / "work.py").write_text(WORK)
    code, said = shell(f"{shlex.quote(sys.executable)} work.py {redirection}")
    assert (code, said) == (0, "")
    assert (tmp_path / "database").read_text() == f"done, {failure}"
    if redirection == "> out 2> err":
        lines = (tmp_path / "out").read_text().replace("from elsewhere", "").splitlines()
        assert lines == [f"epoch {number}" for number in range(20_000)]


@pytest.mark.parametrize("arguments", ["sync", "fit --model VAE", "compare --output here"])
def test_a_working_directory_that_is_gone(shell, arguments):
    code, said = shell(f"mkdir gone; cd gone; rmdir ../gone; {PROGRAM} {arguments}")
    assert code == 2
    assert said.splitlines()[-1:] == [
        "ae_lightning: error: the working directory is not there any more; change to one that is"
    ]
    assert "Traceback" not in said


def test_a_working_directory_that_vanishes_under_the_program(bare_workspace, monkeypatch):
    from ae_lightning.command_line.commands import COMMANDS, Command

    class Vanishing(Command):
        def run(self, arguments):
            bare_workspace.folder.rmdir()
            Path("results").mkdir()
            return 0

    monkeypatch.setitem(COMMANDS, "vanish", Vanishing("", ""))
    outcome = bare_workspace("vanish")
    assert outcome.code == 2
    assert "the working directory is not there any more" in outcome.err
    # So that those who look for it find one.
    bare_workspace.folder.mkdir()
