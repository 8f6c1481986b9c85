"""The same loop with all that makes it fast: what the machine can do, so far as PyTorch's operations go.

Images stay uint8 in memory and a batch is one index operation; memory order `channels_last`; autocast to bfloat16 where
the processor computes in it; fused Adam. The variant `own_layers` uses the package's layers, `torch_layers` PyTorch's.
"""

from __future__ import annotations

import numpy as np
import torch

from ae_lightning.machine.precision import choose_precision
from benchmarks.arguments import Task, read_task
from benchmarks.models import build_model

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
    for _ in range(task.num_epochs):
        clock.begin_epoch()
        for indices in torch.split(torch.randperm(len(images_BCHW)), task.batch_size):
            x_BCHW = images_BCHW[indices].to(torch.float32, memory_format=torch.channels_last).div_(255)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=is_bf16):
                loss = model(x_BCHW)
            loss.backward()
            optimizer.step()
            clock.step(len(indices))
        clock.end_epoch(sum(parameter.numel() for parameter in model.parameters()))


if __name__ == "__main__":
    train(read_task(VARIANTS))
