"""What the benchmark of streams writes: images that both sources read, and a table of medians."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ae_lightning.data import DataModule
from benchmarks.results import Epoch, Run
from benchmarks.streaming import NUM_JUDGED, portions, write_archive, write_stream, write_table


def data_of(images):
    options = dict(zip(images.fit_options[::2], images.fit_options[1::2], strict=True))
    settings = {key.removeprefix("--data."): value for key, value in options.items()}
    return DataModule(**{**settings, **({"num_val": NUM_JUDGED} if "num_val" in settings else {})})


def test_both_places_hold_as_many_images_of_the_same_kind(tmp_path):
    in_memory = data_of(write_archive(tmp_path / "images.npz", 1500))
    on_disk = data_of(write_stream(tmp_path / "stream", 1500))
    assert in_memory.spec.shape == on_disk.spec.shape == (1, 28, 28)
    assert in_memory.num_samples("train") == on_disk.num_samples("train") == 1500
    expected = torch.from_numpy(np.concatenate([*portions(1500)]))
    assert torch.equal(on_disk.split("train").x, expected)


def run(processor_seconds, peak_mib):
    epoch = Epoch(1000, 10, 2.0, processor_seconds, 0.0, 1.0, 1.0, peak_mib * 2**20, 5, 3.0)
    return Run("fit", "mlp", 100, [epoch, epoch], 0.0)


def test_the_table_shows_medians_and_ratios_within_a_round():
    of_memory = [run(1.0, 100), run(4.0, 100), run(2.0, 100)]
    of_disk = [run(1.1, 150), run(4.4, 170), run(2.4, 160)]
    *_, memory, disk = write_table({("memory", 9): of_memory, ("disk", 99): of_disk}).splitlines()
    assert memory == "| 9 | memory | 500 | 1.00 | 100 |"
    assert disk == "| 99 | disk | 500 | 1.10 | 160 |"
    with pytest.raises(ValueError, match="unpack"):
        write_table({("disk", 99): of_disk})
