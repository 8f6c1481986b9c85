"""Precisions on a CPU, and compiling on request."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from tests.conftest import QUICK

from ae_lightning.compilation import compile_networks


def losses(workspace):
    return [metric.value for metric in workspace.history(workspace.run().info.run_id, "train/loss")]


@pytest.mark.parametrize("precision", ["bf16-mixed", "32-true"])
def test_a_precision_trains_on_a_cpu(workspace, precision):
    options = ("--trainer.precision", precision, "--trainer.log_every_n_steps", "1")
    outcome = workspace.fit("--trainer.accelerator", "cpu", *options)
    assert outcome.code == 0, outcome.err
    found = losses(workspace)
    assert found[-1] < found[0]
    kinds = {value.dtype for value in torch.load(workspace.checkpoint(), weights_only=True)["state_dict"].values()}
    assert kinds == {torch.float32}


@pytest.mark.parametrize("precision", ["64-true", "64"])
def test_double_precision_is_refused(workspace, precision):
    outcome = workspace.fit("--trainer.precision", precision)
    assert outcome.code == 2
    assert "trainer.precision" in outcome.err
    assert "32-true" in outcome.err
    assert not workspace.runs()


def test_half_precision_on_a_cpu_becomes_bfloat16(workspace):
    """Lightning's own choice, which its announcement names."""
    outcome = workspace.fit("--trainer.accelerator", "cpu", "--trainer.precision", "16-mixed")
    assert outcome.code == 0, outcome.err
    assert "bf16-mixed on 1 × cpu" in outcome.err


@pytest.mark.slow
def test_compiled_networks_keep_their_names_and_values():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
    names, x = list(network.state_dict()), torch.randn(2, 4)
    expected = network(x)
    if not compile_networks(network):
        pytest.skip("torch.compile does not work on this machine")
    assert list(network.state_dict()) == names
    torch.testing.assert_close(network(x), expected)


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "warned"), [("/nowhere/c++", True), (None, False)])
def test_compiling_is_optional(workspace, program_environment, tmp_path, compiler, warned):
    cache = {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"), **({"CXX": compiler} if compiler else {})}
    options = ["fit", "--model", "VanillaAE", *QUICK, "--trainer.accelerator", "cpu", "--compile", "true"]
    done = subprocess.run(
        [sys.executable, "-m", "ae_lightning", *options, "--trainer.max_steps", "3"],
        cwd=workspace.folder,
        env={**program_environment, **cache},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("--compile: training goes on without" in done.stderr) == warned
    assert workspace.run().info.status == "FINISHED"
