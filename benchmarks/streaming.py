"""Measure what training from disk costs: peak memory by the number of images, and speed beside the same in memory."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ae_lightning.data.splits import SplitName
from ae_lightning.data.store.description import StreamDescription
from ae_lightning.data.store.writing import SplitWriter, sizes_for
from ae_lightning.tracking import connect
from benchmarks.conditions import load, read_conditions
from benchmarks.findings import write_findings
from benchmarks.images import Images, generate_images
from benchmarks.options import driver_parser, exit_code_of, positive
from benchmarks.results import Run
from benchmarks.roster import CONTENDERS
from benchmarks.running import Bench
from benchmarks.tables import markdown_table, write_conditions

SIDE = 28
NUM_DRAWN, NUM_JUDGED, PORTION = 10_000, 1000, 10_000
HEADINGS = ("images", "where they are", "images/s", "in memory ÷ it", "peak, MiB")


def main(arguments: list[str] | None = None) -> int:
    """Measure.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        The exit code, 0.
    """
    options = parse(arguments)
    conditions = read_conditions(options.threads)
    sizes = sorted(set(options.num_images))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        connect(f"sqlite:///{folder / 'mlflow.db'}")
        bench = Bench(folder, options.threads, options.epochs, {"own": sys.executable})
        places = {("memory", sizes[0]): write_archive(folder / "images.npz", sizes[0])}
        places |= {("disk", size): write_stream(folder / f"stream-{size}", size) for size in sizes}
        runs: dict[tuple[str, int], list[Run]] = {place: [] for place in places}
        for number in range(1, options.rounds + 1):
            for place, images in places.items():
                Console(stderr=True, highlight=False).print(f"round {number}: {place[1]:,} images, {place[0]}")
                limit = ("--trainer.limit_train_batches", str(options.steps))
                runs[place].append(bench.run(CONTENDERS["fit"], options.model, options.batch_size, images, *limit))
    conditions["load_after"] = load()
    found = [{"place": place, "runs": [run.as_dict() for run in of]} for place, of in runs.items()]
    text = f"{write_table(runs)}\n\n{write_conditions(conditions)}\n"
    write_findings(options, {"conditions": conditions, "found": found}, text)
    return 0


def portions(num_images: int) -> Iterator[NDArray[np.uint8]]:
    """Yield generated images, shape (n, 1, 28, 28), without ever holding all of them."""
    drawn = generate_images(NUM_DRAWN, SIDE)[:, None]
    random = np.random.default_rng(1)
    for start in range(0, num_images, PORTION):
        yield drawn[random.integers(NUM_DRAWN, size=min(PORTION, num_images - start))]


def write_archive(path: Path, num_images: int) -> Images:
    """Write images as an archive, which is read into memory; what is held out for validation comes on top."""
    x_N1HW = np.concatenate([*portions(num_images + NUM_JUDGED)])
    np.savez(path, x_train=x_N1HW, x_test=x_N1HW[:NUM_JUDGED])
    options = ("--data.name", "npz", "--data.path", str(path), "--data.num_val", str(NUM_JUDGED))
    return Images(path, options)


def write_stream(folder: Path, num_images: int) -> Images:
    """Write images as `convert` does."""
    counts: dict[SplitName, int] = {"train": num_images, "val": NUM_JUDGED, "test": NUM_JUDGED}
    sizes, splits = sizes_for(SIDE * SIDE), {}
    folder.mkdir()
    for name, count in counts.items():
        writer = SplitWriter(folder / name, sizes.block, len(f"{name}[{count}]"))
        for x_N1HW in portions(count):
            start = writer.num_samples
            writer.add(x_N1HW, [f"{name}[{place}]" for place in range(start, start + len(x_N1HW))])
        splits[name] = writer.close()
    StreamDescription(window_size=sizes.window, splits=splits).write(folder)
    return Images(folder, ("--data.name", "stream", "--data.path", str(folder)))


def write_table(runs: Mapping[tuple[str, int], Sequence[Run]]) -> str:
    """Return medians over the rounds as a table; the ratio is that of the processor's images a second in each round."""
    (in_memory,) = (of for (place, _), of in runs.items() if place == "memory")
    rows = []
    for (place, size), of in runs.items():
        speeds = [run.images_per_second for run in of]
        ratios = [
            beside.images_per_processor_second / run.images_per_processor_second
            for beside, run in zip(in_memory, of, strict=True)
        ]
        peak = median(run.epochs[-1].peak_bytes for run in of) / 2**20
        rows.append((f"{size:,}", place, f"{median(speeds):,.0f}", f"{median(ratios):.2f}", f"{peak:,.0f}"))
    return markdown_table(HEADINGS, rows)


def parse(arguments: list[str] | None) -> Any:
    """Read the command line."""
    parser: argparse.ArgumentParser = driver_parser(__doc__)
    parser.set_defaults(rounds=3, epochs=2)
    parser.add_argument("--num-images", type=positive, nargs="+", default=(100_000, 2_000_000), help="to train on")
    parser.add_argument("--steps", type=positive, default=1000, help="of an epoch, at most (default: 1000)")
    parser.add_argument("--batch-size", type=positive, default=512, help="images a step (default: 512)")
    parser.add_argument("--model", choices=("vanilla", "mlp"), default="mlp", help="default: mlp")
    parser.add_argument("--folder", type=Path, help="where the images are written, and removed afterwards")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
