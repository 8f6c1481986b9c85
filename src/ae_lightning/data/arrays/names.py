"""Which of an archive's arrays are samples, labels and factors, and of which split: by what publishers call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ae_lightning.data.arrays.samples import Header
from ae_lightning.data.split_names import Part, part_of_word, words_of
from ae_lightning.data.splits import SPLITS, SplitName
from ae_lightning.errors import DataError

Role = Literal["x", "y", "factors"]

_WORDS: dict[Role, tuple[str, ...]] = {
    "x": ("x", "image", "images", "img", "imgs", "data", "sample", "samples", "feature", "features", "input", "inputs"),
    "y": ("y", "label", "labels", "target", "targets"),
    "factors": ("factors",),
}
_ROLES: dict[str, Role] = {word: role for role, words in _WORDS.items() for word in words}
_WHOLE_NAMES: dict[str, Role] = {"latents_classes": "factors"}
"""Of dSprites, whose words would say something else."""


@dataclass(frozen=True)
class ArrayNames:
    """What the arrays of an archive are.

    Attributes:
        samples: Of each split by name, in the order of `SPLITS`; without a test split `train` may hold all there is.
        labels: Likewise; empty where there are none.
        factors: Likewise.
        left_out: The others.
    """

    samples: dict[SplitName, str]
    labels: dict[SplitName, str]
    factors: dict[SplitName, str]
    left_out: tuple[str, ...]


def find_arrays(path: object, headers: Mapping[str, Header]) -> ArrayNames:
    """Tell what the arrays of an archive are.

    Args:
        path: Of the archive, for the error.
        headers: Of all its arrays, by name.

    Raises:
        DataError: If it cannot be told, or one is missing.
    """
    there = ", ".join(f"{name} {header.shape} {header.dtype}" for name, header in headers.items()) or "none"
    roles = {name: _role_of(name) for name in headers}
    if not any(role is not None and role[0] == "x" for role in roles.values()):
        others = [name for name, role in roles.items() if role is None and _may_be_samples(headers[name])]
        if len(others) != 1:
            remedy = "call them x, or x_train and x_test"
            raise DataError(f"{path}: which array has the samples cannot be told; {remedy} (there: {there})")
        roles[others[0]] = ("x", None)
    is_divided = any(role is not None and role[0] == "x" and role[1] is not None for role in roles.values())
    found: dict[Role, dict[SplitName, str]] = {"x": {}, "y": {}, "factors": {}}
    for name, role in roles.items():
        if role is None or role[1] == "other" or (role[1] is None) == is_divided:
            continue
        kind, part = role[0], role[1] or "train"
        before = found[kind].get(part)
        if before is not None and _is_plain(before) == _is_plain(name):
            raise DataError(
                f"{path}: {before} and {name} may both be {kind}_{part}; call the one that is so (there: {there})"
            )
        if before is None or _is_plain(name):
            found[kind][part] = name
    samples, labels, factors = found["x"], found["y"], found["factors"]
    needed = {f"x_{part}": part in samples for part in ("train", *labels, *factors)}
    for kind, own in (("y", labels), ("factors", factors)):
        needed |= {f"{kind}_{part}": part in own for part in samples if own}
    for name, is_there in needed.items():
        if not is_there:
            raise DataError(f"{path}: the array {name} is missing (there: {there})")
    used = {name for own in found.values() for name in own.values()}
    ordered = {split: samples[split] for split in SPLITS if split in samples}
    return ArrayNames(ordered, labels, factors, tuple(name for name in headers if name not in used))


def _role_of(name: str) -> tuple[Role, Part | None] | None:
    """Return what an array's name says, and of which split; None where a word of it says something else."""
    if name in _WHOLE_NAMES:
        return _WHOLE_NAMES[name], None
    words = words_of(name)
    roles = [_ROLES[word] for word in words if word in _ROLES]
    parts = [part for word in words if word not in _ROLES and (part := part_of_word(word)) is not None]
    if len(roles) != 1 or len(parts) > 1 or len(roles) + len(parts) < len(words):
        return None
    return roles[0], parts[0] if parts else None


def _is_plain(name: str) -> bool:
    """Whether an array is called as this package calls it."""
    return name.partition("_")[0] in _WORDS


def _may_be_samples(header: Header) -> bool:
    return len(header.shape) > 1 and header.dtype.kind in "fiub"
