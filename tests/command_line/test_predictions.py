"""Codes and reconstructions as files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from ae_lightning.command_line.predictions import check_output, gather, origins, write
from ae_lightning.data import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.models.autoencoder import Prediction


def batch(*indices, latents=None):
    """A batch whose codes and images tell their position."""
    positions = torch.tensor(indices)
    values = positions.float()
    return Prediction(
        positions, torch.stack([values, -values], 1), latents, values.view(-1, 1, 1, 1).expand(-1, 3, 4, 5)
    )


@pytest.fixture
def predictions():
    return gather([batch(4, 1), batch(3), batch(0, 2)])


def test_batches_are_joined_in_the_order_of_the_split(predictions):
    assert predictions["indices"].tolist() == [0, 1, 2, 3, 4]
    assert predictions["codes"].tolist() == [[i, -i] for i in range(5)]
    assert predictions["reconstructions"].shape == (5, 3, 4, 5)
    assert predictions["reconstructions"][:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]


def test_what_is_decoded_is_written_beside_codes_that_it_is_not(tmp_path):
    maps = torch.arange(8).view(2, 2, 2)
    joined = gather([batch(1, 0, latents=maps)])
    assert np.array_equal(joined["latents"], maps.flip(0))
    write(joined, tmp_path / "codes.parquet")
    table = parquet.read_table(tmp_path / "codes.parquet")
    assert table["latents"].to_pylist() == maps.flip(0).flatten(1).tolist()
    assert table.schema.metadata[b"latents_shape"] == b"2,2"


def test_npz_holds_the_arrays(predictions, tmp_path):
    write(predictions, tmp_path / "codes.npz")
    with np.load(tmp_path / "codes.npz") as arrays:
        assert set(arrays) == {"indices", "codes", "reconstructions"}
        assert all(np.array_equal(arrays[name], predictions[name]) for name in arrays)
        assert arrays["codes"].dtype == np.float32


def test_parquet_holds_a_row_an_image(predictions, tmp_path):
    write(predictions, tmp_path / "codes.parquet")
    table = parquet.read_table(tmp_path / "codes.parquet")
    assert table.num_rows == 5
    assert table["indices"].to_pylist() == [0, 1, 2, 3, 4]
    assert table["codes"].to_pylist() == predictions["codes"].tolist()
    shape = tuple(int(side) for side in table.schema.metadata[b"reconstructions_shape"].split(b","))
    pixels = np.array(table["reconstructions"].to_pylist(), np.float32).reshape(-1, *shape)
    assert np.array_equal(pixels, predictions["reconstructions"])


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_files_and_classes_stand_beside_their_codes(tmp_path, suffix):
    for place, path in enumerate(
        ("test/cat/b.png", "test/dog/ä.png", "test/loose.png", "train/cat/x/1.png", "train/dog/2.png")
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (5, 4), place).save(tmp_path / path)
    data = DataModule("folder", path=str(tmp_path), num_val=0)
    joined = gather([batch(2, 1), batch(0)])
    written = tmp_path / f"codes{suffix}"
    write({**joined, **origins(data, joined["indices"])}, written)
    if suffix == ".npz":
        with np.load(written) as arrays:
            keys, labels = arrays["keys"].tolist(), arrays["labels"].tolist()
    else:
        table = parquet.read_table(written)
        keys, labels = table["keys"].to_pylist(), table["labels"].to_pylist()
    assert keys == ["test/cat/b.png", "test/dog/ä.png", "test/loose.png"]
    assert labels == ["cat", "dog", ""]


@pytest.mark.parametrize(
    "name", ["codes.txt", "codes", "nowhere/codes.npz", "file/codes.npz", "there.npz", f"{'x' * 300}.npz"]
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "there.npz").touch()
    with pytest.raises(ConfigError, match="output"):
        check_output(str(tmp_path / name))


def test_a_folder_that_takes_no_files_is_found_out_before_any_work():
    # Not even root makes a file there.
    with pytest.raises(ConfigError, match=r"output: /proc cannot be written \("):
        check_output("/proc/codes.npz")


@pytest.mark.parametrize("suffix", [".npz", ".parquet"])
def test_a_file_that_the_disk_does_not_take_is_named(predictions, tmp_path, suffix):
    output = tmp_path / f"{'x' * 300}{suffix}"
    with pytest.raises(ConfigError, match=f"{suffix} cannot be written"):
        write(predictions, output)


@pytest.mark.parametrize("name", ["codes.npz", "codes.parquet"])
def test_a_new_file_of_a_known_kind_is_accepted(tmp_path, name):
    assert check_output(str(tmp_path / name)) == tmp_path / name
