"""The profile of a step layer by layer: what it counts, and a run of it."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import torch
from torch import nn

from benchmarks.layers import SHAPE, main, product_sizes
from benchmarks.models import build_model


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(3, 5, (4, 2), stride=2), (3, 9, 8)),
        (nn.ConvTranspose2d(3, 5, 4, stride=2), (3, 6, 7)),
        (nn.Linear(6, 4), (6,)),
    ],
)
def test_the_product_has_the_multiply_adds_of_the_layer(layer, shape):
    x = torch.zeros(2, *shape)
    output = layer(x)
    rows, inner, columns = product_sizes(layer, x, output)
    # Each weight meets each place: of the output's for a convolution, of the input's for a transposed one.
    places = x if isinstance(layer, nn.ConvTranspose2d) else output
    assert rows * inner * columns == layer.weight.numel() * places[:, :1].numel()


def test_what_multiplies_nothing_has_no_product():
    x = torch.zeros(2, 3)
    assert product_sizes(nn.ReLU(), x, x) is None


def test_every_layer_of_a_step_is_counted_once(tmp_path, capsys):
    output = tmp_path / "layers.json"
    assert main(["--models", "mlp", "resnet", "--batch-size", "4", "--repeats", "1", "--output", str(output)]) == 0
    found = {row["model"]: row["layers"] for row in json.loads(output.read_text())["models"]}
    for name, rows in found.items():
        counted = Counter()
        for row in rows:
            counted[row["name"].split(",")[0]] += row["times"]
        model = build_model(name, SHAPE, own_layers=True)
        leaves = [module for module in model.modules() if next(module.children(), None) is None]
        assert counted == Counter(type(leaf).__name__ for leaf in leaves)
    assert "Linear, 32 → 2048" in capsys.readouterr().out


def test_layers_that_overwrite_what_they_are_given_are_measured_too(capsys):
    assert main(["--models", "backbone", "--batch-size", "4", "--repeats", "1"]) == 0
    assert "| Conv2d, " in capsys.readouterr().out
