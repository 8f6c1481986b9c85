"""Images on disk take no more memory, however many they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ae_lightning.data import DataModule
from benchmarks.streaming import write_stream

MEBIBYTE = 1 << 20


def resident():
    """Bytes of this process that no file backs, and bytes of files that are mapped into it."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(fields[name].split()[0]) * 1024 for name in ("RssAnon", "RssFile"))


def most_in_an_epoch(folder, num_images):
    write_stream(folder, num_images)
    data = DataModule("stream", path=str(folder), batch_size=1024)
    found = [(len(batch.x), *resident()) for batch in data.train_dataloader()]
    assert sum(size for size, *_ in found) == num_images
    return max(anonymous for _, anonymous, _ in found), max(mapped for *_, mapped in found)


@pytest.mark.slow
def test_two_million_images_take_no_more_memory_than_a_tenth_of_them(tmp_path):
    few, few_mapped = most_in_an_epoch(tmp_path / "few", 200_000)
    many, many_mapped = most_in_an_epoch(tmp_path / "many", 2_000_000)
    assert many - few < 32 * MEBIBYTE
    assert many_mapped - few_mapped < 8 * MEBIBYTE
