"""What a person sees while it trains: lines, bars, images per second."""

from __future__ import annotations

import os
import re
import threading
from contextlib import redirect_stderr

import pytest

from quick_options import JUDGED_QUICKLY


@pytest.fixture(scope="module")
def trained(open_workspace):
    with open_workspace() as workspace:
        outcome = workspace.fit("--trainer.max_epochs", "3")
        assert outcome.code == 0, outcome.err
        yield workspace, outcome


def test_a_stream_that_is_no_terminal_has_a_line_an_epoch(trained):
    _, outcome = trained
    lines = [line for line in outcome.err.splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    for line in lines:
        assert re.search(r"train/loss [\d.]+  val/loss [\d.]+  [\d,]+ images/s$", line)
    assert "\x1b" not in outcome.err
    assert "━" not in outcome.err


def test_images_per_second_are_logged_once_an_epoch(trained):
    workspace, _ = trained
    history = workspace.history(workspace.run().info.run_id, "train/images_per_second")
    assert [metric.step for metric in history] == [10, 21, 32]
    assert all(metric.value > 0 for metric in history)


def test_a_terminal_has_a_bar(workspace, monkeypatch):
    # A dumb terminal would get no bar.
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with pseudo_terminal() as written:
        from ae_lightning.__main__ import main

        arguments = [*ARGUMENTS, "--trainer.max_epochs", "2"]
        assert main(arguments) == 0
    assert "━" in written.text
    assert re.search(r"\d+/11", written.text)
    assert "epoch 2/2" in written.text
    assert "images/s" in written.text


MARKING = """
import sys
from lightning.pytorch.callbacks import Callback

class Marking(Callback):
    def on_test_epoch_end(self, trainer, pl_module):
        sys.stderr.write("the measures begin")
"""


def test_a_terminal_says_that_judging_begins_before_it_does(workspace, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    (workspace.folder / "marking.py").write_text(MARKING)
    with pseudo_terminal() as written:
        from ae_lightning.__main__ import main

        assert main([*ARGUMENTS, "--trainer.max_epochs", "1", "--trainer.callbacks", "marking.Marking"]) == 0
    before, _, _ = written.text.partition("the measures begin")
    assert "judging" in before
    assert before != written.text


def test_no_bar_and_no_lines_if_so_wished(workspace):
    outcome = workspace.fit("--trainer.enable_progress_bar", "false")
    assert outcome.code == 0, outcome.err
    assert "epoch " not in outcome.err


ARGUMENTS = (
    *("fit", "--model", "VAE", "--model.network", "Linear", "--model.latent_dim", "2"),
    *("--trainer.enable_model_summary", "false", "--evaluation.every_n_epochs", "0"),
    *JUDGED_QUICKLY,
)


class pseudo_terminal:  # noqa: N801
    """Lets a real terminal, of which the test holds the other end, be the error stream."""

    def __enter__(self):
        self.text = ""
        master, slave = os.openpty()
        self._stream = os.fdopen(slave, "w")
        self._redirection = redirect_stderr(self._stream)
        self._reader = threading.Thread(target=self._read, args=(master,))
        self._reader.start()
        self._redirection.__enter__()
        return self

    def __exit__(self, *fault):
        self._redirection.__exit__(*fault)
        self._stream.close()
        self._reader.join(10)

    def _read(self, master):
        parts = []
        # Once the other end is closed, reading from a terminal is an error.
        try:
            while part := os.read(master, 4096):
                parts.append(part)
        except OSError:
            pass
        self.text = b"".join(parts).decode(errors="replace")
        os.close(master)
