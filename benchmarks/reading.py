"""How long a folder of photographs takes to be read: this reader, that of other checkouts, and torchvision's, in turns.

    python -m benchmarks.reading --source before=../before/src --rounds 5

The photographs are scikit-learn's two, varied, as JPEG of 640 × 480; each reader makes bytes of shape (N, 3, 64, 64) of
them, in a process of its own. Imports are not counted. torchvision's `ImageFolder` is read by a `DataLoader` of two
workers, which resize as its documentation shows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image
from rich.console import Console
from sklearn.datasets import load_sample_images

from benchmarks.conditions import load
from benchmarks.options import positive
from benchmarks.tables import markdown_table

ROOT = Path(__file__).parent.parent
CHILD = "READING_CHILD"
"""Environment variable that says which reader a process is."""

SIDE = 64
BATCH_SIZE = 100
NUM_WORKERS = 2


def write_photographs(folder: Path, number: int) -> None:
    """Write JPEG files of 640 × 480 pixels, half of each of two subfolders, no two alike."""
    photographs = [Image.fromarray(image).resize((640, 480)) for image in load_sample_images().images]
    random = np.random.default_rng(0)
    for place in range(number):
        tint = random.integers(-12, 13, 3) + random.integers(-6, 7, (480, 640, 1))
        pixels = (np.asarray(photographs[place % 2], np.int16) + tint).clip(0, 255).astype(np.uint8)
        path = folder / str(place % 2) / f"{place:05}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path, quality=90)


def read_ours(folder: Path) -> Callable[[], int]:
    """Return what reads the folder as `data.name: folder` does, and counts the images."""
    from ae_lightning.data.datamodule import DataModule

    def read() -> int:
        data = DataModule(name="folder", path=str(folder), image_size=SIDE, num_val=0)
        return data.num_samples("train") + data.num_samples("test")

    return read


def read_torchvisions(folder: Path) -> Callable[[], int]:
    """Return what reads the folder as torchvision's documentation shows, and counts the images."""
    import torch
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder  # type: ignore[import-untyped]
    from torchvision.transforms import Compose, PILToTensor, Resize  # type: ignore[import-untyped]

    transform = Compose([Resize((SIDE, SIDE)), PILToTensor()])

    def read() -> int:
        loader = DataLoader(ImageFolder(str(folder), transform), BATCH_SIZE, num_workers=NUM_WORKERS)
        return len(torch.cat([images for images, _ in loader]))

    return read


READERS = {"ours": read_ours, "torchvision": read_torchvisions}


def run_child(folder: Path) -> int:
    """Read the folder in this process, and print the seconds."""
    read = READERS[os.environ[CHILD]](folder)
    before = time.perf_counter()
    num_images = read()
    sys.stdout.write(json.dumps({"seconds": time.perf_counter() - before, "images": num_images}))
    return 0


def seconds_of(reader: str, source: Path, threads: int, folder: Path, number: int) -> float:
    """Let a process read the folder.

    Raises:
        CalledProcessError: If it fails.
        RuntimeError: If it did not read every image.
    """
    paths = f"{source.resolve()}{os.pathsep}{ROOT}"
    environment = {**os.environ, CHILD: reader, "PYTHONPATH": paths, "OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryDirectory() as place:  # for whatever it keeps
        command = [sys.executable, "-m", "benchmarks.reading", str(folder)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=place)
    found = json.loads(done.stdout)
    if found["images"] != number:
        raise RuntimeError(f"{reader} read {found['images']} of {number} images")
    return float(found["seconds"])


def main(arguments: list[str]) -> int:
    """Let the readers take turns, and print the table."""
    if CHILD in os.environ:
        return run_child(Path(arguments[0]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", action="append", default=[], metavar="NAME=FOLDER", help="another checkout's src")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--images", type=positive, default=2000)
    options = parser.parse_args(arguments)
    contenders = {"torchvision, 2 workers": ("torchvision", ROOT / "src", 1)}
    for name, source in (*(given.split("=", 1) for given in options.source), ("now", str(ROOT / "src"))):
        contenders |= {f"{name}, {threads} thread(s)": ("ours", Path(source), threads) for threads in (1, 2)}
    found: dict[str, list[float]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as place:
        write_photographs(Path(place), options.images)
        for _ in range(options.rounds):
            for name, (reader, source, threads) in contenders.items():
                found[name].append(seconds_of(reader, source, threads, Path(place), options.images))
    rows = [(name, *(f"{kind(own):.2f}" for kind in (median, min, max))) for name, own in found.items()]
    console = Console()
    console.print(markdown_table(("reader", "median, s", "least", "most"), rows), highlight=False, soft_wrap=True)
    console.print(f"{options.images:,} images, {options.rounds} rounds; load {load()}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
