"""A script that trains on several ranks, as Lightning starts them: once for each."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import ae_lightning as ael

for seed in (0, 1):
    result = ael.fit(
        "vanilla", "digits", network="Linear", latent_dim=2, seed=seed,
        trainer={"max_epochs": 1, "devices": 2, "accelerator": "cpu", "enable_model_summary": False},
        evaluation={"measures": ["mse"], "pictures": []},
    )
    print("MEASURED", seed, result.measures["mse"])
"""


@pytest.mark.slow
def test_two_trainings_of_a_script_share_their_ranks(workspace, program_environment):
    (workspace.folder / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=workspace.folder,
        env=program_environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    measured = sorted(line for line in done.stdout.splitlines() if line.startswith("MEASURED"))
    assert len(measured) == 4
    assert measured[0] == measured[1] != measured[2] == measured[3]
    assert [run.info.status for run in workspace.runs()] == ["FINISHED", "FINISHED"]
    # Nothing is said that whoever trains could do nothing about.
    assert "sync_dist" not in done.stderr
    assert "all_gather is deprecated" not in done.stderr
