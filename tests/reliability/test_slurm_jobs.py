"""SLURM jobs that are told that their time is up, and put back into the queue."""

from __future__ import annotations

import signal

import pytest

VAE = ("--model", "VAE")
SCONTROL = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/asked"
"""


@pytest.fixture
def programs(tmp_path):
    """A folder with an `scontrol` that writes down what it is asked."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "scontrol").write_text(SCONTROL)
    (folder / "scontrol").chmod(0o755)
    (folder / "asked").touch()
    return folder


@pytest.fixture
def job(programs):
    """What SLURM gives the only task of a job."""
    numbers = {"SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "1", "SLURM_PROCID": "0"}
    places = {"SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost"}
    names = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "train"}
    return {**numbers, **places, **names, "PATH": f"{programs}:/usr/bin:/bin"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "requests"), [(signal.SIGUSR1, 138, ["requeue 4711"]), (signal.SIGTERM, 143, [])]
)
def test_a_job_that_is_told_to_end_is_gone_on_with_when_it_starts_again(
    training, in_peace, programs, job, number, code, requests
):
    started = training(*VAE)
    started.start_until("step 60", environment=job)
    assert started.signal(number) == code, started.err
    assert (programs / "asked").read_text().splitlines() == requests
    assert started.workspace.run().info.status == "KILLED"
    assert not list(started.workspace.folder.rglob("hpc_ckpt*"))
    started.start("--resume", environment={**job, "SLURM_RESTART_COUNT": "1"})
    assert started.end() == 0, started.err
    in_peace(*VAE).require_same(started)
