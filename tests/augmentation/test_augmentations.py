"""Each augmentation of a batch, image by image, against torchvision's functional form with the same parameters."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional

from ae_lightning.data.augmentations.color_jitter import NAMES, ColorJitter
from ae_lightning.data.augmentations.gaussian_blur import GaussianBlur
from ae_lightning.data.augmentations.gaussian_noise import GaussianNoise
from ae_lightning.data.augmentations.random_affine import RandomAffine
from ae_lightning.data.augmentations.random_crop import RandomCrop
from ae_lightning.data.augmentations.random_erasing import RandomErasing
from ae_lightning.data.augmentations.random_horizontal_flip import RandomHorizontalFlip
from ae_lightning.data.augmentations.random_resized_crop import RandomResizedCrop
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError

BOUNDED = (0.0, 1.0)
NUM = 16
ROUNDING = 1e-5
"""Largest difference of a pixel in [0, 1]."""


def draws(num=NUM, batch=0):
    return Draws(0, "test", (batch,), offset=0, num_images=num, global_size=num, device=torch.device("cpu"))


def images(channels=3, height=13, width=11, num=NUM):
    x = torch.rand(num, channels, height, width, generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last)


def changed(augmentation, x):
    """What was drawn, as numbers of each image, and what became of the images."""
    drawn = augmentation.draw(draws(len(x)), tuple(x.shape[1:]))
    before = x.clone()
    found = augmentation.change(x, drawn, BOUNDED)
    assert torch.equal(x, before)
    assert found.dtype == torch.float32
    return drawn, found


def _as_list(value):
    return list(value) if isinstance(value, tuple) else value


def require_close(found, expected):
    torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=ROUNDING)


AFFINE = {
    "turned": {"degrees": 40},
    "shifted": {"degrees": 0, "translate": (0.2, 0.4)},
    "scaled": {"degrees": 0, "scale": (0.6, 1.7)},
    "sheared": {"degrees": 0, "shear": (-10, 20, 5, 30)},
    "filled": {"degrees": (20, 90), "fill": 0.7},
    "filled in colour": {"degrees": 30, "fill": (0.2, 0.5, 0.9)},
    "about a corner": {"degrees": 30, "center": (0, 2)},
    "all": {"degrees": 90, "translate": (0.1, 0.3), "scale": (0.5, 1.5), "shear": 15, "fill": 0.3},
}


@pytest.mark.parametrize("arguments", AFFINE.values(), ids=AFFINE)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_affine(arguments, interpolation):
    x = images()
    drawn, found = changed(RandomAffine(**arguments, interpolation=interpolation), x)
    fill = arguments.get("fill", 0)
    settings = {
        "fill": _as_list(fill),
        "center": arguments.get("center"),
        "interpolation": interpolation,
    }
    expected = [
        functional.affine(image, angle.item(), shift.tolist(), scale.item(), shear.tolist(), **settings)
        for image, angle, shift, scale, shear in zip(x, *drawn, strict=True)
    ]
    if interpolation == "bilinear":
        require_close(found, expected)
        return
    # What lies between two pixels up to rounding falls to either.
    differs = (found - torch.stack(expected)).abs() > ROUNDING
    assert differs.float().mean() < 1e-3


def test_affine_parameters_are_spread_over_their_ranges():
    augmentation = RandomAffine((-20, 40), translate=(0.25, 0.5), scale=(0.5, 2.0), shear=(-5, 5, 10, 30))
    drawn = augmentation.draw(draws(5000), (1, 8, 12))
    require_uniform(drawn.angle, -20, 40)
    require_uniform(drawn.scale, 0.5, 2.0)
    require_uniform(drawn.shear[:, 0], -5, 5)
    require_uniform(drawn.shear[:, 1], 10, 30)
    # In whole pixels: the ends are half as likely as the others.
    assert [drawn.translate[:, axis].unique().tolist() for axis in (0, 1)] == [list(range(-3, 4)), list(range(-4, 5))]
    assert (drawn.translate[:, 0] == 3).float().mean() == pytest.approx(1 / 12, abs=0.015)
    assert (
        torch.corrcoef(torch.stack([drawn.angle, drawn.scale, drawn.shear[:, 0]])).fill_diagonal_(0).abs().max() < 0.05
    )


def require_uniform(values, low, high):
    span = high - low
    # What is rounded to whole pixels may lie a little outside.
    assert low - 1e-3 * span <= values.min() < low + 0.01 * span
    assert high - 0.01 * span < values.max() <= high + 1e-3 * span
    assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.02 * span)
    assert values.std().item() == pytest.approx(span / 12**0.5, rel=0.03)


def test_flip():
    x = images(num=1000, height=2, width=3)
    drawn, found = changed(RandomHorizontalFlip(0.3), x)
    assert drawn.float().mean() == pytest.approx(0.3, abs=0.05)
    assert all(
        torch.equal(one, functional.horizontal_flip(of) if is_flipped else of)
        for one, of, is_flipped in zip(found, x, drawn, strict=True)
    )


CROPS = {
    "padded": {"size": (13, 11), "padding": 4},
    "padded unevenly": {"size": (12, 9), "padding": (1, 2, 3, 0), "fill": 0.5},
    "in colour": {"size": 10, "padding": (3, 1), "fill": (0.1, 0.2, 0.3)},
    "not padded": {"size": (5, 6)},
    "edge": {"size": (13, 11), "padding": 15, "padding_mode": "edge"},
    "reflect": {"size": (13, 11), "padding": 10, "padding_mode": "reflect"},
    "symmetric": {"size": (13, 11), "padding": 11, "padding_mode": "symmetric"},
    "padded as needed": {"size": (20, 11), "pad_if_needed": True},
}


@pytest.mark.parametrize("arguments", CROPS.values(), ids=CROPS)
def test_crop(arguments):
    x = images()
    augmentation = RandomCrop(**arguments)
    (top, left), found = changed(augmentation, x)
    padding = (0, 7) if arguments.get("pad_if_needed") else arguments.get("padding", 0)
    fill, mode = arguments.get("fill", 0), arguments.get("padding_mode", "constant")
    padded = functional.pad(x, _as_list(padding), fill=_as_list(fill), padding_mode=mode)
    places = zip(padded, top.tolist(), left.tolist(), strict=True)
    expected = [functional.crop(image, *corner, *found.shape[2:]) for image, *corner in places]
    assert torch.equal(found, torch.stack(expected))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_crops_begin_anywhere():
    top, left = RandomCrop(4, padding=1).draw(draws(3000), (1, 4, 6))
    assert (top.bincount() / 3000 - 1 / 3).abs().max() < 0.03
    assert (left.bincount() / 3000 - 1 / 5).abs().max() < 0.03


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("size", [(13, 11), (4, 5), (30, 20)])
def test_resized_crop(size, interpolation, antialias):
    x = images()
    drawn, found = changed(RandomResizedCrop(size, interpolation=interpolation, antialias=antialias), x)
    mode = functional.InterpolationMode(interpolation)
    expected = [
        functional.resized_crop(image, *place, size=size, interpolation=mode, antialias=antialias)
        for image, *place in zip(x, *(one.int().tolist() for one in drawn), strict=True)
    ]
    require_close(found, expected)


def test_parts_have_the_areas_and_shapes_asked_for():
    drawn = RandomResizedCrop(8, scale=(0.1, 0.3), ratio=(0.5, 2.0)).draw(draws(5000), (3, 2000, 3000))
    require_uniform(drawn.height * drawn.width / 6_000_000, 0.1, 0.3)
    require_uniform((drawn.width / drawn.height).log2(), -1, 1)
    assert (drawn.top >= 0).all()
    assert (drawn.top + drawn.height <= 2000).all()
    assert (drawn.left + drawn.width <= 3000).all()
    require_uniform((drawn.left / (3001 - drawn.width)), 0, 1)


def test_where_no_part_fits_the_middle_is_taken():
    drawn = RandomResizedCrop(4, scale=(1, 1), ratio=(4, 5)).draw(draws(2), (1, 10, 30))
    assert torch.stack(drawn).tolist() == [[1, 1], [0, 0], [8, 8], [30, 30]]


JITTERS = {
    "brightness": {"brightness": 0.9},
    "contrast": {"contrast": (0.2, 3)},
    "saturation": {"saturation": 0.8},
    "hue": {"hue": 0.5},
    "all": {"brightness": 0.4, "contrast": 0.5, "saturation": 0.6, "hue": 0.2},
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("arguments", JITTERS.values(), ids=JITTERS)
def test_jitter(arguments, channels):
    x = images(channels)
    # Black, white, and pixels two of whose channels are the same.
    x[0], x[1] = 0, 1
    x[2, -1] = x[2, 0]
    augmentation = ColorJitter(**arguments)
    drawn, found = changed(augmentation, x)
    require_close(found, [jittered(*one, arguments) for one in zip(x, *drawn, strict=True)])


def jittered(image, order, factors, arguments):
    adjust = [
        functional.adjust_brightness,
        functional.adjust_contrast,
        functional.adjust_saturation,
        functional.adjust_hue,
    ]
    for place in order.argsort().tolist():
        if NAMES[place] in arguments:
            image = adjust[place](image, factors[place].item())
    return image


def test_all_that_jitters_is_the_same_where_all_images_are_computed(monkeypatch):
    """As on a GPU, which cannot be asked how many are."""
    x = images()
    augmentation = ColorJitter(0.4, 0.4, 0.4, 0.2)
    drawn, found = changed(augmentation, x)
    monkeypatch.setattr("ae_lightning.data.augmentations.color_jitter.counts_at_once", lambda x: False)
    torch.testing.assert_close(augmentation.change(x, drawn, BOUNDED), found, rtol=0, atol=1e-6)


def test_factors_and_orders_are_spread():
    drawn = ColorJitter(0.4, (1, 3), 2, 0.1).draw(draws(5000), (3, 8, 8))
    for column, ends in enumerate([(0.6, 1.4), (1, 3), (0, 3), (-0.1, 0.1)]):
        require_uniform(drawn.factors[:, column], *ends)
    assert (drawn.order.unique(dim=0, return_counts=True)[1] / 5000 - 1 / 24).abs().max() < 0.01


def erased(image, drawn, place, value):
    if not drawn.is_erased[place]:
        return image
    top, left, height, width = (int(one[place]) for one in drawn.rectangles)
    if value == "random":
        shown = drawn.values[place, :, top : top + height, left : left + width].clamp(0, 1)
    else:
        shown = torch.atleast_1d(torch.tensor(value))[:, None, None]
    return functional.erase(image, top, left, height, width, shown)


@pytest.mark.parametrize("value", [0.3, (0.1, 0.2, 0.9), "random"])
def test_erasing(value):
    x = images(num=64)
    drawn, found = changed(RandomErasing(0.5, value=value), x)
    expected = [erased(image, drawn, place, value) for place, image in enumerate(x)]
    assert torch.equal(found, torch.stack(expected))
    assert 0.3 < drawn.is_erased.float().mean() < 0.7


def test_what_is_erased_has_the_areas_and_shapes_asked_for():
    drawn = RandomErasing(0.25, scale=(0.1, 0.3), ratio=(0.5, 2)).draw(draws(5000), (1, 2000, 3000))
    top, left, height, width = drawn.rectangles
    require_uniform(height * width / 6_000_000, 0.1, 0.3)
    require_uniform((height / width).log2(), -1, 1)
    assert drawn.is_erased.float().mean() == pytest.approx(0.25, abs=0.02)
    assert (top + height <= 2000).all()
    require_uniform(left / (3001 - width), 0, 1)


def test_noise():
    x = images(num=200).mul_(0.2).add_(0.4)
    drawn, found = changed(GaussianNoise(0.1, 0.05), x)
    torch.testing.assert_close(found - x, 0.1 + 0.05 * drawn, rtol=0, atol=1e-6)
    assert drawn.mean().item() == pytest.approx(0, abs=0.02)
    assert drawn.std().item() == pytest.approx(1, abs=0.02)


def test_noise_is_clipped_where_values_have_a_range():
    x = images()
    augmentation = GaussianNoise(0, 2.0)
    drawn = augmentation.draw(draws(), (3, 13, 11))
    noisy = x + 2 * drawn
    torch.testing.assert_close(augmentation.change(x, drawn, BOUNDED), noisy.clamp(0, 1))
    torch.testing.assert_close(augmentation.change(x, drawn, None), noisy)
    torch.testing.assert_close(GaussianNoise(0, 2.0, clip=False).change(x, drawn, BOUNDED), noisy)


@pytest.mark.parametrize("size", [1, 3, [7, 3], [21, 25]])
def test_blur(size):
    x = images()
    sigmas, found = changed(GaussianBlur(size, (0.3, 3.0)), x)
    both = [size, size] if isinstance(size, int) else size
    require_close(
        found,
        [
            functional.gaussian_blur(image, both, [sigma, sigma])
            for image, sigma in zip(x, sigmas.tolist(), strict=True)
        ],
    )


def test_sigmas_are_spread():
    require_uniform(GaussianBlur(3, (0.5, 1.5)).draw(draws(5000), (1, 8, 8)), 0.5, 1.5)
    assert GaussianBlur(3, 0.7).draw(draws(3), (1, 8, 8)).tolist() == pytest.approx([0.7] * 3)


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (lambda: ColorJitter(0.5), (2, 8, 8), "takes images of 1 or 3 channels, and these have 2"),
        (lambda: RandomAffine(5, fill=(0, 1)), (3, 8, 8), "it has 2 values, and these images 3 channels"),
        (lambda: RandomErasing(value=(0, 1)), (3, 8, 8), "RandomErasing.value: it has 2 values"),
        (lambda: RandomAffine(5, fill=255), (3, 8, 8), r"RandomAffine.fill: 255.0 is not allowed; .* lie from 0 to 1"),
        (lambda: RandomErasing(value=(0, -1, 0)), (3, 8, 8), r"RandomErasing.value: \[0.0, -1.0, 0.0\] is not allowed"),
        (lambda: RandomCrop(8, 2, fill=1.5), (1, 8, 8), "RandomCrop.fill: 1.5 is not allowed"),
        (lambda: RandomCrop(9), (1, 8, 8), "RandomCrop.size: 9 pixels are more than the 8"),
        (lambda: RandomCrop(9, 8, padding_mode="reflect"), (1, 8, 8), "reflect pads 8 pixels by at most 7"),
        (lambda: GaussianBlur(17), (1, 8, 8), "GaussianBlur.kernel_size: 17 is too large for 8 pixels"),
    ],
)  # fmt: skip
def test_images_that_cannot_be_changed_are_refused(make, shape, words):
    with pytest.raises(ConfigError, match=words):
        make().require_takes(shape, BOUNDED)


def test_colours_need_values_from_0_to_1():
    with pytest.raises(ConfigError, match=r"ColorJitter: it takes values from 0 to 1, which data.scaling unit gives"):
        ColorJitter(0.5).require_takes((3, 8, 8), None)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RandomAffine(-1), "RandomAffine.degrees: -1 is not allowed; one number must not be negative"),
        (lambda: RandomAffine("a"), "degrees: 'a' is not allowed; it must be a number or a list of 2 numbers"),
        (lambda: RandomAffine(1, shear=(1, 2, 3)), "it must be a number or a list of 2 or 4 numbers"),
        (lambda: RandomAffine((5, 1)), "must be a lower and an upper end"),
        (lambda: RandomAffine(1, translate=(0.1, 2)), "its shares must lie from 0 to 1"),
        (lambda: RandomAffine(1, scale=(0, 1)), r"RandomAffine.scale: .* must be above 0"),
        (lambda: RandomAffine(1, interpolation="cubic"), r"'cubic' is not known; .*Allowed: bilinear, nearest"),
        (lambda: RandomHorizontalFlip(1.5), "must lie from 0 to 1"),
        (lambda: RandomCrop(0), "RandomCrop.size: 0 is not allowed; it must be one or two whole numbers above 0"),
        (lambda: RandomCrop(4, padding=(1, 2, 3)), "it must be 1, 2 or 4 whole numbers from 0 on"),
        (lambda: RandomCrop(4, padding_mode="wrap"), "'wrap' is not known"),
        (lambda: ColorJitter(hue=0.6), r"ColorJitter.hue: .* within -0.5 and 0.5"),
        (lambda: ColorJitter(contrast=(-1, 1)), r"ColorJitter.contrast: .* within 0 and inf"),
        (lambda: RandomErasing(value="noise"), "the one word that it takes is random"),
        (lambda: RandomErasing(ratio=(0, 1)), r"RandomErasing.ratio: .* must be above 0"),
        (lambda: GaussianNoise(sigma=-1), "GaussianNoise.sigma: -1 is not allowed"),
        (lambda: RandomCrop(4, padding=2.5), "2.5 is not allowed; it must be 1, 2 or 4 whole numbers"),
        (lambda: GaussianNoise(mean="a"), "GaussianNoise.mean: 'a' is not allowed; it must be a number"),
        (lambda: GaussianBlur(4), "its numbers must be odd"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(make, words):
    with pytest.raises(ConfigError, match=words):
        make()
