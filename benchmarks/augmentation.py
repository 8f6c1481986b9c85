"""What augmentation adds to a training step: both kinds in turns, by the processor's time, in one process.

    python -m benchmarks.augmentation --threads 1

The model is VanillaAE with `Conv`, batch 128. A step scales a batch of bytes, augments it, and trains on it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from statistics import median
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from ae_lightning.data.augmenting import Augmenter
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.machine.precision import choose_precision
from ae_lightning.networks import Conv
from ae_lightning.spec import DataSpec
from ae_lightning.training.optimizers import use_fused
from ae_lightning.variants.vanilla import VanillaAE
from benchmarks.conditions import begin, load
from benchmarks.findings import write_findings
from benchmarks.options import in_process_parser, positive
from benchmarks.tables import markdown_table, write_conditions

SHAPES = ((1, 28, 28), (3, 32, 32))
BATCH_SIZE = 128
HEADINGS = ("augmentation", "shape", "step, ms", "augmented, ms", "more", "smallest", "largest")


def settings(side: int) -> dict[str, Sequence[Any]]:
    """Return what is measured, by its name in the table.

    Args:
        side: Of the images, in pixels.
    """
    shifts = {"degrees": 10, "translate": [0.1, 0.1]}
    given = {
        "RandomAffine, nearest": ("RandomAffine", shifts),
        "RandomAffine, bilinear": ("RandomAffine", {**shifts, "interpolation": "bilinear"}),
        "RandomHorizontalFlip": ("RandomHorizontalFlip", {}),
        "RandomCrop, padding 4": ("RandomCrop", {"size": side, "padding": 4}),
        "RandomResizedCrop": ("RandomResizedCrop", {"size": side}),
        "ColorJitter, brightness and contrast": ("ColorJitter", {"brightness": 0.4, "contrast": 0.4}),
        "ColorJitter, all": ("ColorJitter", {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}),
        "RandomErasing": ("RandomErasing", {}),
        "GaussianNoise": ("GaussianNoise", {}),
        "GaussianBlur, kernel 5": ("GaussianBlur", {"kernel_size": 5}),
        "torchvision's RandomAffine, bilinear": (
            "torchvision.transforms.v2.RandomAffine",
            {**shifts, "interpolation": "bilinear"},
        ),
    }
    return {name: [{"class_path": path, "init_args": arguments}] for name, (path, arguments) in given.items()}


class Steps:
    """Training steps of one model.

    Args:
        shape: Of an image.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        torch.manual_seed(0)
        self.bytes = torch.randint(0, 256, (BATCH_SIZE, *shape), dtype=torch.uint8)
        self.bytes = self.bytes.contiguous(memory_format=torch.channels_last)
        self.model = VanillaAE(spec=DataSpec(shape), network=Conv())
        self.optimizer = use_fused(torch.optim.Adam(self.model.parameters()))
        self.is_mixed = choose_precision("cpu") == "bf16-mixed"
        self.number = 0

    def step(self, augmenter: Augmenter) -> None:
        """Take one."""
        self.number += 1
        batch = Batch(self.bytes.float().div_(255), None, torch.arange(BATCH_SIZE), 0, BATCH_SIZE)
        if augmenter:
            batch = augmenter.augmented(batch, (0, self.number), 1, (0.0, 1.0))
        with torch.autocast("cpu", torch.bfloat16) if self.is_mixed else nullcontext():
            loss = self._loss(batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _loss(self, batch: Batch) -> Tensor:
        where = {"offset": 0, "num_images": BATCH_SIZE, "global_size": BATCH_SIZE}
        draws = Draws(0, "train", (self.number,), device=batch.x.device, **where)
        return self.model.training_loss(batch, draws)[0]


def measure(shape: tuple[int, int, int], given: Sequence[Any], rounds: int, steps: int) -> list[tuple[float, float]]:
    """Return the processor's seconds a step of each round, without augmentation and with it.

    Args:
        shape: Of an image.
        given: As `data.augment` has it.
        rounds: How many, after one of warm-up.
        steps: Of each kind in a round, one of each in turn.
    """
    training, kinds = Steps(shape), (Augmenter(None, 0), Augmenter(given, 0))
    kinds[1].import_all()
    found = []
    for _ in range(rounds + 1):
        seconds = [0.0, 0.0]
        for _ in range(steps):
            for place, augmenter in enumerate(kinds):
                began = time.process_time()
                training.step(augmenter)
                seconds[place] += time.process_time() - began
        found.append((seconds[0] / steps, seconds[1] / steps))
    return found[1:]


def write_table(found: Mapping[tuple[str, tuple[int, int, int]], Sequence[tuple[float, float]]]) -> str:
    """Return what was measured as a table: medians over the rounds, and the ratio within a round."""
    rows = []
    for (name, shape), rounds in found.items():
        ratios = [augmented / plain - 1 for plain, augmented in rounds]
        times = [f"{1000 * median(column):.1f}" for column in zip(*rounds, strict=True)]
        shares = [f"{share:.1%}" for share in (median(ratios), min(ratios), max(ratios))]
        rows.append((name, " × ".join(map(str, shape)), *times, *shares))
    return markdown_table(HEADINGS, rows)


def main(arguments: list[str] | None = None) -> int:
    """Measure.

    Args:
        arguments: Without the program's name; by default those of the process.

    Returns:
        The exit code, 0.
    """
    parser = in_process_parser(__doc__)
    parser.add_argument("--rounds", type=positive, default=5, help="of all that is measured (default: 5)")
    parser.add_argument("--steps", type=positive, default=20, help="of each kind in a round (default: 20)")
    options = parser.parse_args(arguments)
    conditions = begin(options.threads)
    found = {}
    for shape in SHAPES:
        for name, given in settings(shape[-1]).items():
            Console(stderr=True, highlight=False).print(f"{name}, {' × '.join(map(str, shape))}")
            found[name, shape] = measure(shape, given, options.rounds, options.steps)
    conditions["load_after"] = load()
    named = [{"augmentation": name, "shape": shape, "rounds": rounds} for (name, shape), rounds in found.items()]
    text = f"{write_table(found)}\n\n{write_conditions(conditions)}\n"
    write_findings(options, {"conditions": conditions, "found": named}, text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
