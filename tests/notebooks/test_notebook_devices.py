"""How many devices a notebook trains on: Lightning would fork a rank for each, all of which end with the training."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

TRAINS = """
import ae_lightning as ael
from lightning.pytorch.accelerators import CPUAccelerator

CPUAccelerator.auto_device_count = staticmethod(lambda: 2)  # a machine that has two of whatever it trains on

def fit(**trainer):
    return ael.fit(
        "vanilla", "digits", network="Linear", latent_dim=2, tracking=False,
        trainer={"max_epochs": 1, "accelerator": "cpu", **trainer}, evaluation={"measures": ["mse"], "pictures": []},
    )
"""
ON_ONE = "print(sorted(fit().measures))"
ON_TWO = """
try:
    fit(devices=2)
except ael.UserError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_notebook_trains_on_one_device_and_refuses_two(tmp_path):
    cells = [nbformat.v4.new_code_cell(source) for source in (TRAINS, ON_ONE, ON_TWO)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    _, on_one, on_two = (
        "".join(output.text for output in cell.outputs if output.get("name") == "stdout") for cell in notebook.cells
    )
    assert "'mse'" in on_one
    assert on_two.startswith("trainer.strategy: forked ranks are not allowed")
    assert on_two.endswith("and a notebook trains with --trainer.devices 1\n")
