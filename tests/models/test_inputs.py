"""What a model takes from Python: arrays and tensors of any floating type, weights of any; all else by name."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from ae_lightning.errors import ConfigError, DataError
from ae_lightning.networks import MLP, Conv
from ae_lightning.serving import answer
from ae_lightning.spec import DataSpec
from ae_lightning.variants.vae import VAE

SHAPE = (1, 8, 8)
X = torch.linspace(0, 1, 3 * 64, dtype=torch.float64).view(3, *SHAPE)


@pytest.fixture(params=[MLP(hidden=[8]), Conv()], ids=["MLP", "Conv"])
def model(request):
    torch.manual_seed(0)
    return VAE(spec=DataSpec(SHAPE), network=request.param, latent_dim=3).eval()


@pytest.mark.parametrize(
    "given",
    [
        *(X, X.numpy(), X.float().numpy(), X.numpy()[::-1][::-1]),
        *(X.numpy().astype(">f4"), X.numpy().astype("<f8"), X.numpy().astype(np.longdouble)),
    ],
)
def test_samples_of_any_floating_type_give_the_same(model, given):
    """Tensors and arrays, strides, orders of bytes and widths that torch does not know included."""
    with torch.no_grad():
        expected = model.encode(X.float())
        torch.testing.assert_close(model.encode(given), expected)
        torch.testing.assert_close(model.reconstruct(given), model.decode(expected))
        torch.testing.assert_close(model.decode(expected.numpy()), model.decode(expected))


@pytest.mark.parametrize("to", ["half", "bfloat16", "double"])
def test_weights_of_any_floating_type_compute(model, to):
    """What they give is near what float32 gives, and in full precision."""
    with torch.no_grad():
        expected = model.reconstruct(X.float())
        converted = getattr(model, to)()
        found = converted.reconstruct(X.float())
        assert found.dtype == (torch.float64 if to == "double" else torch.float32)
        torch.testing.assert_close(found.float(), expected, atol=0.02, rtol=0)
        assert converted.sample(4).shape == (4, *SHAPE)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((3, *SHAPE), np.uint8), "samples of uint8: .* scaled"),
        (torch.zeros(3, *SHAPE, dtype=torch.int64), "samples of int64: .* scaled"),
        (torch.zeros(SHAPE), r"\(1, 8, 8\): this model takes \(N, 1, 8, 8\)"),
        (np.zeros((3, 8, 8, 1), np.float32), r"\(3, 8, 8, 1\): this model takes \(N, 1, 8, 8\)"),
        ([[0.0] * 64], "samples: list is not taken"),
        (np.array(["a"]), "samples: an array of <U1 is not taken"),
        (np.ma.masked_less(X.float().numpy(), 0.5), "samples: MaskedArray is not taken"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(model, given, said):
    """Whole numbers too: what the training divided them by is not known here."""
    for call in (model.encode, model.reconstruct, model, partial(answer, model)):
        with pytest.raises(DataError, match=said):
            call(given)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("optimizer", "Adam", r"model\.optimizer: 'Adam' is not allowed; it takes a class, such as torch\.optim\.Adam"),
        ("optimizer", torch.optim.SGD([torch.zeros(1)]), r"model\.optimizer: an object of SGD is not allowed"),
        ("scheduler", "StepLR", r"model\.scheduler: 'StepLR' is not allowed"),
        ("network", "MLP", r"model\.network: 'MLP' is not allowed; it takes a Network, such as MLP\(\)"),
        ("prior", "Normal", r"model\.prior: 'Normal' is not allowed"),
        ("spec", SHAPE, r"spec: \(1, 8, 8\) is not allowed; it takes a DataSpec"),
        ("latent_dim", "8", r"model\.latent_dim: '8' is not allowed; it takes an integer"),
        ("latent_dim", 2.0, r"model\.latent_dim: 2\.0 is not allowed"),
        ("seed", "x", r"model\.seed: 'x' is not allowed"),
        ("beta", "strong", r"model\.beta: 'strong' is not allowed; it takes a number"),
    ],
)
def test_a_constructor_says_what_an_option_takes(name, value, said):
    """Python does not look at annotations."""
    options = {"spec": DataSpec(SHAPE), "network": MLP(hidden=[8]), "latent_dim": 3, name: value}
    with pytest.raises(ConfigError, match=said):
        VAE(**options)
