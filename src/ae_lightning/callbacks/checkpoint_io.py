"""How the Trainer writes and reads checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from ae_lightning.checkpoints.files import LAST_CHECKPOINT, find_damage, write_checkpoint
from ae_lightning.checkpoints.loading import load_state
from ae_lightning.checkpoints.readable import readable


class SoundCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints whole or not at all, and reads none that is damaged or holds code."""

    def __init__(self) -> None:
        super().__init__()
        self._written: set[Path] = set()

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint; the file that was there before stays until the new one is whole.

        What another process left there may be damaged: the one before it, which was gone on from then, is kept.

        Raises:
            CheckpointError: If it holds what could not be read again.
            OSError: If the disk does not take it.
        """
        path = Path(path)
        # No other is kept as the previous one; to look at a file is to read it.
        is_sound = path.name != LAST_CHECKPOINT or path in self._written or find_damage(path) is None
        write_checkpoint(readable(checkpoint), path, keeps_previous=is_sound)
        self._written.add(path)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint as data alone, on the CPU, whatever the Trainer asks for.

        Raises:
            CheckpointError: If it is missing or damaged, or holds anything but data.
        """
        return load_state(path)
