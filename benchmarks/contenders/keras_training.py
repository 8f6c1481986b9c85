"""Keras on TensorFlow, as it ships: `Model.fit` on arrays in memory, float32 or under its policy `mixed_bfloat16`."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.arguments import LATENT_DIM, Task, read_task

POLICIES = {"fp32": "float32", "bf16": "mixed_bfloat16"}


def train(task: Task) -> None:
    """Train the base model as the task says."""
    clock = task.clock
    threading = import_module("tensorflow").config.threading
    threading.set_intra_op_parallelism_threads(int(os.environ["OMP_NUM_THREADS"]))
    threading.set_inter_op_parallelism_threads(int(os.environ["OMP_NUM_THREADS"]))
    keras = import_module("keras")
    keras.mixed_precision.set_global_policy(POLICIES[task.variant])
    images_BHWC = np.load(task.images).transpose(0, 2, 3, 1).astype(np.float32) / 255
    model = build_model(keras, images_BHWC.shape[1:])
    num_images = len(images_BHWC)
    callback = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: clock.begin_epoch(),
        on_train_batch_end=lambda step, logs: clock.step(task.batch_at(step, num_images)),
        on_epoch_end=lambda epoch, logs: clock.end_epoch(model.count_params()),
    )
    model.compile(optimizer="adam", loss="mean_squared_error")
    model.fit(images_BHWC, images_BHWC, batch_size=task.batch_size, epochs=task.num_epochs, callbacks=[callback])


def build_model(keras: Any, input_shape: tuple[int, ...]) -> Any:
    """Build the base model.

    Args:
        keras: The module.
        input_shape: Height, width and channels; the sides are multiples of 4.
    """
    layers = keras.layers
    height, width, channels = input_shape
    bottom = (height // 4, width // 4, 64)
    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 4, strides=2, padding="same", activation="relu"),
            layers.Conv2D(64, 4, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(LATENT_DIM),
            layers.Dense(bottom[0] * bottom[1] * bottom[2]),
            layers.Reshape(bottom),
            layers.Conv2DTranspose(32, 4, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(channels, 4, strides=2, padding="same"),
            layers.Activation("sigmoid", dtype="float32"),
        ]
    )


if __name__ == "__main__":
    train(read_task(tuple(POLICIES)))
