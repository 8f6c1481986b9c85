"""How the GPUs of a machine are shared out among its workers."""

from __future__ import annotations

import pytest

from ae_lightning.errors import ConfigError
from ae_lightning.sweep.checking import share_of_gpus
from ae_lightning.sweep.processes import gpus_of_worker


@pytest.mark.parametrize(
    ("devices", "num_taken", "num_gpus", "num_workers", "shares"),
    [
        ("auto", 4, 4, 4, ["0", "1", "2", "3"]),
        ("auto", 4, 4, 2, ["01", "23"]),
        ("-1", 5, 5, 2, ["01", "23"]),
        ("auto", 2, 2, 4, ["0", "1", "0", "1"]),
        ("2", 2, 4, 2, ["01", "23"]),
        ("1", 1, 1, 2, ["0", "0"]),
        ("[0]", 1, 2, 2, ["0", "1"]),
        ("0,", 1, 2, 2, ["0", "1"]),
        ("[1, 0]", 2, 4, 2, ["01", "23"]),
        ("0,1", 2, 4, 2, ["01", "23"]),
    ],
)
def test_gpus_are_dealt_out(devices, num_taken, num_gpus, num_workers, shares):
    share = share_of_gpus(devices, num_taken, num_gpus, num_workers)
    visible = [str(number) for number in range(num_gpus)]
    assert ["".join(gpus_of_worker(index, share, visible)) for index in range(num_workers)] == shares


def test_trials_on_several_gpus_that_find_no_room_are_refused():
    with pytest.raises(ConfigError, match=r"3 workers with 2 devices each .* need 6 GPUs, and there are 4"):
        share_of_gpus("2", 2, 4, 3)


@pytest.mark.parametrize(
    ("devices", "num_taken", "allowed"),
    [("[1]", 1, "1 or [0]"), ("1,", 1, "1 or [0]"), ("[0, 2]", 2, "2 or [0, 1]"), ("2,3", 2, "2 or [0, 1]")],
)
def test_a_gpu_of_a_number_that_no_worker_sees_is_refused(devices, num_taken, allowed):
    with pytest.raises(ConfigError) as refusal:
        share_of_gpus(devices, num_taken, 4, 2)
    assert str(refusal.value).startswith(f"trainer.devices: {devices} is not allowed with --workers 2, ")
    assert str(refusal.value).endswith(f"; give {allowed}")


def test_trials_on_processors_leave_the_gpus_alone():
    """Their number of devices says nothing about GPUs."""
    assert gpus_of_worker(1, 2, ["0"]) == ["0"]
