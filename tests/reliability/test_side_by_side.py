"""Many trainings at once on one database that nobody has made yet."""

from __future__ import annotations

import subprocess
import sys

import pytest

from quick_options import QUICK

FIT = (sys.executable, "-m", "ae_lightning", "fit", "--model", "VAE", "--model.latent_dim", "2", *QUICK)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_eight_started_at_once_in_an_empty_folder(bare_workspace, program_environment):
    programs = []
    for number in range(8):
        command = [*FIT, "--seed_everything", str(number)]
        error = (bare_workspace.folder / f"err{number}").open("w")
        with error:
            programs.append(
                subprocess.Popen(
                    command, cwd=bare_workspace.folder, env=program_environment, stdout=subprocess.DEVNULL, stderr=error
                )
            )
    codes = [program.wait(500) for program in programs]
    said = "\n".join(path.read_text() for path in bare_workspace.folder.glob("err*"))
    assert codes == [0] * 8, said
    runs = bare_workspace.runs()
    assert len(runs) == 8
    assert {run.info.experiment_id for run in runs} == {runs[0].info.experiment_id}
    assert {run.data.params["seed_everything"] for run in runs} == set(map(str, range(8)))
    for run in runs:
        assert run.info.status == "FINISHED"
        assert "test/mse" in run.data.metrics
        assert len(bare_workspace.history(run.info.run_id, "train/loss")) == 1
        assert {"config.yaml", "environment.json"} <= bare_workspace.artifacts(run.info.run_id)
