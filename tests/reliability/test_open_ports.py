"""No training opens a port that another machine reaches."""

from __future__ import annotations

import json

# Written into the working directory: where the process listens while it trains.
LISTENING = """
import json
import psutil
from pathlib import Path
from lightning.pytorch.callbacks import Callback

class Listening(Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        connections = psutil.Process().net_connections("inet")
        places = [connection.laddr.ip for connection in connections if connection.status == psutil.CONN_LISTEN]
        Path("listening.json").write_text(json.dumps(places))
"""


def test_a_training_listens_nowhere(workspace):
    (workspace.folder / "listening.py").write_text(LISTENING)
    outcome = workspace.fit("--trainer.callbacks", "listening.Listening")
    assert outcome.code == 0, outcome.err
    assert json.loads((workspace.folder / "listening.json").read_text()) == []
