"""What becomes of stored values, against plain arithmetic."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from ae_lightning.data.scaling import (
    BOUNDED,
    FITTED,
    Scaler,
    fit_scaler,
    require_scalable,
    scaler_of,
    settled,
    value_range,
)
from ae_lightning.errors import CheckpointError, ConfigError

DTYPES = {torch.uint8: 255, torch.uint16: 65535}


def draw(dtype=torch.float32, shape=(40, 3, 4, 5), high=1.0):
    values = np.random.default_rng(0).random(shape) * high
    return torch.from_numpy(values.astype(np.float32)).to(dtype)


def scaler(scaling, x):
    return fit_scaler(scaling, x) if scaling in FITTED else Scaler(scaling)


def test_under_image_max_an_error_counts_by_the_square_of_the_brightness():
    x = draw(shape=(3, 1, 4, 4)) * torch.tensor([1.0, 0.5, 0.1]).view(3, 1, 1, 1)
    x[:, 0, 0, 0] = torch.tensor([1.0, 0.5, 0.1])
    errors = [(Scaler(name)(x) - Scaler(name)(x) * 0.9).square().mean(dim=(1, 2, 3)) for name in ("unit", "image_max")]
    assert (errors[1] / errors[0]).tolist() == pytest.approx([1, 4, 100])


@pytest.mark.parametrize(("dtype", "largest"), DTYPES.items(), ids=str)
def test_unit_maps_whole_numbers_onto_zero_to_one(dtype, largest):
    scaled = Scaler("unit")(torch.tensor([0, largest // 5, largest], dtype=dtype).view(3, 1, 1, 1))
    assert scaled.dtype == torch.float32
    assert scaled.flatten().tolist() == pytest.approx([0, 0.2, 1])


def test_unit_and_none_take_floating_point_as_it_is():
    assert torch.equal(Scaler("unit")(draw()), draw())
    assert torch.equal(Scaler("none")(draw(high=90)), draw(high=90))
    assert torch.equal(Scaler("none")(draw(torch.uint16, high=60_000)), draw(torch.uint16, high=60_000).float())


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float32], ids=str)
def test_image_max_takes_the_maximum_over_all_channels(dtype):
    images = torch.tensor([[[[10]], [[20]], [[40]]], [[[255]], [[0]], [[51]]]]).to(dtype)
    scaled = Scaler("image_max")(images)
    assert scaled[0].flatten().tolist() == pytest.approx([0.25, 0.5, 1])
    assert scaled[1].flatten().tolist() == pytest.approx([1, 0, 0.2])
    assert Scaler("image_max")(torch.zeros(2, 1, 3, 3).to(dtype)).eq(0).all()


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float32], ids=str)
def test_dataset_max_divides_by_the_largest_value_of_the_train_split(dtype):
    train, test = draw(dtype, high=200), draw(dtype, high=100)
    found = fit_scaler("dataset_max", train)
    assert found(train).max() == 1
    torch.testing.assert_close(found(test), test.float() / train.float().max())
    assert found(draw(dtype, high=250)).max() == 1
    assert fit_scaler("dataset_max", torch.zeros(3, 4).to(dtype))(torch.zeros(3, 4).to(dtype)).eq(0).all()


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float32], ids=str)
@pytest.mark.parametrize("shape", [(40, 3, 4, 5), (40, 7)])
def test_standard_is_scikit_learns(dtype, shape, monkeypatch):
    monkeypatch.setattr("ae_lightning.data.scaling._CHUNK_VALUES", 100)
    train, test = draw(dtype, shape, high=200), draw(dtype, shape, high=90)
    reference = StandardScaler().fit(train.float().numpy().reshape(40, -1).astype(np.float64))
    expected = reference.transform(test.float().numpy().reshape(40, -1)).reshape(shape)
    assert fit_scaler("standard", train)(test).numpy() == pytest.approx(expected, abs=1e-5)


def test_a_value_that_never_varies_is_divided_by_one():
    x = draw(shape=(30, 3))
    x[:, 1] = 0.1
    scaled = fit_scaler("standard", x)(x)
    assert scaled[:, 1].abs().max() < 1e-6
    assert fit_scaler("standard", x).divisor[1] == 1
    assert fit_scaler("standard", x[:1]).divisor.eq(1).all()


def test_features_of_very_different_size_are_all_of_one_size():
    sizes = 10.0 ** np.arange(-6, 7)
    values = torch.from_numpy((np.random.default_rng(0).normal(size=(500, 13)) * sizes + sizes).astype(np.float32))
    scaled = fit_scaler("standard", values)(values)
    assert scaled.mean(dim=0).abs().max() < 1e-4
    torch.testing.assert_close(scaled.std(dim=0, correction=0), torch.ones(13))


@pytest.mark.parametrize("scaling", ["unit", "image_max", "dataset_max", "standard", "none"])
@pytest.mark.parametrize("dtype", [*DTYPES, torch.float32], ids=str)
def test_scaling_leaves_its_input_alone_and_keeps_memory_order(scaling, dtype):
    images = draw(dtype, high=1 if dtype == torch.float32 else 200).to(memory_format=torch.channels_last)
    before = images.clone()
    scaled = scaler(scaling, images)(images)
    assert torch.equal(images, before)
    assert scaled.is_contiguous(memory_format=torch.channels_last)
    if scaling in BOUNDED:
        assert 0 <= scaled.min() <= scaled.max() <= 1
    assert value_range(scaling) == ((0.0, 1.0) if scaling in BOUNDED else None)


@pytest.mark.parametrize("scaling", ["unit", "dataset_max", "standard"])
def test_its_state_is_plain_and_gives_the_same_again(scaling):
    x = draw(shape=(20, 6), high=1)
    found = scaler(scaling, x)
    again = scaler_of(json.loads(json.dumps(found.state())))
    assert torch.equal(again(x), found(x))


@pytest.mark.parametrize(
    "state", [{}, {"scaling": "standard", "mean": "none"}, {"scaling": "standard", "mean": [[1], [2, 3]]}]
)
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises(CheckpointError, match="does not say how its data were scaled"):
        scaler_of(state)


def test_auto_follows_the_kind_of_sample():
    assert [settled("auto", kind) for kind in ("image", "vector", "sequence")] == ["unit", "standard", "standard"]
    assert settled("none", "vector") == "none"
    with pytest.raises(ConfigError, match=r"^data\.scaling: image_max is for images, and these are vectors"):
        settled("image_max", "vector")


@pytest.mark.parametrize(
    ("scaling", "values", "said"),
    [
        ("unit", [0.0, 255.0], "unit takes values from 0 to 1 .* has values from 0 to 255"),
        ("unit", [-0.5, 1.0], "unit takes .* from -0.5 to 1"),
        ("image_max", [-1.0, 4.0], "image_max takes no values below 0"),
        ("dataset_max", [-1.0, 4.0], "dataset_max takes no values below 0"),
    ],
)
def test_values_that_would_leave_the_range_are_refused(scaling, values, said):
    with pytest.raises(ConfigError, match=rf"^data\.scaling: {said}") as caught:
        require_scalable(scaling, *values, "the test split")
    assert "the test split" in str(caught.value)
    require_scalable("standard", *values, "the test split")
