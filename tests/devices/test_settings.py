"""Precisions on a CPU, and compiling on request."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from ae_lightning.machine.speedups import compile_networks
from ae_lightning.variants import find_variants
from quick_options import JUDGED_QUICKLY, QUICK


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


@pytest.mark.slow
@pytest.mark.parametrize("variant", sorted(find_variants()))
def test_double_precision_trains_as_single_does(workspace, variant):
    """The same images and draws, so that the losses agree as far as float32 tells."""
    found = {}
    for precision in ("32-true", "64-true"):
        options = ("--trainer.precision", precision, "--trainer.log_every_n_steps", "1")
        network = ("--model.network", "Conv", "--model.network.batch_norm", "true")
        outcome = workspace("fit", "--model", variant, *QUICK, *options, *network)
        assert outcome.code == 0, outcome.err
        found[precision] = losses(workspace)
    weights = torch.load(workspace.checkpoint(), weights_only=True)["state_dict"].values()
    assert {value.dtype for value in weights if value.is_floating_point()} == {torch.float64}
    assert found["64-true"] == pytest.approx(found["32-true"], rel=1e-3)
    assert found["64-true"] != found["32-true"]
    outcome = workspace("test", "--ckpt_path", workspace.checkpoint(), *JUDGED_QUICKLY)
    assert outcome.code == 0, outcome.err


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
    if not compile_networks(torch.device("cpu"), network):
        pytest.skip("torch.compile does not work on this machine")
    assert list(network.state_dict()) == names
    torch.testing.assert_close(network(x), expected)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_compiling_is_tried_on_the_device_that_trains():
    network = torch.nn.Linear(4, 3)
    with pytest.warns(UserWarning, match="--compile: training goes on without"):
        assert not compile_networks(torch.device("cuda"), network)
    assert network._compiled_call_impl is None


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
