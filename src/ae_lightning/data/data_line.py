"""What was understood of a data set, in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ae_lightning.data.splits import SplitName
from ae_lightning.plain_text import plain

NUM_NAMED = 3
"""Classes, files and the like that are named; of the others the number is told."""


def data_line(
    name: str,
    shape: Sequence[int],
    num_samples: Mapping[SplitName, int],
    class_names: Sequence[str] | None,
    notes: Sequence[str],
) -> str:
    """Return what a run says of its data as it begins.

    Args:
        name: Of the data set.
        shape: Of one sample.
        num_samples: Of each split, by name.
        class_names: None where the samples are unlabelled.
        notes: How the source was understood, and what was left out.
    """
    sizes = ", ".join(f"{count:,} {split}" for split, count in num_samples.items())
    classes = "no labels"
    if class_names is not None:
        classes = f"{len(class_names):,} class{'' if len(class_names) == 1 else 'es'} ({first_few(class_names)})"
    return plain("; ".join([f"{name}: {' × '.join(map(str, shape))}", sizes, classes, *notes]))


def first_few(names: Sequence[str], num: int = NUM_NAMED) -> str:
    """Return the first of some names in words."""
    return ", ".join([*names[:num], *(["…"] if len(names) > num else [])])
