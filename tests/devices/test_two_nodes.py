"""Two nodes started by torchrun, both on this machine, against one process with the whole batch."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
import torch
from tests.conftest import QUICK

from stored_digits import store

SIZES = ("--model", "VAE", *QUICK, "--model.latent_dim", "3", "--trainer.accelerator", "cpu")
STEPS = ("--trainer.precision", "32-true", "--model.optimizer", "SGD", "--model.optimizer.lr", "0.001")
OPTIONS = ("fit", *SIZES, *STEPS)
GLOBAL_BATCH_SIZE = 128
TOLERANCE = 2e-6


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start_node(rank, port, folder, environment, data):
    """Start what a user starts on each machine; they share a folder, as machines of a cluster do."""
    meeting = ("--rdzv-backend", "c10d", "--rdzv-id", "test", "--rdzv-endpoint", f"127.0.0.1:{port}")
    torchrun = ("-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", str(rank), "--nproc-per-node", "1")
    ranks = ("--trainer.num_nodes", "2", "--trainer.devices", "1", "--trainer.strategy", "ddp")
    batch = ("--data.batch_size", str(GLOBAL_BATCH_SIZE // 2))
    command = [sys.executable, *torchrun, *meeting, "--local-addr", "127.0.0.1", "-m", "ae_lightning"]
    with (folder / f"node-{rank}.txt").open("w") as said:
        return subprocess.Popen(
            [*command, *OPTIONS, *data, *ranks, *batch], cwd=folder, env=environment, stdout=said, stderr=said
        )


def state_of(workspace):
    return torch.load(workspace.checkpoint("last.ckpt"), weights_only=True)["state_dict"]


def vector(state):
    return torch.cat([state[name].flatten() for name in sorted(state)])


@pytest.mark.slow
@pytest.mark.parametrize("place", ["memory", "disk"])
def test_two_nodes_train_what_one_process_does(open_workspace, program_environment, tmp_path, place):
    data = ("--data.name", "stream", "--data.path", store(tmp_path / "stored").path) if place == "disk" else ()
    environment = {**program_environment, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    with open_workspace() as alone:
        outcome = alone(*OPTIONS, *data, "--data.batch_size", str(GLOBAL_BATCH_SIZE))
        assert outcome.code == 0, outcome.err
        expected = state_of(alone)
    with open_workspace() as shared:
        port = free_port()
        nodes = [start_node(rank, port, shared.folder, environment, data) for rank in range(2)]
        try:
            codes = [node.wait(timeout=240) for node in nodes]
        finally:
            for node in nodes:
                node.kill()
        said = [(shared.folder / f"node-{rank}.txt").read_text() for rank in range(2)]
        assert codes == [0, 0], "\n".join(said)
        (run,) = shared.runs()
        assert run.info.status == "FINISHED"
        assert sum("on 2 × cpu" in text for text in said) == 1
        found = state_of(shared)
    assert found.keys() == expected.keys()
    assert (vector(found) - vector(expected)).norm() < TOLERANCE * vector(expected).norm()
