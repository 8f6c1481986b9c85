"""pythae, as it ships: its `TrainingPipeline` on an array in memory, with its default settings."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from torch import Tensor, nn

from benchmarks.arguments import LATENT_DIM, Task, read_task
from benchmarks.clock import EpochClock
from benchmarks.torch_layers import torch_layers


class PipelineClock:
    """Answers pythae's training events; those that it does not name are none of its concern.

    Args:
        clock: What measures.
        task: What is trained.
        num_images: Of an epoch.
    """

    def __init__(self, clock: EpochClock, task: Task, num_images: int) -> None:
        self._clock = clock
        self._task = task
        self._num_images = num_images
        self._step = 0

    def on_epoch_begin(self, training_config: Any, **event: Any) -> None:
        """Begin an epoch."""
        self._step = 0
        self._clock.begin_epoch()

    def on_train_step_end(self, training_config: Any, **event: Any) -> None:
        """Count a step."""
        self._clock.step(self._task.batch_at(self._step, self._num_images))
        self._step += 1

    def on_epoch_end(self, training_config: Any, model: nn.Module, **event: Any) -> None:
        """Write the epoch's line."""
        self._clock.end_epoch(sum(parameter.numel() for parameter in model.parameters()))


def train(task: Task, *, no_cuda: bool = True) -> None:
    """Train the base model as the task says, on a GPU only where that is wanted."""
    clock = task.clock
    images_BCHW = np.load(task.images).astype(np.float32) / 255
    num_images, channels, height, width = images_BCHW.shape
    model = build_model((channels, height, width))
    trainers = import_module("pythae.trainers")
    config = trainers.BaseTrainerConfig(
        output_dir=str(task.report.parent / "pythae"),
        num_epochs=task.num_epochs,
        per_device_train_batch_size=task.batch_size,
        keep_best_on_train=True,
        no_cuda=no_cuda,
    )
    callback = type("Clock", (PipelineClock, trainers.training_callbacks.TrainingCallback), {})
    pipeline = import_module("pythae.pipelines").TrainingPipeline(model=model, training_config=config)
    pipeline(images_BCHW, callbacks=[callback(clock, task, num_images)])


def build_model(input_shape: tuple[int, int, int]) -> Any:
    """Build pythae's `AE` around the base model's encoder and decoder.

    Args:
        input_shape: Channels, height and width.
    """
    models = import_module("pythae.models")
    architectures = import_module("pythae.models.nn")
    outputs = import_module("pythae.models.base.base_utils").ModelOutput
    layers = torch_layers(input_shape, LATENT_DIM)

    def encode(encoder: Any, x_BCHW: Tensor) -> Any:
        return outputs(embedding=encoder.layers(x_BCHW))

    def decode(decoder: Any, z_BL: Tensor) -> Any:
        return outputs(reconstruction=decoder.layers(z_BL).sigmoid())

    encoder = type("Encoder", (architectures.BaseEncoder,), {"forward": encode})()
    decoder = type("Decoder", (architectures.BaseDecoder,), {"forward": decode})()
    encoder.layers, decoder.layers = layers
    return models.AE(models.AEConfig(input_dim=input_shape, latent_dim=LATENT_DIM), encoder, decoder)


if __name__ == "__main__":
    train(read_task(("fp32",)))
