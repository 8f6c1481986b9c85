"""Command lines, studies and checkpoints drawn at random: each is taken or refused in one line, whatever it holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("random_calls.py")
SHARE = float(os.environ.get("AE_LIGHTNING_RANDOM_SHARE", "0.1"))
"""Of the full numbers: all of them take half an hour of a processor."""

NUMBERS = {"command_lines": 1000, "studies": 500, "processes": 60, "checkpoints": 500}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", NUMBERS)
def test_what_is_drawn_at_random_gives_no_traceback(tmp_path, program_environment, kind, record_property):
    number = round(NUMBERS[kind] * SHARE)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), kind, "0", str(number), str(tmp_path)],
        env=program_environment,
        capture_output=True,
        text=True,
        timeout=3500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    sys.stdout.write(f"{kind}: exit codes {report['counts']}\n")
    record_property("exit_codes", report["counts"])
    assert not report["faults"]
    counts = Counter(report["counts"])
    assert counts.total() == number
    assert min(counts["0"], counts["2"]) > 0
