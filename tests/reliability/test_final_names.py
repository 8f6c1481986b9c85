"""Every file that a command leaves under a name, on a disk that takes half of it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_lightning.checkpoints.sampler_file import write_sampler
from ae_lightning.checkpoints.weights_file import write_weights
from ae_lightning.command_line.predictions import check_output, write
from ae_lightning.command_line.sample import _write as write_samples
from ae_lightning.comparison.comparing import _write as write_report
from ae_lightning.errors import ConfigError
from ae_lightning.judging.cache import Cache
from ae_lightning.samplers.kernel_density import KernelDensity
from full_disks import room_for

IMAGES = np.random.default_rng(0).random((20, 1, 40, 40), np.float32)
PREDICTIONS = {"indices": np.arange(20), "codes": IMAGES[:, 0, 0], "reconstructions": IMAGES}
WEIGHTS = {"weight": torch.from_numpy(IMAGES)}


def keep_sampler(path: Path) -> None:
    sampler = KernelDensity()
    sampler.fit(IMAGES[:, 0, 0], 0, None)
    write_sampler(sampler, path.with_name("best.ckpt"), WEIGHTS)


NEW = {
    "codes.npz": lambda path: write(PREDICTIONS, path),
    "codes.parquet": lambda path: write(PREDICTIONS, path),
    "samples.npz": lambda path: write_samples(IMAGES, None, path, None),
    "samples.png": lambda path: write_samples(IMAGES, None, path, None),
    "samples": lambda path: write_samples(np.repeat(IMAGES, 3, 3), None, path, None),
    "model.safetensors": lambda path: write_weights({"state_dict": WEIGHTS, "hyper_parameters": {}}, path),
}


@pytest.mark.parametrize("name", NEW)
def test_nothing_is_left_where_half_was_written(tmp_path, name):
    path = tmp_path / name
    with room_for(2000), pytest.raises((ConfigError, OSError)):
        NEW[name](path)
    assert list(tmp_path.iterdir()) == []
    # So that the next try is not refused.
    check_output(str(path), {path.suffix})
    NEW[name](path)
    assert list(tmp_path.iterdir()) == [path]


REPLACED = {
    "report.html": lambda path: write_report({path: "new" * 1000, path.with_name("table.md"): "table" * 1000}),
    "best.sampler.safetensors": keep_sampler,
    "key.npz": lambda path: Cache(path.parent).get("key", lambda: {"values": IMAGES}),
}


@pytest.mark.parametrize("name", REPLACED)
def test_what_was_there_stays_where_half_was_written(tmp_path, name):
    path = tmp_path / name
    path.write_text("old")
    with room_for(2000), suppress(ConfigError, OSError):
        REPLACED[name](path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_a_report_and_its_table_are_of_one_comparison(tmp_path):
    report, table = tmp_path / "report.html", tmp_path / "table.md"
    write_report({table: "old", report: "old"})
    with room_for(2000), pytest.raises(ConfigError, match=r"--output: .*report.html cannot be written"):
        write_report({table: "new", report: "new" * 1000})
    assert table.read_text() == report.read_text() == "old"
