"""Files read on several threads: the same samples in the same order as on one, and a large JPEG at a smaller scale."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images

from ae_lightning.data.image_folder.decoding import read_image
from ae_lightning.data.image_folder.folder import read_folder
from ae_lightning.data.image_folder.settings import FolderReading
from ae_lightning.data.image_folder.threads import AHEAD, in_threads


@pytest.fixture(params=[1, 2])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def doubled_even(number):
    # Later ones are done sooner.
    time.sleep(0.002 * (5 - number % 5))
    if number % 2:
        raise ValueError(number)
    return 2 * number


def test_results_and_errors_come_in_the_order_of_the_items(threads):
    found = []
    for item, result in in_threads(doubled_even, range(40)):
        try:
            found.append((item, result()))
        except ValueError as error:
            found.append((item, error.args))
    assert found == [(number, (number,) if number % 2 else 2 * number) for number in range(40)]


def test_no_more_is_done_ahead_than_was_said(threads):
    begun = []
    results = in_threads(begun.append, range(1000))
    for _ in range(3):
        next(results)
    results.close()
    assert len(begun) <= 3 + AHEAD * threads


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """JPEG files of two photographs, one of each also lying on its side, and one file that is damaged."""
    folder = tmp_path_factory.mktemp("photographs")
    for name, pixels in zip(("china", "flower"), load_sample_images().images, strict=True):
        (folder / name).mkdir()
        image = Image.fromarray(pixels)
        turned = Image.Exif()
        turned[0x0112] = 6
        image.save(folder / name / "1.jpg", quality=95)
        image.transpose(Image.Transpose.ROTATE_90).save(folder / name / "2.jpg", quality=95, exif=turned)
        image.resize((40, 30)).save(folder / name / "3.jpg", quality=95)
    (folder / "china" / "0.jpg").write_bytes((folder / "china" / "1.jpg").read_bytes()[:20_000])
    return folder


def test_two_threads_read_what_one_does(photographs, threads):
    with pytest.warns(UserWarning, match=r"left out: .*0\.jpg is truncated"):
        data = read_folder(photographs, reading=FolderReading(image_size=32, on_error="skip", resize="squash"))
    labels = {int(label): split.x[split.labels == label] for split in (data.train, data.test) for label in split.labels}
    assert data.num_skipped == 1
    assert len(data.train) + len(data.test) == 6
    for label, name in enumerate(data.class_names):
        expected = np.asarray(read_image(photographs / name / "1.jpg", (32, 32))).transpose(2, 0, 1)
        # Turned and small ones are nearly the same picture.
        assert (labels[label].float() - torch.from_numpy(expected.copy())).abs().mean(dim=(1, 2, 3)).max() < 12


@pytest.mark.parametrize("file", ["1.jpg", "2.jpg", "3.jpg"])
@pytest.mark.parametrize("size", [(64, 64), (96, 40), (20, 30)])
def test_a_large_jpeg_at_a_smaller_scale_differs_by_less_than_a_level(photographs, size, file):
    for name in ("china", "flower"):
        read = np.asarray(read_image(photographs / name / file, size), dtype=float)
        with Image.open(photographs / name / file) as image:
            turn = {"2.jpg": Image.Transpose.ROTATE_270}.get(file)
            whole = image.copy() if turn is None else image.transpose(turn)
        expected = np.asarray(whole.resize(size, Image.Resampling.BICUBIC), dtype=float)
        assert np.abs(read - expected).mean() < 1


def test_a_large_jpeg_is_not_decoded_whole(photographs, monkeypatch):
    scales = []
    monkeypatch.setattr(
        "ae_lightning.data.image_folder.decoding._flatten",
        lambda image: scales.append(image.size) or image.convert("RGB"),
    )
    read_image(photographs / "china" / "1.jpg", (64, 64))
    read_image(photographs / "china" / "2.jpg", (20, 40))
    read_image(photographs / "china" / "3.jpg", (20, 20))
    assert scales == [(320, 214), (107, 160), (40, 30)]
