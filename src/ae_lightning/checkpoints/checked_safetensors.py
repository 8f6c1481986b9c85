"""Tensors and a text in one safetensors file, with a checksum over both: nothing is unpickled, and damage is seen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ae_lightning.errors import CheckpointError, first_line

_DIGEST = "ae_lightning.sha256"
"""Metadata: the SHA-256 of the text and the tensors."""


def packed(key: str, text: str, tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Return the content of a file.

    Args:
        key: What the text is called in the file's metadata.
        text: Usually JSON.
        tensors: On the CPU, contiguous and sharing no memory.
    """
    return save(dict(tensors), {"format": "pt", key: text, _DIGEST: digest_of(text, tensors)})


def unpacked(path: Path, key: str, what: str, nothing: str) -> tuple[str, dict[str, torch.Tensor]]:
    """Read what `packed` gave.

    Args:
        path: The file.
        key: What the text is called in the file's metadata.
        what: Names the file in errors, such as `checkpoint`.
        nothing: Says of a file without such a text what it is not.

    Returns:
        The text and the tensors.

    Raises:
        CheckpointError: If the file is damaged, or is another program's.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{what} {path}: damaged, or not a safetensors file ({first_line(error)})") from error
    if key not in metadata:
        raise CheckpointError(f"{what} {path}: {nothing}")
    if metadata.get(_DIGEST) != digest_of(metadata[key], tensors):
        raise CheckpointError(f"{what} {path}: damaged (its checksum is wrong)")
    return metadata[key], tensors


def digest_of(text: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of a text and of named tensors on the CPU, whatever their order."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
