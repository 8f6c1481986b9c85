"""What holds for every network recipe; see the package's docstring for how to use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from ae_lightning.networks import Network, Shape
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import generate_batch, one_thread

LATENT_DIM = 5


class NetworkSuite:
    """Tests to inherit: set `network`.

    Attributes:
        network: The recipe under test.
        shapes: Channels, height and width of the images it must take.
    """

    network: ClassVar[Network]
    shapes: ClassVar[tuple[Shape, ...]] = ((1, 8, 8), (3, 8, 8), (1, 9, 7), (3, 17, 28))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give each test its shapes."""
        if "shape" in metafunc.fixturenames:
            metafunc.parametrize("shape", self.shapes, ids=str)

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _one_thread(cls) -> Iterator[None]:
        """Compute on one thread: on images this small more only wait for each other."""
        with one_thread():
            yield

    def test_gives_back_the_shape(self, shape: Shape) -> None:
        """The encoder gives as many outputs as asked for, the decoder images of the shape that went in."""
        x_BCHW = generate_batch(shape, 3)
        assert self._encoder(shape)(x_BCHW).shape == (3, LATENT_DIM)
        assert self._encoder(shape, 2 * LATENT_DIM)(x_BCHW).shape == (3, 2 * LATENT_DIM)
        assert self._decoder(shape)(torch.zeros(3, LATENT_DIM)).shape == x_BCHW.shape

    def test_stages_mirror(self, shape: Shape) -> None:
        """Decoder stage n − 1 − i gives back the shape that encoder stage i was given."""
        encoded = stage_shapes(self._encoder(shape), generate_batch(shape, 2))
        decoded = stage_shapes(self._decoder(shape), torch.zeros(2, LATENT_DIM))
        assert decoded == encoded[::-1]

    def test_every_pixel_depends_on_the_code(self, shape: Shape) -> None:
        """With weights that cannot cancel, every pixel of the output has a derivative by the code."""
        sensitivity = pixel_sensitivity(self._decoder(shape), torch.full((1, LATENT_DIM), 0.5))
        assert (sensitivity > 0).all()

    def test_code_has_no_activation(self, shape: Shape) -> None:
        """The encoder ends in an affine map: an activation there lets training die at small codes."""
        encoder = self._encoder(shape)
        if len(encoder) > 1:
            assert is_affine(encoder[-1], encoder[:-1](generate_batch(shape, 1)).shape[1:])
        else:
            # A trunk of one stage cannot be taken apart; its codes show whether they are cut off.
            codes = encoder(generate_batch(shape, 16))
            assert (codes < 0).any()
            assert (codes > 0).any()

    def test_decoder_knows_the_code_alone(self, shape: Shape) -> None:
        """What the encoder saw since makes no difference to the image of a code."""
        encoder, decoder = self._encoder(shape), self._decoder(shape)
        z_BL = torch.ones(2, LATENT_DIM)
        encoder(generate_batch(shape, 2, seed=1))
        before = decoder(z_BL)
        encoder(generate_batch(shape, 2, seed=2))
        assert torch.equal(decoder(z_BL), before)

    def test_images_do_not_meet(self, shape: Shape) -> None:
        """In eval mode an image's code does not depend on the rest of its batch."""
        encoder = self._encoder(shape)
        x_BCHW = generate_batch(shape, 3)
        torch.testing.assert_close(encoder(x_BCHW[:1]), encoder(x_BCHW)[:1])

    def test_memory_order_makes_no_difference(self, shape: Shape) -> None:
        """Images in `channels_last` order have the codes of contiguous ones."""
        encoder = self._encoder(shape)
        x_BCHW = generate_batch(shape, 3)
        torch.testing.assert_close(encoder(x_BCHW.to(memory_format=torch.channels_last)), encoder(x_BCHW))

    def test_hyperparameters_rebuild_it(self) -> None:
        """The hyperparameters are plain values, build the same network again, and are what is printed."""
        plain = json.loads(json.dumps(self.network.hyperparameters()))
        again = type(self.network)(**plain)
        assert again.hyperparameters() == self.network.hyperparameters()
        assert repr(again) == repr(self.network)
        spec = DataSpec(self.shapes[0])
        assert str(again.build_encoder(spec, 2)) == str(self.network.build_encoder(spec, 2))

    def _encoder(self, shape: Shape, num_outputs: int = LATENT_DIM) -> nn.Sequential:
        torch.manual_seed(0)
        return self.network.build_encoder(DataSpec(shape), num_outputs).eval().requires_grad_(False)

    def _decoder(self, shape: Shape) -> nn.Sequential:
        torch.manual_seed(0)
        return self.network.build_decoder(LATENT_DIM, DataSpec(shape)).eval().requires_grad_(False)


def stage_shapes(stages: nn.Sequential, batch: Tensor) -> list[torch.Size]:
    """Return the shape of a batch, and what it is after each stage."""
    shapes = [batch.shape]
    for stage in stages:
        batch = stage(batch)
        shapes.append(batch.shape)
    return shapes


def is_affine(module: nn.Module, shape: torch.Size) -> bool:
    """Whether f(a) + f(b) = f(a + b) + f(0), for large a and b of both signs."""
    module = module.double()
    a, b = 10 * torch.randn(2, 4, *shape, dtype=torch.float64)
    return torch.allclose(module(a) + module(b), module(a + b) + module(torch.zeros_like(a)))


def pixel_sensitivity(decoder: nn.Module, z_BL: Tensor) -> Tensor:
    """Return each output pixel's derivative along (1, …, 1), all weights set to positive averages, biases to zero.

    With these weights and rising activations no two paths from the code to a pixel can cancel: the derivative is
    zero where there is no path at all, and nowhere else.
    """
    decoder = decoder.double()
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            # A negative bias could leave a whole layer of ReLUs without a derivative.
            parameter.fill_(0 if name.endswith("bias") else 1 / parameter[0].numel())
    z_BL = z_BL.double()
    sensitivity: Tensor = torch.func.jvp(decoder, (z_BL,), (torch.ones_like(z_BL),))[1]
    return sensitivity
