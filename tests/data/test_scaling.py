import pytest
import torch

from ae_lightning.data.scaling import scale, scale_image_max, scale_unit


def test_unit_maps_bytes_onto_zero_to_one():
    scaled = scale_unit(torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1))
    assert scaled.dtype == torch.float32
    assert scaled.flatten().tolist() == pytest.approx([0, 0.2, 1])


def test_image_max_takes_the_maximum_over_all_channels():
    images = torch.tensor([[[[10]], [[20]], [[40]]], [[[255]], [[0]], [[51]]]], dtype=torch.uint8)
    scaled = scale_image_max(images)
    assert scaled[0].flatten().tolist() == pytest.approx([0.25, 0.5, 1])
    assert scaled[1].flatten().tolist() == pytest.approx([1, 0, 0.2])


def test_image_max_leaves_a_black_image_black():
    assert scale_image_max(torch.zeros(2, 1, 3, 3, dtype=torch.uint8)).eq(0).all()


@pytest.mark.parametrize("scaling", ["unit", "image_max"])
def test_scaling_leaves_its_input_alone_and_keeps_memory_order(scaling):
    images = torch.randint(0, 256, (2, 3, 4, 5), dtype=torch.uint8).to(memory_format=torch.channels_last)
    before = images.clone()
    scaled = scale(images, scaling)
    assert torch.equal(images, before)
    assert scaled.is_contiguous(memory_format=torch.channels_last)


def test_scale_follows_the_name():
    images = torch.tensor([1, 2], dtype=torch.uint8).view(1, 1, 1, 2)
    assert scale(images, "unit").max() == 2 / 255
    assert scale(images, "image_max").max() == 1
