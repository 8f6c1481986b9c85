"""The code, JPEG and WebP as codecs: rates against a real entropy coder, distortion against decoding by hand."""

from __future__ import annotations

import io

import constriction
import numpy as np
import pytest
from pca_of_splits import pca_counterpart
from PIL import Image
from sklearn.datasets import load_digits

from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.image_codecs import MAX_PIXELS, MAX_SIDE, QUALITIES, image_codec_curves, mosaic_size
from ae_lightning.judging.measures.compression import (
    BITS,
    OPERATING_BITS,
    Quantiser,
    at_operating_point,
    compression_curve,
)
from ae_lightning.judging.pixels import psnr


def test_the_rate_is_that_of_a_real_entropy_coder() -> None:
    rng = np.random.default_rng(0)
    train, codes = (rng.normal(size=(num, 3)).astype(np.float32) for num in (5_000, 2_000))
    quantiser = Quantiser(train, bits=4)
    symbols = quantiser.symbols(codes)
    coder = constriction.stream.queue.RangeEncoder()
    for column, frequencies in zip(symbols.T, quantiser.frequencies, strict=True):
        model = constriction.stream.model.Categorical(frequencies, perfect=False)
        coder.encode(column.astype(np.int32), model)
    assert quantiser.code_length(symbols) == pytest.approx(coder.num_bits(), rel=2e-3)


def test_steps_are_equal_and_codes_come_back_within_half_of_one() -> None:
    train = np.array([[0, -1], [8, 1]], np.float32)
    quantiser = Quantiser(train, bits=2)
    codes = np.array([[0.5, -1], [7.9, 1], [3.9, 0.1], [-5, 99]], np.float32)
    assert quantiser.symbols(codes).tolist() == [[0, 0], [3, 3], [1, 2], [0, 3]]
    decoded = quantiser.codes(quantiser.symbols(codes))
    assert decoded[2].tolist() == [3, 0.25]
    assert (np.abs(decoded - codes)[:3] <= [1, 0.25]).all()


def test_a_collapsed_dimension_costs_next_to_nothing() -> None:
    train = np.zeros((1_000, 1), np.float32) + 3
    quantiser = Quantiser(train, bits=8)
    symbols = quantiser.symbols(train)
    assert quantiser.code_length(symbols) / 1_000 < 0.01


@pytest.mark.parametrize("bits", BITS)
def test_a_dimension_that_never_varies_is_decoded_as_it_is(bits: int) -> None:
    train = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    train[:, 1] = 0.3
    quantiser = Quantiser(train, bits)
    decoded = quantiser.codes(quantiser.symbols(train))
    np.testing.assert_array_equal(decoded[:, 1], train[:, 1])
    assert not np.array_equal(decoded[:, 0], train[:, 0])


@pytest.fixture(scope="module")
def digits() -> EncodedSplit:
    images = (load_digits().images[:600, None] / 16).astype(np.float32)
    return EncodedSplit(images, np.zeros((600, 1), np.float32))


def test_a_dimension_that_never_varied_has_one_symbol() -> None:
    """All steps decode to the same value there: to tell them apart would cost bits for nothing."""
    train = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    train[:, 1] = 3.0
    quantiser = Quantiser(train, 4)
    evaluated = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32) * 10
    symbols = quantiser.symbols(evaluated)
    assert set(symbols[:, 1]) == {0}
    assert (quantiser.codes(symbols)[:, 1] == 3.0).all()


def test_the_curve_trades_rate_for_distortion(digits: EncodedSplit) -> None:
    train, evaluated, model = pca_counterpart(digits, digits, latent_dim=8, seed=0)
    curve = compression_curve(train, evaluated, model, seed=0)
    assert curve["bits"] == list(BITS)
    assert curve["bits_per_pixel"] == sorted(curve["bits_per_pixel"])
    assert all(rate <= bits * 8 / 64 for bits, rate in zip(BITS, curve["bits_per_pixel"], strict=True))
    assert curve["psnr"] == sorted(curve["psnr"])
    assert curve["psnr"][-1] == pytest.approx(psnr(evaluated.x, evaluated.reconstructions), abs=0.01)
    point = OPERATING_BITS - 1
    assert at_operating_point(curve) == {
        "bits_per_pixel": curve["bits_per_pixel"][point],
        "compression_psnr": curve["psnr"][point],
    }


@pytest.mark.parametrize("num_channels", [1, 3])
def test_jpeg_and_webp_are_pillows(digits: EncodedSplit, num_channels: int) -> None:
    images = np.repeat(digits.x[:20], num_channels, axis=1)
    curves = image_codec_curves(EncodedSplit(images, digits.codes[:20]), seed=0)
    assert list(curves) == ["jpeg", "jpeg_mosaic", "webp", "webp_mosaic"]
    pixels = np.round(images * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    num_bytes, decoded = 0, []
    for picture in pixels:
        file = io.BytesIO()
        Image.fromarray(picture.squeeze()).save(file, "jpeg", quality=QUALITIES[-1], optimize=True)
        num_bytes += len(file.getvalue())
        decoded.append(np.asarray(Image.open(file)).reshape(8, 8, num_channels))
    assert curves["jpeg"]["bits_per_pixel"][-1] == pytest.approx(num_bytes * 8 / 20 / 64)
    expected = psnr((pixels / 255).astype(np.float32), (np.stack(decoded) / 255).astype(np.float32))
    assert curves["jpeg"]["psnr"][-1] == pytest.approx(expected, abs=1e-4)


def test_a_mosaic_spares_the_headers(digits: EncodedSplit) -> None:
    curves = image_codec_curves(digits, seed=0)
    for name in ("jpeg", "webp"):
        own, mosaic = curves[name], curves[f"{name}_mosaic"]
        assert own["quality"] == list(QUALITIES)
        assert mosaic["bits_per_pixel"][0] < own["bits_per_pixel"][0] / 3
        # Sides of 8 pixels are whole blocks, so that JPEG gives the mosaic's images the very same values.
        assert mosaic["psnr"] == pytest.approx(own["psnr"], abs=0.2 if name == "jpeg" else 5)


def test_a_mosaic_of_small_images_holds_them_all() -> None:
    assert [mosaic_size(256, side, side) for side in (8, 28, 500)] == [(16, 16)] * 3
    assert mosaic_size(20, 28, 28) == (5, 4)
    assert mosaic_size(1, 20_000, 8) == (1, 1)


@pytest.mark.parametrize(
    ("height", "width"), [(600, 600), (837, 837), (1024, 1024), (4000, 3), (3, 4000), (9000, 9000)]
)
def test_a_mosaic_is_no_larger_than_codecs_take(height: int, width: int) -> None:
    rows, columns = mosaic_size(256, height, width)
    assert min(rows, columns) >= 1
    assert max(rows * height, columns * width) <= MAX_SIDE
    assert rows * columns * height * width <= MAX_PIXELS


def test_pictures_of_which_jpeg_writes_more_than_a_byte_a_pixel_have_all_curves() -> None:
    """Colours of black and white channels, in places a pixel and in others two wide: chroma survives its halving."""
    rng = np.random.default_rng(0)
    pixels, blocks = rng.integers(0, 2, (64, 3, 64, 64)), rng.integers(0, 2, (64, 3, 32, 32))
    images = np.where(rng.random((64, 1, 64, 64)) < 0.5, blocks.repeat(2, 2).repeat(2, 3), pixels).astype(np.float32)
    curves = image_codec_curves(EncodedSplit(images, np.zeros((64, 1), np.float32)), seed=0)
    assert curves["jpeg_mosaic"]["bits_per_pixel"][-1] > 8
    assert all(len(curve["psnr"]) == len(QUALITIES) for curve in curves.values())


def test_images_that_no_mosaic_holds_all_of_have_one_of_some() -> None:
    images = np.linspace(0, 1, 25 * 3300 * 2, dtype=np.float32).reshape(25, 1, 3300, 2)
    curves = image_codec_curves(EncodedSplit(images, np.zeros((25, 1), np.float32)), seed=0)
    assert list(curves) == ["jpeg", "jpeg_mosaic", "webp", "webp_mosaic"]
    assert all(np.isfinite(curve["psnr"]).all() for curve in curves.values())


def test_images_of_other_channels_have_no_such_codec() -> None:
    images = np.zeros((4, 2, 8, 8), np.float32)
    assert image_codec_curves(EncodedSplit(images, np.zeros((4, 1), np.float32)), seed=0) == {}
