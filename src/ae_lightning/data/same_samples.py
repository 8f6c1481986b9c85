"""Whether data are those that a checkpoint was trained on: else what it was trained on could be what judges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch.trainer.states import TrainerFn
from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.data.opened_data import OpenedData
from ae_lightning.data.splits import SplitName

_SAMPLES, _DATA_SET = "samples", "data_set"

JUDGED: dict[TrainerFn, SplitName] = {TrainerFn.FITTING: "val", TrainerFn.VALIDATING: "val", TrainerFn.TESTING: "test"}
"""The split that each of the Trainer's tasks judges a model on."""


def samples_state(data_set: str, contents: OpenedData) -> dict[str, Any]:
    """Return what a checkpoint keeps, in plain values, to know the samples of each split again."""
    return {_DATA_SET: data_set, _SAMPLES: {name: contents.fingerprint(name) for name in contents.num_samples}}


def fingerprints_in(state: Mapping[str, Any]) -> dict[str, str]:
    """Return what tells each split's samples from others, of what a checkpoint keeps."""
    return dict(state[_SAMPLES])


def other_splits(state: Mapping[str, Any], contents: OpenedData) -> set[SplitName]:
    """Return the splits that do not hold the samples that a checkpoint knows; none where it knows nothing."""
    kept = state.get(_SAMPLES)
    if not isinstance(kept, Mapping):
        return set()
    return {name for name in contents.num_samples if kept.get(name) != contents.fingerprint(name)}


def tell_of_other_samples(state: Mapping[str, Any], data_set: str, contents: OpenedData, task: TrainerFn) -> None:
    """Warn where a model may be judged on samples that it was trained on.

    Args:
        state: What its checkpoint keeps.
        data_set: Name of the data set at hand.
        contents: Its splits.
        task: What is about to be done with both.
    """
    other = other_splits(state, contents)
    # Another train split alone, in a training that goes on, takes samples from where they were validated on.
    is_other = "train" in other if task == TrainerFn.FITTING else {"train", JUDGED.get(task)} <= other
    # To judge a model by another data set is a question of its own.
    if is_other and (task == TrainerFn.FITTING or state.get(_DATA_SET) == data_set):
        rank_zero_warn(
            f"data: {data_set} is not divided, or not filled, as it was for the checkpoint: the model may be judged on "
            "samples that it was trained on"
        )
