"""What a command settles about the machine, once it is parsed and before anything is built."""

from __future__ import annotations

from jsonargparse import Namespace

from ae_lightning.machine.precision import allow_tf32, choose_precision, uses_cpu
from ae_lightning.machine.speedups import answer_at_once_for_gpus, keep_freed_memory


def settle_machine(settings: Namespace, *, trains: bool) -> None:
    """Choose the precision where nobody did, and let torch use tensor cores and memory as it may.

    Args:
        settings: The command's; the precision is filled in.
        trains: Whether it trains: what is judged is computed in full precision.
    """
    accelerator = settings.trainer.accelerator
    if settings.trainer.precision is None:
        settings.trainer.precision = choose_precision(accelerator) if trains else "32-true"
    if trains:
        allow_tf32()
    if uses_cpu(accelerator):
        answer_at_once_for_gpus()
        if settings.keep_memory:
            keep_freed_memory()
