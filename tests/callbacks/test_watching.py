"""What a person sees while it trains: lines, bars, images per second."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
import threading
from contextlib import ExitStack, redirect_stderr, redirect_stdout

import pytest

from ae_lightning.callbacks import narration
from quick_options import JUDGED_QUICKLY

pytestmark = pytest.mark.slow


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


BARS = """
from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar

class RichBar(RichProgressBar):
    def __init__(self) -> None:
        super().__init__()
"""


@pytest.mark.parametrize(
    "bar", [None, *(pytest.param(name, marks=pytest.mark.slow) for name in ("TQDMProgressBar", "RichBar"))]
)
def test_a_bar_names_each_measure_and_picture_as_it_is_made(workspace, monkeypatch, bar):
    monkeypatch.setenv("TERM", "xterm")
    (workspace.folder / "bars.py").write_text(BARS)
    chosen = () if bar is None else ("--trainer.callbacks", f"bars.{bar}")
    with pseudo_terminal() as written:
        from ae_lightning.__main__ import main

        code = main([*ARGUMENTS, *JUDGED, "--trainer.max_epochs", "1", *chosen])
    assert code == 0, written.text
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.text)
    numbers = [int(number) for number in re.findall(r"(\d+)/6\b", shown)]
    assert numbers == sorted(numbers)
    assert {2, 5} <= set(numbers)
    named = (
        "codes of the train split",
        "measure active_units",
        "fit of PCA",
        "measure mse of PCA",
        "picture samples.png",
    )
    assert [name for name in named if name not in shown] == []
    assert re.search(r"judged in \d+\.\d s, of which .* \d+\.\d s", shown)


def test_a_stream_that_is_no_terminal_is_told_what_is_judged_once_in_a_while(workspace, monkeypatch):
    monkeypatch.setattr(narration, "SECONDS_BETWEEN_LINES", 0.0)
    outcome = workspace.fit(*JUDGED, "--trainer.max_epochs", "1", "--evaluation.every_n_epochs", "0")
    assert outcome.code == 0, outcome.err
    # Measures run side by side: which of the two begins first is not known.
    assert re.search(r"judging [45]/6: measure mse\n", outcome.err)
    monkeypatch.undo()
    outcome = workspace.fit(*JUDGED, "--trainer.max_epochs", "1", "--evaluation.every_n_epochs", "0")
    assert "judging " not in outcome.err
    assert "\njudged in " in outcome.err


def test_no_bar_and_no_lines_if_so_wished(workspace):
    outcome = workspace.fit("--trainer.enable_progress_bar", "false")
    assert outcome.code == 0, outcome.err
    assert "epoch " not in outcome.err


ARGUMENTS = (
    *("fit", "--model", "VAE", "--model.network", "Linear", "--model.latent_dim", "2"),
    *("--trainer.enable_model_summary", "false", "--evaluation.every_n_epochs", "0"),
    *JUDGED_QUICKLY,
)


JUDGED = (
    *("--evaluation.measures", "[mse, active_units]", "--evaluation.pictures", "[samples]"),
    *("--evaluation.pca", "true", "--evaluation.cache", "null"),
)


class pseudo_terminal:  # noqa: N801
    """Lets a real terminal, of which the test holds the other end, be both streams."""

    def __enter__(self):
        self.text = ""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self._stream = os.fdopen(slave, "w")
        self._redirection = ExitStack()
        self._reader = threading.Thread(target=self._read, args=(master,))
        self._reader.start()
        self._redirection.enter_context(redirect_stdout(self._stream))
        self._redirection.enter_context(redirect_stderr(self._stream))
        return self

    def __exit__(self, *fault):
        self._redirection.close()
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
