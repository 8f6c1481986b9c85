"""That encoder, decoder and samples fit one another, found out before any training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ae_lightning.errors import ConfigError, first_line
from ae_lightning.spec import DataSpec

NUM_TRIED = 2


def output_shape(network: nn.Module, shape: tuple[int, ...], what: str) -> tuple[int, ...]:
    """Return the shape of what a network makes of one input, by trying it.

    Args:
        network: As it is built; it is asked in eval mode, which leaves its statistics as they are.
        shape: Of an input, without the batch.
        what: Names the network in the error.

    Raises:
        ConfigError: If it takes no such input, or gives anything but one row an input.
    """
    parameter = next(network.parameters(), torch.empty(0))
    tried = torch.zeros(NUM_TRIED, *shape, device=parameter.device, dtype=parameter.dtype)
    try:
        with torch.no_grad(), _eval_mode(network):
            output = network(tried)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise ConfigError(f"model.network: its {what} takes no {_told(shape)} ({first_line(error)})") from error
    if not isinstance(output, Tensor) or output.ndim < 1 or len(output) != NUM_TRIED:
        given = _told(tuple(output.shape)) if isinstance(output, Tensor) else type(output).__name__
        raise ConfigError(f"model.network: of {NUM_TRIED} inputs its {what} makes {given}, not one row each")
    return tuple(output.shape[1:])


def require_samples_back(decoder: nn.Module, code_shape: tuple[int, ...], spec: DataSpec) -> None:
    """Refuse a decoder whose output is no sample: a loss would broadcast one channel over three, in silence.

    Raises:
        ConfigError: If the shape is another.
    """
    found = output_shape(decoder, code_shape, "decoder")
    if found != spec.shape:
        raise ConfigError(f"model.network: its decoder gives {_told(found)}, and a sample is {_told(spec.shape)}")


def require_mirrored(encoder: nn.Sequential, decoder: nn.Sequential, shape: tuple[int, ...]) -> None:
    """Refuse a network that cannot be divided into pairs: decoder stage n − 1 − i must undo encoder stage i.

    Args:
        encoder: Takes samples of the shape.
        decoder: Takes what the encoder gives.
        shape: Of a sample.

    Raises:
        ConfigError: If they have not as many stages, or one gives another shape than the one it undoes was given.
    """
    if len(encoder) != len(decoder):
        stages = f"{len(encoder)} stages, its decoder {len(decoder)}"
        raise ConfigError(f"model.network: its encoder has {stages}; layer by layer they are trained in pairs")
    for number, (stage, undoing) in enumerate(zip(encoder, reversed(decoder), strict=True), start=1):
        given, shape = shape, output_shape(stage, shape, f"encoder's stage {number}")
        pair = f"decoder's stage {len(decoder) + 1 - number}"
        found = output_shape(undoing, shape, pair)
        if found != given:
            what = f"{_told(found)} where the encoder's stage {number} takes {_told(given)}"
            raise ConfigError(f"model.network: its {pair} gives {what}; layer by layer it must undo it")


def _told(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) if shape else "a number"


@contextmanager
def _eval_mode(network: nn.Module) -> Iterator[None]:
    trained = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in trained:
            module.training = True
