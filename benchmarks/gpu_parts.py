"""The parts of `benchmarks.gpu`, in their order."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from ae_lightning.__main__ import main as ae_lightning
from ae_lightning.data.batch import Batch
from ae_lightning.machine.precision import choose_precision
from benchmarks.arguments import Task
from benchmarks.clock import WARM_UP_EPOCHS
from benchmarks.contenders.tuned import train_epoch
from benchmarks.images import generate_images
from benchmarks.models import FIT_OPTIONS, build_model

EPOCHS = WARM_UP_EPOCHS + 2
SHAPES = {"28 × 28 × 1": (1, 28, 28), "32 × 32 × 3": (3, 32, 32)}
NUM_HELD_OUT = 512
"""Generated images of the validation and the test split, which no training is measured with."""

QUIET = (
    *("--evaluation.measures", "[mse]", "--evaluation.pictures", "[]", "--evaluation.every_n_epochs", "0"),
    *("--evaluation.cache", "null", "--trainer.logger", "false", "--trainer.enable_progress_bar", "false"),
)

Figures: TypeAlias = dict[str, Any]


class SkippedError(Exception):
    """A part cannot be run here: the message says why."""


@dataclass(frozen=True)
class GpuBench:
    """What all parts have in common.

    Attributes:
        folder: Where everything is written.
        device: `cuda` or `cpu`.
        num_images: Of an epoch.
        root: The repository's folder.
    """

    folder: Path
    device: str
    num_images: int
    root: Path

    @cached_property
    def archives(self) -> dict[str, Path]:
        """An archive of generated images of each shape, made at first use."""
        found = {}
        for name, (channels, height, _) in SHAPES.items():
            x_NHW = generate_images(self.num_images + 2 * NUM_HELD_OUT, height)
            x_NCHW = np.repeat(x_NHW[:, None], channels, axis=1)
            train, val, test = np.split(x_NCHW, [self.num_images, self.num_images + NUM_HELD_OUT])
            found[name] = self.folder / f"images-{channels}.npz"
            np.savez(found[name], x_train=train, x_val=val, x_test=test)
        return found

    def images(self, shape: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Return the training images of a shape, (N, C, H, W)."""
        with np.load(self.archives[shape]) as file:
            return np.asarray(file["x_train"])

    def require(self, batch_size: int) -> None:
        """Refuse a batch that there are not images for.

        Raises:
            SkippedError: If there are fewer than two batches.
        """
        if self.num_images < 2 * batch_size:
            raise SkippedError(f"batches of {batch_size:,} need more images than {self.num_images:,}")

    def fit(self, *options: str, shape: str = "28 × 28 × 1") -> None:
        """Train as the command line does.

        Args:
            options: After the command's name and the data.
            shape: Of the images.

        Raises:
            RuntimeError: If it does not end well.
        """
        data = ("--data.name", "npz", "--data.path", str(self.archives[shape]))
        accelerator = ("--trainer.accelerator", "gpu" if self.device == "cuda" else "cpu")
        code = ae_lightning(["fit", *data, *accelerator, "--trainer.devices", "1", *QUIET, *options])
        if code:
            raise RuntimeError(f"fit ended with exit code {code}")


class DeviceClock(Callback):
    """Times the epochs of a `fit`, from the first batch asked for to the last one that the device is done with."""

    seconds: list[float] = []  # noqa: RUF012  # read by whoever called the command line, which makes the callback
    num_images = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin an epoch."""
        if trainer.current_epoch == 0:
            type(self).seconds = []
        type(self).num_images = 0
        _wait(pl_module.device)
        self._began_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Count the images, and end the epoch with its last batch: validation is none of it."""
        type(self).num_images += batch.global_size
        if trainer.is_last_batch:
            _wait(pl_module.device)
            self.seconds.append(time.monotonic() - self._began_at)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _peak_of(bench: GpuBench, figures: Figures, name: str) -> Iterator[None]:
    """Note how much of a GPU's memory tensors took at most, in MiB."""
    if bench.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield
    if bench.device == "cuda":
        figures[name] = torch.cuda.max_memory_allocated() / 2**20


def throughput(bench: GpuBench, shape: str, model: str, batch_size: int, precision: str, is_compiled: bool) -> Figures:
    """Measure `fit` and a bare loop on the same images: images a second of the epochs after the first."""
    bench.require(batch_size)
    figures: Figures = {}
    if precision == "bf16-mixed" and choose_precision(bench.device) != precision:
        precision = figures["instead in"] = "32-true"
    clock = f"{__name__}.DeviceClock"
    with _peak_of(bench, figures, "fit, MiB"):
        bench.fit(
            *FIT_OPTIONS[model],
            *("--data.batch_size", str(batch_size), "--trainer.max_epochs", str(EPOCHS)),
            *("--trainer.precision", precision, "--compile", str(is_compiled).lower(), "--trainer.callbacks+", clock),
            shape=shape,
        )
    fit = DeviceClock.num_images * (EPOCHS - WARM_UP_EPOCHS) / sum(DeviceClock.seconds[WARM_UP_EPOCHS:])
    with _peak_of(bench, figures, "loop, MiB"):
        loop = _loop(bench, shape, model, batch_size, precision, is_compiled)
    return {"fit, images/s": fit, "loop, images/s": loop, "fit ÷ loop": fit / loop, **figures}


def _loop(bench: GpuBench, shape: str, model_name: str, batch_size: int, precision: str, is_compiled: bool) -> float:
    device = torch.device(bench.device)
    images_BCHW = torch.from_numpy(bench.images(shape)).to(device)
    model = build_model(model_name, SHAPES[shape], own_layers=True)
    model.to(device).to(memory_format=torch.channels_last)
    if is_compiled:
        model.encoder.compile()
        model.decoder.compile()
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    autocast = torch.autocast(device.type, _TYPES.get(precision), enabled=precision in _TYPES)
    scaler = torch.amp.GradScaler(device.type) if precision == "16-mixed" else None
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    seconds = []
    for _ in range(EPOCHS):
        _wait(device)
        began_at = time.monotonic()
        train_epoch(model, optimizer, images_BCHW, batch_size, autocast, scaler)
        _wait(device)
        seconds.append(time.monotonic() - began_at)
    return len(images_BCHW) * (EPOCHS - WARM_UP_EPOCHS) / sum(seconds[WARM_UP_EPOCHS:])


_TYPES = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


def pythae(bench: GpuBench, batch_size: int = 128) -> Figures:
    """Measure `fit` beside pythae's `TrainingPipeline` with its defaults, on the same model and images."""
    if find_spec("pythae") is None:
        raise SkippedError("pythae is not installed")
    from benchmarks.contenders.pythae_training import train

    bench.require(batch_size)
    figures = throughput(bench, "28 × 28 × 1", "vanilla", batch_size, "bf16-mixed", is_compiled=False)
    images, report = bench.folder / "images.npy", bench.folder / "pythae.jsonl"
    np.save(images, bench.images("28 × 28 × 1"))
    report.unlink(missing_ok=True)
    train(
        Task(images, "vanilla", batch_size, EPOCHS - WARM_UP_EPOCHS, report, time.monotonic(), "fp32"),
        no_cuda=bench.device == "cpu",
    )
    epochs = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()][WARM_UP_EPOCHS:]
    pipeline = sum(epoch["images"] for epoch in epochs) / sum(epoch["seconds"] for epoch in epochs)
    fit = figures["fit, images/s"]
    return {"fit, images/s": fit, "pythae, images/s": pipeline, "fit ÷ pythae": fit / pipeline}


def device_tests(bench: GpuBench) -> Figures:
    """Run the tests of devices, those of GPUs where there is one."""
    if find_spec("pytest") is None:
        raise SkippedError("pytest is not installed")
    import pytest

    class Counting:
        def __init__(self) -> None:
            self.outcomes: dict[str, int] = {"passed": 0, "failed": 0, "skipped": 0}

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.when == "call" or report.outcome != "passed":
                self.outcomes[report.outcome] += 1

    counting = Counting()
    tests = bench.root / "tests" / "devices"
    arguments = ["-q", "-m", "not slow", "-p", "no:cacheprovider", "--rootdir", str(bench.root), str(tests)]
    before = Path.cwd()
    os.chdir(bench.root)
    try:
        code = pytest.main(arguments, plugins=[counting])
    finally:
        os.chdir(before)
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"pytest ended with exit code {int(code)}")
    return dict(counting.outcomes)


def resume(bench: GpuBench) -> Figures:
    """Train two epochs, and one and another one after it; return by how much the weights differ at most."""
    options = (*FIT_OPTIONS["vae"], "--data.batch_size", "256", "--trainer.deterministic", "true")
    bench.fit(*options, "--trainer.max_epochs", "2")
    straight = _newest_weights()
    bench.fit(*options, "--trainer.max_epochs", "1")
    run_folder = _newest_run()
    code = ae_lightning(["fit", "--resume", str(run_folder), "--trainer.max_epochs", "2"])
    if code:
        raise RuntimeError(f"--resume ended with exit code {code}")
    resumed = _newest_weights()
    differences = [(straight[name].double() - resumed[name].double()).abs().max().item() for name in straight]
    return {"largest difference": max(differences)}


def _newest_run() -> Path:
    return max(Path("runs").iterdir(), key=lambda folder: folder.stat().st_mtime)


def _newest_weights() -> dict[str, torch.Tensor]:
    last = torch.load(_newest_run() / "last.ckpt", map_location="cpu", weights_only=True)
    return {name: tensor for name, tensor in last["state_dict"].items() if tensor.numel()}


def one_rank(bench: GpuBench, strategy: str) -> Figures:
    """Train an epoch under a strategy for several ranks, with one."""
    if strategy == "fsdp" and bench.device == "cpu":
        raise SkippedError("Lightning has FSDP on GPUs alone")
    start = time.monotonic()
    bench.fit(*FIT_OPTIONS["vanilla"], "--trainer.strategy", strategy, "--trainer.max_epochs", "1")
    return {"seconds": time.monotonic() - start}


Part: TypeAlias = Callable[[GpuBench], Figures]


def _measured(shape: str, model: str, batch_size: int, precision: str, is_compiled: bool) -> tuple[str, Part]:
    name = f"{model}, {shape}, batch {batch_size}, {precision}{', compiled' if is_compiled else ''}"
    return name, partial(
        throughput, shape=shape, model=model, batch_size=batch_size, precision=precision, is_compiled=is_compiled
    )


SMALL, COLOUR = SHAPES

PARTS: dict[str, Part] = {
    "tests of devices": device_tests,
    **dict(_measured(SMALL, "vanilla", 1_024, "bf16-mixed", is_compiled) for is_compiled in (True, False)),
    "pythae, batch 128": pythae,
    **dict(
        _measured(SMALL, "vanilla", size, "bf16-mixed", is_compiled)
        for size in (128, 8_192)
        for is_compiled in (True, False)
    ),
    **dict(_measured(SMALL, model, 1_024, "bf16-mixed", True) for model in ("vae", "resnet", "backbone")),
    **dict(_measured(COLOUR, model, 1_024, "bf16-mixed", True) for model in ("vanilla", "vae", "resnet", "backbone")),
    **dict(_measured(SMALL, "vanilla", 1_024, precision, False) for precision in ("16-mixed", "32-true")),
    "resume": resume,
    "one rank of ddp": partial(one_rank, strategy="ddp"),
    "one rank of fsdp": partial(one_rank, strategy="fsdp"),
}
"""By name, the most important first."""
