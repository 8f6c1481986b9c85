"""What a run says of its data."""

from __future__ import annotations

import numpy as np

from ae_lightning.callbacks.describing import data_set_use
from ae_lightning.data.datamodule import DataModule


def test_what_a_library_holds_lies_nowhere():
    assert data_set_use(DataModule(name="digits")).place == ""


def test_ones_own_file_is_told_by_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("own.npz", x_train=np.zeros((9, 4)), x_test=np.ones((2, 4)))
    assert data_set_use(DataModule(name="npz", path="own.npz")).place == str(tmp_path / "own.npz")
