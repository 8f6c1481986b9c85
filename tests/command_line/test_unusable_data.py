"""Images that are missing, damaged or not what they were said to be: one line, and nothing left behind."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import numpy as np
import pytest

VAE = ("--model", "VAE")


@pytest.mark.parametrize("name", ["folder", "npz"])
def test_missing_data_files(refuse, name):
    assert "nowhere" in refuse("fit", *VAE, "--data.name", name, "--data.path", "nowhere")


def test_a_data_path_is_needed(refuse):
    assert "data.path" in refuse("fit", *VAE, "--data.name", "npz")


def test_missing_torchvision_files_say_where_to_put_them(refuse, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", no_network)
    message = refuse("fit", *VAE, "--data.name", "mnist", "--data.root", "data")
    assert "MNIST/raw" in message
    assert "--data.name digits" in message
    assert not Path("data").exists()


def no_network(*_, **__):
    raise OSError("no network")


def test_truncated_idx_file(refuse, tmp_path):
    folder = tmp_path / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, 10, 28, 28) + bytes(100))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 10) + bytes(10))
    message = refuse("fit", *VAE, "--data.name", "mnist", "--data.root", "data")
    assert "train-images-idx3-ubyte is truncated" in message


def test_truncated_real_idx_file(refuse, idx_root):
    path = idx_root / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    message = refuse("fit", *VAE, "--data.name", "mnist", "--data.root", idx_root)
    assert "t10k-images-idx3-ubyte is truncated" in message


def test_truncated_png(refuse, picture_folder):
    path = picture_folder / "03.png"
    path.write_bytes(path.read_bytes()[:-40])
    assert "03.png is truncated" in refuse("fit", *VAE, "--data.name", "folder", "--data.path", picture_folder)


def test_empty_folder(refuse, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "no images" in refuse("fit", *VAE, "--data.name", "folder", "--data.path", "empty")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x_train": None}, "x_train is missing (there: x_test (10, 8, 8) uint8)"),
        ({"y_train": np.zeros(40, int)}, "y_test is missing"),
        ({"x_train": np.full((40, 8, 8), -1)}, "dtype int64 and values from -1"),
        ({"x_train": np.full((40, 8, 8), "x")}, "dtype"),
        ({"x_train": np.zeros((40, 64), np.uint8)}, "differ in shape: (40, 64)"),
        ({"x_train": np.zeros((40, 9, 9), np.uint8)}, "differ in shape"),
        ({"x_train": np.full((40, 8, 8), np.nan, np.float32)}, "NaN"),
        ({"x_train": np.full((40, 8, 8), 2.0, np.float32)}, "images must be of one type"),
        ({"y_train": np.zeros(3, int), "y_test": np.zeros(10, int)}, "3 labels for 40 samples"),
    ],
)
def test_unusable_npz(refuse, npz, changes, said):
    message = refuse("fit", *VAE, "--data.name", "npz", "--data.path", npz(**changes))
    assert "images.npz" in message
    assert said in message


def test_npz_that_is_no_archive(refuse, tmp_path):
    (tmp_path / "images.npz").write_bytes(b"not an archive")
    assert "images.npz" in refuse("fit", *VAE, "--data.name", "npz", "--data.path", "images.npz")
