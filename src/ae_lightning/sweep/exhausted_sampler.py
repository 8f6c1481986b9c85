"""Whether a sampler that tries everything once, such as a grid, has nothing left to try."""

from __future__ import annotations

from typing import Any

import optuna

from ae_lightning.sweep.classes import SeededSampler
from ae_lightning.sweep.study_file import StudyFile

EXHAUSTED = "exhausted"
"""Attribute of the study: the sampler and the space of which everything is tried."""


def note_exhaustion(study: optuna.Study, file: StudyFile) -> None:
    """If the sampler has tried everything, note it for other workers and nights."""
    if isinstance(study.sampler, SeededSampler) and study.sampler.is_exhausted:
        study.set_user_attr(EXHAUSTED, _searched(file))


def is_exhausted(study: optuna.Study, file: StudyFile) -> bool:
    """Whether the sampler has tried everything; no longer once it or the space is edited."""
    return bool(study.user_attrs.get(EXHAUSTED) == _searched(file))


def _searched(file: StudyFile) -> dict[str, Any]:
    return file.model_dump(mode="json", include={"sampler", "space"})
