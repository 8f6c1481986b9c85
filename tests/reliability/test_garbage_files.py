"""Damaged images and checkpoints: each is read all the same, or refused in a line; no traceback, no hang, no flood."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_lightning.data.arrays.npz import read_npz
from ae_lightning.data.image_folder.folder import read_folder
from ae_lightning.data.torchvision_sets import read_torchvision_set
from ae_lightning.errors import DataError

PROGRAM = Path(__file__).with_name("file_corruptions.py")
MAX_BYTES = 2 << 30
KINDS = ("idx", "image", "npz", "checkpoint", "contents")
NUM_DAMAGED = 125
"""Files of each kind."""


@pytest.fixture(scope="module")
def damaged(tmp_path_factory, program_environment):
    """What became of damaged files of each kind, in one process: most of what a process costs is its imports."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), ",".join(KINDS), str(NUM_DAMAGED), str(tmp_path_factory.mktemp("damaged"))],
        env=program_environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(KINDS, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_hundreds_of_damaged_files(damaged, kind):
    report = damaged[kind]
    sys.stdout.write(f"{kind}: { ({key: value for key, value in report.items() if key != 'messages'}) }\n")
    assert report["read"] + report["refused"] == NUM_DAMAGED
    assert min(report["read"], report["refused"]) > 0
    assert report["peak"] < MAX_BYTES
    assert all(message.strip() for message in report["messages"])


def header(shape, dtype="|u1"):
    """The beginning of an npy file."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def write_archive(path, content, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in ("x_train", "x_test"):
            archive.writestr(f"{name}.npy", content)
    return path


def test_an_array_that_declares_more_than_it_holds(tmp_path):
    path = write_archive(tmp_path / "images.npz", header((2**40, 28, 28)) + bytes(100))
    with pytest.raises(DataError, match=r"images\.npz cannot be read as \.npz: .* declares 862\d+ bytes but holds 228"):
        read_npz(path)


def test_a_decompression_bomb_in_an_archive(tmp_path):
    path = tmp_path / "images.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("x_train.npy", "w", force_zip64=True) as file:
            file.write(header((1100, 1024, 1024)))
            for _ in range(1100):
                file.write(bytes(1 << 20))
        archive.writestr("x_test.npy", header((1, 1024, 1024)) + bytes(1 << 20))
    assert path.stat().st_size < 8 << 20
    with pytest.raises(DataError, match="decompression bomb"):
        read_npz(path)


@pytest.mark.parametrize("shape", ["(-1, 8, 8)", "(2.5, 8, 8)", "'many'", "__import__('os')", "(1,) * 99"])
def test_a_shape_that_is_none(tmp_path, shape):
    path = write_archive(tmp_path / "images.npz", header(shape) + bytes(100))
    with pytest.raises(DataError, match=r"images\.npz"):
        read_npz(path)


class Payload:
    """Leaves a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_an_archive_is_not_run(tmp_path):
    payload = np.array([Payload(tmp_path / "ran")], dtype=object)
    np.savez(tmp_path / "images.npz", x_train=payload, x_test=payload)
    with pytest.raises(DataError, match="dtype object"):
        read_npz(tmp_path / "images.npz")
    assert not (tmp_path / "ran").exists()


def test_a_picture_that_declares_60000_by_60000_pixels(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = struct.pack(">2I", 60000, 60000)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.png"):
        read_folder(tmp_path)


def test_idx_files_that_declare_two_billion_images(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train", "t10k"):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 0x803, 2**31, 28, 28) + bytes(784))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, 2**31) + bytes(1))
    with pytest.raises(DataError, match="800 bytes instead of 1683627180048"):
        read_torchvision_set("mnist", tmp_path)
