"""Folders, files and the like that are called after splits, as publishers spell them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from ae_lightning.data.data_line import first_few
from ae_lightning.data.splits import SPLITS, SplitName
from ae_lightning.errors import DataError

Part = Literal["train", "val", "test", "other"]
"""A split, or what is published beside splits and is none: images without labels, or masks."""

SPELLINGS: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training", "trn", "trainval"),
    "val": ("val", "valid", "validation", "validate", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "holdout"),
    "other": (
        *("pred", "predict", "prediction", "predictions", "extra", "unlabeled", "unlabelled", "meta", "metadata"),
        *("mask", "masks", "annotation", "annotations", "gt", "truth", "groundtruth", "preview", "previews"),
    ),
}

_PARTS: dict[str, Part] = {word: part for part, words in SPELLINGS.items() for word in words}
_THINGS = r"images?|imgs?|pictures?|pics?|photos?|samples?|data|dataset|sets?|split"
_COMMON = re.compile(rf"(?:{_THINGS}|jpe?g|png|raw|full|folder|\d+)$")
_COMPOUND = re.compile(rf"(.+?)(?:{_THINGS})$")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


class PartName(NamedTuple):
    """How a folder's name is read.

    Attributes:
        part: What it is called after.
        rest: The words of the name that do not say so, and are not common to data sets; empty where there are none.
    """

    part: Part
    rest: str


def words_of(name: str) -> list[str]:
    """Return the words and numbers of a name in lower case: of `TrainImages_2017`, `train`, `images` and `2017`."""
    return [word.lower() for word in _WORD.findall(name)]


def part_of_word(word: str) -> Part | None:
    """Return which split a word, such as `train` or `trainset`, names; None where that is none."""
    compound = _COMPOUND.match(word)
    return _PARTS.get(word) or (_PARTS.get(compound[1]) if compound else None)


def part_of(name: str) -> PartName | None:
    """Return which split a folder is called after; None where that is none, or more than one."""
    found: set[Part] = set()
    rest = []
    for word in words_of(name):
        part = part_of_word(word)
        if part is not None:
            found.add(part)
        elif not _COMMON.match(word):
            rest.append(word)
    if "other" in found:
        return PartName("other", " ".join(rest))
    return PartName(found.pop(), " ".join(rest)) if len(found) == 1 else None


def parts_of(names: Iterable[str]) -> dict[str, Part] | None:
    """Return what folders that lie side by side are, where all of them are called after splits.

    They are if two splits at least are among them, and what else their names say is said of each: `seg_train` and
    `seg_test` are splits, `bullet train` and `crash test` are not.

    Args:
        names: Of all folders that hold images.

    Returns:
        The part that each is; None where they are no splits.
    """
    read = {name: part_of(name) for name in names}
    known = {name: one for name, one in read.items() if one is not None}
    rests: dict[Part, set[str]] = {}
    for one in known.values():
        rests.setdefault(one.part, set()).add(one.rest)
    rests.pop("other", None)
    said = [found for found in rests.values() if "" not in found]
    if len(known) < len(read) or len(rests) < 2 or (said and not set.intersection(*said)):
        return None
    return {name: one.part for name, one in known.items()}


def split_by_names(parts: Mapping[str, Part], where: str, remedy: str) -> dict[SplitName, str]:
    """Return which of several things is which split.

    Args:
        parts: What each is, by its name.
        where: They are, which begins a message.
        remedy: What to do where they do not tell.

    Raises:
        DataError: If two are called after one split, or none is to train on.
    """
    found: dict[Part, list[str]] = {}
    for name, part in parts.items():
        found.setdefault(part, []).append(name)
    found.pop("other", None)
    for part, names in found.items():
        if len(names) > 1:
            raise DataError(f"{where} has {' and '.join(names)} for {part}; {remedy}")
    if "train" not in found:
        raise DataError(f"{where} has {first_few(list(parts))}, and nothing to train on; {remedy}")
    return {split: found[split][0] for split in SPLITS if split in found}


def told_of_splits(named: Mapping[SplitName, str], left_out: Sequence[str] = ()) -> list[str]:
    """Say which splits there are, and what is none of them."""
    told = "splits: " + ", ".join(f"{name} ({split})" for split, name in named.items())
    return [told, *([f"left out: {first_few(left_out)}"] if left_out else [])]
