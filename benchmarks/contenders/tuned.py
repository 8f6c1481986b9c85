"""The same loop with all that makes it fast: what the machine can do, so far as PyTorch's operations go.

Images stay uint8 in memory and a batch is one index operation; memory order `channels_last`; autocast to bfloat16 where
the processor computes in it; fused Adam. The variant `own_layers` uses the package's layers, `torch_layers` PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ae_lightning.machine.precision import choose_precision
from benchmarks.arguments import Task, read_task
from benchmarks.models import LoopModel, build_model

VARIANTS = ("torch_layers", "own_layers")


def train(task: Task) -> None:
    """Train as the task says."""
    clock = task.clock
    images_BCHW = torch.from_numpy(np.load(task.images))
    channels, height, width = images_BCHW.shape[1:]
    model = build_model(task.model, (channels, height, width), own_layers=task.variant == "own_layers")
    model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    is_bf16 = choose_precision("cpu") == "bf16-mixed"
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=is_bf16)
    for _ in range(task.num_epochs):
        clock.begin_epoch()
        train_epoch(model, optimizer, images_BCHW, task.batch_size, autocast, count=clock.step)
        clock.end_epoch(sum(parameter.numel() for parameter in model.parameters()))


def train_epoch(
    model: LoopModel,
    optimizer: torch.optim.Optimizer,
    images_BCHW: Tensor,
    batch_size: int,
    autocast: torch.autocast,
    scaler: torch.amp.GradScaler | None = None,
    count: Callable[[int], None] = lambda num_images: None,
) -> None:
    """Train an epoch in random order.

    Args:
        model: Gives the loss of images in [0, 1].
        optimizer: Steps it.
        images_BCHW: uint8, on the model's device.
        batch_size: Images a step; the last has what is left.
        autocast: In which the loss is computed.
        scaler: Scales it; None where it need not be.
        count: Is told of each step's images.
    """
    for indices in torch.split(torch.randperm(len(images_BCHW), device=images_BCHW.device), batch_size):
        x_BCHW = images_BCHW[indices].to(torch.float32, memory_format=torch.channels_last).div_(255)
        optimizer.zero_grad()
        with autocast:
            loss = model(x_BCHW)
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        count(len(indices))


if __name__ == "__main__":
    train(read_task(VARIANTS))
