"""How the GPUs of a machine are shared out among its workers."""

from __future__ import annotations

from collections.abc import Sequence

from ae_lightning.errors import ConfigError

ALL_DEVICES = ("auto", "-1")
"""What `trainer.devices` says to take all there are."""


def share_of_gpus(devices: str, num_taken: int, num_gpus: int, num_workers: int) -> int:
    """Return how many GPUs each worker has for a trial.

    Workers whose trials take one GPU each may be more than there are GPUs: they share them.

    Args:
        devices: `trainer.devices` as given.
        num_taken: How many GPUs a trial takes where it sees all of them.
        num_gpus: How many there are.
        num_workers: How many workers there are.

    Raises:
        ConfigError: If trials on several GPUs each do not find room beside each other.
    """
    if devices in ALL_DEVICES:
        return max(1, num_gpus // num_workers)
    if num_taken > 1 and num_workers * num_taken > num_gpus:
        raise ConfigError(
            f"--workers: {num_workers} workers with {num_taken} devices each (trainer.devices) need "
            f"{num_workers * num_taken} GPUs, and there are {num_gpus}"
        )
    return num_taken


def gpus_of_worker(index: int, share: int, visible: Sequence[str]) -> Sequence[str]:
    """Return the GPUs of a worker.

    Args:
        index: Of the worker, from 0.
        share: How many GPUs each has.
        visible: All GPUs, as `CUDA_VISIBLE_DEVICES` names them.
    """
    size = min(share, len(visible))
    first = index * size % (len(visible) // size * size)
    return visible[first : first + size]
