"""Measure `fit` on one GPU beside a bare loop of the same model with the same tricks, in one process.

The most important first: each part prints its row as it ends, and is in `--output` from then on; a part that the time
does not suffice for is named as skipped. Nothing is fetched, and neither MLflow nor Optuna is needed: packages that a
machine without a network lacks are listed and fetched by `python -m benchmarks.wheels`. `--device cpu` tries everything
that a processor can, on few images.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch._inductor import config as inductor

from benchmarks.gpu_parts import PARTS, GpuBench, Part, SkippedError
from benchmarks.options import positive

IMAGES_OF_DEVICE = {"cuda": 262_144, "cpu": 2_048}


@dataclass(frozen=True)
class Outcome:
    """What became of a part.

    Attributes:
        part: Its name.
        seconds: How long it took.
        figures: What it measured.
        skipped: Why it did not run; None where it did.
        failed: What it raised; None where it did not.
    """

    part: str
    seconds: float = 0.0
    figures: dict[str, Any] | None = None
    skipped: str | None = None
    failed: str | None = None

    def __str__(self) -> str:
        """Say it in a line."""
        if self.figures is not None:
            told = ", ".join(f"{name} {_shown(value)}" for name, value in self.figures.items())
        else:
            told = f"skipped: {self.skipped}" if self.skipped else f"failed: {self.failed}"
        return f"{self.part}: {told} ({self.seconds:.0f} s)"


def main(arguments: list[str] | None = None) -> int:
    """Measure what the command line asks for.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        The exit code: 1 if a part failed.
    """
    options = parse(arguments)
    # What TORCHINDUCTOR_CUDAGRAPHS=1 sets before a start: it holds for `fit --compile true` as for the loop.
    inductor.triton.cudagraphs = options.device == "cuda"
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as name:
        before = Path.cwd()
        bench = GpuBench(Path(name), options.device, options.images, root=before)
        os.chdir(name)
        try:
            for outcome in run(options.parts, bench, options.minutes * 60):
                outcomes.append(outcome)
                sys.stdout.write(f"{outcome}\n")
                sys.stdout.flush()
                if options.output is not None:
                    found = {"conditions": conditions(bench), "parts": [asdict(each) for each in outcomes]}
                    options.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        finally:
            os.chdir(before)
    return 1 if any(outcome.failed for outcome in outcomes) else 0


def run(parts: dict[str, Part], bench: GpuBench, seconds: float) -> Iterator[Outcome]:
    """Run parts one after the other, as long as there is time.

    Args:
        parts: By name.
        bench: What they run on.
        seconds: None is begun after so many.

    Yields:
        What became of each, as it ends.
    """
    began_at = time.monotonic()
    for name, part in parts.items():
        if time.monotonic() - began_at > seconds:
            yield Outcome(name, skipped="the time is up")
            continue
        yield _run_one(name, part, bench)


def _run_one(name: str, part: Part, bench: GpuBench) -> Outcome:
    start = time.monotonic()
    try:
        figures = part(bench)
    except SkippedError as reason:
        return Outcome(name, time.monotonic() - start, skipped=str(reason))
    except Exception as error:  # the parts after it are worth their time all the same
        return Outcome(name, time.monotonic() - start, failed=f"{type(error).__name__}: {error}".splitlines()[0])
    return Outcome(name, time.monotonic() - start, figures)


def conditions(bench: GpuBench) -> dict[str, Any]:
    """Return what the figures depend on beside the code."""
    is_cuda = bench.device == "cuda"
    return {
        "device": torch.cuda.get_device_name() if is_cuda else "cpu",
        "images": bench.num_images,
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
    }


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    here = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=IMAGES_OF_DEVICE, default=here, help="where (here: %(default)s)")
    parser.add_argument("--minutes", type=positive, default=7, help="no part is begun after so many (default: 7)")
    parser.add_argument("--images", type=positive, help="to train on in an epoch (default: 262144, on a CPU 2048)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--output", type=Path, help="file for everything that was measured, as JSON")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and here != "cuda":
        parser.error("--device cuda: torch sees no GPU here")
    options.images = options.images or IMAGES_OF_DEVICE[options.device]
    options.parts = {name: PARTS[name] for name in PARTS if options.parts is None or name in options.parts}
    options.output = None if options.output is None else options.output.absolute()
    return options


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
