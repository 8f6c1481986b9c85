"""A training that goes on for long takes no more memory, files or threads than one that has just begun."""

from __future__ import annotations

import json

import pytest

NUM_EPOCHS, NUM_WARM = 300, 10
POOL_SIZE = 5

# Written into the working directory: what the process holds at the end of each epoch.
HOLDINGS = """
import json
import psutil
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Holdings(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        process = psutil.Process()
        held = [process.memory_info().rss, process.num_fds(), process.num_threads()]
        with Path("holdings.jsonl").open("a") as file:
            file.write(json.dumps(held) + chr(10))
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_long_training_grows_by_nothing(training):
    # With evaluations, pictures and checkpoints: what a training repeats for as long as it goes on.
    often = (
        *("--evaluation.every_n_epochs", "5", "--evaluation.training_measures", "[mse]"),
        *(
            "--evaluation.draw_every_n_epochs",
            "10",
            "--evaluation.training_pictures",
            "[reconstructions,latent_scatter]",
        ),
    )
    started = training(
        *("--model", "VAE", "--data.batch_size", "432", "--trainer.max_epochs", str(NUM_EPOCHS)),
        *("--checkpoint.every_n_epochs", "5", "--trainer.callbacks", "holdings.Holdings", *often),
        files={"holdings.py": HOLDINGS},
    )
    started.start()
    assert started.process.wait(500) == 0, started.err
    lines = (started.workspace.folder / "holdings.jsonl").read_text().splitlines()
    memory, files, threads = zip(*map(json.loads, lines), strict=True)
    assert len(memory) == NUM_EPOCHS
    assert memory[-1] < 1.02 * memory[NUM_WARM - 1], memory[::10]
    # MLflow opens another connection of its pool whenever two threads happen to ask at once.
    assert files[-1] <= files[NUM_WARM - 1] + POOL_SIZE, files[::10]
    assert threads[-1] <= threads[NUM_WARM - 1]
