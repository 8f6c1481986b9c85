"""`TwoStage`: a second variational autoencoder, of the codes of the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ae_lightning.checks import require_at_least
from ae_lightning.judging.numpy_model import Labels, Rows
from ae_lightning.losses.divergence import gaussian_kl, gaussian_log_prob
from ae_lightning.samplers.base import Sampler

_BATCH_SIZE = 128
_LEARNING_RATE = 5e-3
_FIRST_LOG_STD, _MIN_LOG_STD = -2.0, -3.0
"""Of the second decoder, in units of the codes' deviations: 5 % of them are noise that no first decoder sees."""


class TwoStage(Sampler):
    """A small variational autoencoder trained on the codes, whose samples are the codes (Dai & Wipf 2019, section 4).

    Its own code has as many numbers as the first one's, and its decoder is a Gaussian of learned variance. It draws the
    same way for every class. It is trained on the CPU, in some seconds.

    Args:
        hidden: Widths of its encoder's hidden layers; the decoder's are the same in reverse.
        num_steps: How many batches of 128 codes it is trained on.

    Raises:
        ConfigError: If a number is below 1.
    """

    def __init__(self, hidden: Sequence[int] = (128, 128), num_steps: int = 1000) -> None:
        self.hidden = [require_at_least("sampler.hidden", width) for width in hidden]
        self.num_steps = require_at_least("sampler.num_steps", num_steps)

    def fit_codes(self, codes: Rows, seed: int, labels: Labels | None) -> dict[str, NDArray[Any]]:
        """Return the second decoder's weights, its standard deviation, and the codes' moments."""
        mean, deviation = codes.mean(axis=0, dtype=np.float64), codes.std(axis=0, dtype=np.float64)
        # Dimensions that have collapsed stay what they are, and are no noise blown up.
        scale = np.maximum(deviation, 1e-3 * deviation.max(initial=0.0))
        # Where all codes are the same it is 0, and so is what it makes of the second decoder's noise.
        x_NF = np.asarray((codes - mean) / np.where(scale == 0, 1.0, scale), np.float32)
        # It is fitted amid an evaluation, whose tensors have no gradient, and leaves no trace in the random state.
        with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
            # That of the CPU alone, which is what is put back.
            torch.default_generator.manual_seed(seed)
            decoder, log_std = self._train(torch.from_numpy(x_NF))
        layers = [layer for layer in decoder if isinstance(layer, nn.Linear)]
        state = {"mean": mean, "scale": scale, "std": np.array(np.exp(log_std))}
        for number, layer in enumerate(layers):
            state[f"weight_{number}"] = layer.weight.detach().numpy()
            state[f"bias_{number}"] = layer.bias.detach().numpy()
        return state

    def _train(self, x_NF: Tensor) -> tuple[nn.Sequential, float]:
        num, size = x_NF.shape
        encoder = _fully_connected([size, *self.hidden, 2 * size])
        decoder = _fully_connected([size, *reversed(self.hidden), size])
        # From a wide decoder the KL would close the second code, dimension by dimension, before it says anything.
        log_std = nn.Parameter(torch.full((), _FIRST_LOG_STD))
        parameters = [*encoder.parameters(), *decoder.parameters(), log_std]
        optimizer = torch.optim.Adam(parameters, lr=_LEARNING_RATE, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.num_steps)
        for _ in range(self.num_steps):
            x_BF = x_NF[torch.randint(num, (_BATCH_SIZE,))]
            mean_BF, log_variance_BF = encoder(x_BF).chunk(2, dim=1)
            u_BF = mean_BF + (0.5 * log_variance_BF).exp() * torch.randn_like(mean_BF)
            log_variance = (2 * log_std.clamp(min=_MIN_LOG_STD)).expand(_BATCH_SIZE, size)
            bound_B = gaussian_log_prob(x_BF, decoder(u_BF), log_variance) - gaussian_kl(mean_BF, log_variance_BF)
            optimizer.zero_grad()
            (-bound_B.mean()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        return decoder, max(float(log_std.detach()), _MIN_LOG_STD)

    def draw_codes(self, state: Mapping[str, NDArray[Any]], num: int, seed: int, given: Labels | None) -> Rows:
        """Decode draws of N(0, I), and add the second decoder's noise."""
        random = np.random.default_rng(seed)
        size = len(state["mean"])
        x = random.normal(size=(num, size))
        num_layers = sum(name.startswith("weight_") for name in state)
        for number in range(num_layers):
            x = x @ state[f"weight_{number}"].T + state[f"bias_{number}"]
            if number < num_layers - 1:
                x = x.clip(min=0)
        noisy = x + state["std"] * random.normal(size=(num, size))
        return np.asarray(noisy * state["scale"] + state["mean"])


def _fully_connected(widths: Sequence[int]) -> nn.Sequential:
    layers = [layer for a, b in pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers[:-1])
