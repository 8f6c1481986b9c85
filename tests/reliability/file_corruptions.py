"""Read damaged files in a process of its own, whose peak of memory is theirs; started as a program by the tests."""

from __future__ import annotations

import json
import re
import shutil
import signal
import struct
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from ae_lightning.checkpoints.files import write_checkpoint
from ae_lightning.checkpoints.loading import describe, load_autoencoder, load_state
from ae_lightning.command_line.checkpoint_config import overlay
from ae_lightning.data.arrays.npz import read_npz
from ae_lightning.data.image_folder.folder import read_folder
from ae_lightning.data.torchvision_sets import read_torchvision_set
from ae_lightning.errors import UserError
from ae_lightning.networks import Linear
from ae_lightning.spec import DataSpec
from ae_lightning.variants.vae import VAE

MAX_SECONDS = 20
RANDOM = np.random.default_rng(0)
SPECIAL = (
    b"\0" * 4,
    b"\xff" * 4,
    b"\xff" * 8,
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\xff\x7f",
    b"PK\x01\x02",
    b"(",
)


@st.composite
def corrupted(draw, whole, others):
    """Bytes with one to three things wrong with them."""
    content = whole
    for _ in range(draw(st.sampled_from((1, 1, 2, 3)))):
        content = draw(st.sampled_from(KINDS))(draw, content, others)
    return content


def _position(draw, content):
    """Anywhere, more often in the first or last bytes, where files say what they hold."""
    last = max(0, len(content) - 1)
    return draw(st.one_of(st.integers(0, last), st.integers(0, min(60, last)), st.integers(max(0, last - 400), last)))


def _flip(draw, content, others):
    changed = bytearray(content or b"\0")
    for _ in range(draw(st.integers(1, 8))):
        changed[_position(draw, changed)] ^= 1 << draw(st.integers(0, 7))
    return bytes(changed)


def _cut(draw, content, others):
    return content[: _position(draw, content)]


def _overwrite(draw, content, others):
    start, special = _position(draw, content), draw(st.sampled_from(SPECIAL))
    return content[:start] + special + content[start + len(special) :]


def _drop(draw, content, others):
    start = _position(draw, content)
    return content[:start] + content[start + draw(st.integers(1, 200)) :]


def _repeat(draw, content, others):
    start = _position(draw, content)
    return content[:start] + content[max(0, start - draw(st.integers(1, 200))) :]


def _swap(draw, content, others):
    return draw(st.sampled_from(others))


def _empty(draw, content, others):
    return b""


def _append(draw, content, others):
    return content + draw(st.binary(min_size=1, max_size=100))


KINDS = (_flip, _flip, _cut, _overwrite, _overwrite, _drop, _repeat, _swap, _empty, _append)


def idx(array):
    """The bytes of an idx file."""
    return struct.pack(f">{1 + array.ndim}I", 0x800 | array.ndim, *array.shape) + array.tobytes()


def make_idx(folder):
    """A tiny data set in MNIST's format."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, number in (("train", 20), ("t10k", 10)):
        images = RANDOM.integers(0, 256, (number, 28, 28), dtype=np.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(number, dtype=np.uint8) % 10))
    return sorted(raw.iterdir())


def make_images(folder):
    """Images of every format and several kinds of pixel."""
    pixels = RANDOM.integers(0, 256, (9, 7, 4), dtype=np.uint8)
    image = Image.fromarray(pixels)
    for suffix in ("png", "webp", "tiff", "tga"):
        image.save(folder / f"rgba.{suffix}")
    for suffix in ("jpg", "gif", "bmp", "ppm", "png"):
        image.convert("RGB").save(folder / f"rgb.{suffix}")
    for mode in ("L", "P", "1", "LA", "I;16"):
        image.convert("L").convert(mode).save(folder / f"{mode.replace(';', '')}.png")
    return sorted(folder.iterdir())


def make_npz(folder):
    """Archives with and without compression and labels."""
    arrays = {
        "x_train": RANDOM.integers(0, 256, (20, 8, 8), dtype=np.uint8),
        "x_test": RANDOM.integers(0, 256, (5, 8, 8), dtype=np.uint8),
        "y_train": np.arange(20) % 3,
        "y_test": np.arange(5) % 3,
    }
    np.savez(folder / "stored.npz", **arrays)
    np.savez_compressed(folder / "compressed.npz", **arrays)
    np.savez(folder / "floats.npz", x_train=arrays["x_train"] / 255, x_test=arrays["x_test"] / 255)
    np.savez(folder / "objects.npz", x_train=np.array([[{}]]), x_test=np.array([[{}]]))
    return sorted(folder.iterdir())


def checkpoint():
    """What a Trainer writes of a tiny VAE, as far as it is read here."""
    model = VAE(network=Linear(), latent_dim=2, spec=DataSpec((1, 8, 8)))
    return {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "datamodule_hyper_parameters": {"name": "digits", "batch_size": 32},
        "ae_lightning": {"run_id": "0" * 32, "config": {"model": "VAE"}},
        "epoch": 3,
    }


def make_checkpoints(folder):
    """A checkpoint with its seal, and one without."""
    write_checkpoint(checkpoint(), folder / "sealed.ckpt")
    torch.save(checkpoint(), folder / "foreign.ckpt")
    return sorted(folder.iterdir())


def read_checkpoint_fully(path):
    """All that `test --ckpt_path` and a user of the class make of a checkpoint."""
    yaml.safe_dump(overlay(describe(path, load_state(path)), "fit"))
    yaml.safe_dump(overlay(describe(path, load_state(path)), "test"))
    load_autoencoder(path)


READERS = {
    "idx": (make_idx, lambda folder, path: read_torchvision_set("mnist", folder)),
    "image": (make_images, lambda folder, path: read_folder(folder)),
    "npz": (make_npz, lambda folder, path: read_npz(path)),
    "checkpoint": (make_checkpoints, lambda folder, path: read_checkpoint_fully(path)),
}


class Reading:
    """Counts how readings end, and stops at the first that ends in another way than it may."""

    def __init__(self):
        self.outcomes = Counter()
        self.slowest = 0.0
        self.messages = []

    def __call__(self, read, *arguments):
        """Read once."""
        start = time.monotonic()
        signal.alarm(MAX_SECONDS)
        try:
            read(*arguments)
            self.outcomes["read"] += 1
        except UserError as error:
            self.outcomes["refused"] += 1
            self.messages.append(str(error))
        finally:
            signal.alarm(0)
        self.slowest = max(self.slowest, time.monotonic() - start)


def corrupt_files(kind, number, folder, reading):
    """Corrupt one file of a kind at a time, and read them all."""
    make, read = READERS[kind]
    folder.mkdir()
    paths = make(folder)
    contents = {path: path.read_bytes() for path in paths}

    @quietly(number)
    @given(st.data())
    def corrupt(data):
        path = data.draw(st.sampled_from(paths))
        path.write_bytes(data.draw(corrupted(contents[path], list(contents.values()))))
        reading(read, folder, path)
        path.write_bytes(contents[path])

    corrupt()
    shutil.rmtree(folder)


def quietly(number):
    """Hypothesis' settings for so many examples, the same ones at every call."""
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


VALUES = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=5), st.just(torch.zeros(2))),
        st.sampled_from(("VAE", "os.system", "ae_lightning.errors.DataError", "torch.nn.Linear", ".", "a.b")),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
    max_leaves=4,
)


def spoil_contents(number, folder, reading):
    """Write sound checkpoint files, with their seals, whose contents are not what they should be."""
    folder.mkdir()

    @quietly(number)
    @given(st.data())
    def spoil(data):
        state = checkpoint()
        parent = data.draw(st.sampled_from([state, *(state[key] for key in state if isinstance(state[key], dict))]))
        key = data.draw(st.sampled_from(list(parent)))
        if data.draw(st.booleans()):
            parent[key] = data.draw(VALUES)
        else:
            del parent[key]
        write_checkpoint(state, folder / "spoilt.ckpt")
        reading(read_checkpoint_fully, folder / "spoilt.ckpt")

    spoil()


def main(kinds, number, folder):
    """Read so many damaged files of each kind, and print what became of them, a line a kind."""

    def alarm(*_):
        raise RuntimeError(f"a reading took more than {MAX_SECONDS} seconds")

    signal.signal(signal.SIGALRM, alarm)
    for kind in kinds:
        sys.stdout.write(json.dumps(read_kind(kind, number, folder / kind)) + "\n")


def read_kind(kind, number, folder):
    """Read so many damaged files of a kind, and return what became of them."""
    reading = Reading()
    if kind == "contents":
        spoil_contents(number, folder, reading)
    else:
        corrupt_files(kind, number, folder, reading)
    # Not ru_maxrss: that begins with what the process that started this one held.
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
    return {"peak": peak, "slowest": reading.slowest, "messages": reading.messages, **reading.outcomes}


if __name__ == "__main__":
    main(sys.argv[1].split(","), int(sys.argv[2]), Path(sys.argv[3]))
