"""The loop that a tutorial shows: float32, a `DataLoader`, Adam, PyTorch's layers and nothing else."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.arguments import Task, read_task
from benchmarks.models import build_model


def train(task: Task) -> None:
    """Train as the task says."""
    clock = task.clock
    images_BCHW = torch.from_numpy(np.load(task.images)).float() / 255
    loader = DataLoader(TensorDataset(images_BCHW), batch_size=task.batch_size, shuffle=True)
    channels, height, width = images_BCHW.shape[1:]
    model = build_model(task.model, (channels, height, width), own_layers=False)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(task.num_epochs):
        clock.begin_epoch()
        for (x_BCHW,) in loader:
            optimizer.zero_grad()
            model(x_BCHW).backward()
            optimizer.step()
            clock.step(len(x_BCHW))
        clock.end_epoch(sum(parameter.numel() for parameter in model.parameters()))


if __name__ == "__main__":
    train(read_task(("fp32",)))
