"""What the Trainer's settings mean."""

import pytest

from ae_lightning.command_line.parsed_settings import is_distributed


@pytest.mark.parametrize(
    ("devices", "expected"),
    [(1, False), (2, True), ("1", False), ("2", True), ("0,1", True), ("0,", False), ([0], False), ([0, 1], True)],
)
def test_devices_say_whether_a_training_is_distributed(devices: object, expected: bool) -> None:
    assert is_distributed({"devices": devices, "num_nodes": 1, "accelerator": "gpu"}) is expected


def test_several_nodes_are_distributed_whatever_their_devices() -> None:
    assert is_distributed({"devices": [0], "num_nodes": 2, "accelerator": "gpu"})
