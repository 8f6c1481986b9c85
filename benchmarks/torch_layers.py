"""The base model of PyTorch's layers alone, which is all that the environment of a peer has."""

from __future__ import annotations

from torch import nn

from benchmarks.arguments import LATENT_DIM


def torch_layers(input_shape: tuple[int, int, int], num_outputs: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Build the base model's encoder and decoder from PyTorch's layers alone, as one would write them by hand.

    Args:
        input_shape: Channels, height and width; the sides are multiples of 4.
        num_outputs: Outputs of the encoder.
    """
    channels, height, width = input_shape
    bottom = (64, height // 4, width // 4)
    num_features = bottom[0] * bottom[1] * bottom[2]
    encoder = nn.Sequential(
        nn.Conv2d(channels, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(num_features, num_outputs),
    )
    decoder = nn.Sequential(
        nn.Linear(LATENT_DIM, num_features),
        nn.Unflatten(1, bottom),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, channels, 4, stride=2, padding=1),
    )
    return encoder, decoder
