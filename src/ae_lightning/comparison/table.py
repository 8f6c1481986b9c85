"""Runs as rows, measures as columns: the numbers of a comparison."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ae_lightning.callbacks.defaults import complete
from ae_lightning.comparison.contest import FINISHED, PCA, Contest, Row, Value
from ae_lightning.errors import ConfigError
from ae_lightning.tracking.comparison import TrackedRun, metrics_of
from ae_lightning.tracking.keys import short_keys

SEEDS = ("seed_everything", "model.seed", "data.seed")
"""Parameters in which repetitions of one training differ."""

LATENT_DIM = "model.latent_dim"

COLUMNS = ("model", LATENT_DIM)
"""Parameters that have a column of their own."""

PCA_DECODES = "pca_decodes"
"""The parameter that says whether what PCA decoded was clipped, as it is beside some networks and not beside others."""

UNTOLD = (
    *("num_parameters", "model.spec", "model.input_shape", "ckpt_path", "keep_memory", "checkpoint.directory"),
    PCA_DECODES,
)
"""Parameters that follow from others or change no result: repetitions may differ in them too."""

UNTOLD_GROUP = "trainer.logger"
"""Where a run is tracked, and under which names: the same."""

JUDGED_BY = {
    "test": ("evaluation.max_gib", "evaluation.max_train_images"),
    "val": ("evaluation.max_gib", "evaluation.max_train_images", "evaluation.num_images"),
}
"""Parameters beside those of the data that decide what a run is judged on, by split: `fit` takes a sample of val."""

NOT_JUDGED_BY = (
    "data.augment",
    "data.batch_size",
    "data.follow_links",
    "data.on_device",
    "data.on_error",
    "data.overlay",
    "data.predict_split",
)
"""Parameters of the data that do not: images that are laid over one another have a measure of their own."""

LONG_NUMBER = re.compile(r"-?\d+\.\d{6,}(e-?\d+)?")
"""What arithmetic left of a setting: nobody wrote so many digits."""

LARGEST = 1e308
"""Beyond it a value is no number: MLflow keeps infinity as the largest there is."""

SAME_WITHIN = 1e-3
"""Relative difference of PCA's own values between runs that is put down to rounding."""


@dataclass(frozen=True)
class Comparison:
    """The table of a comparison.

    Attributes:
        rows: By latent_dim, PCA last in each.
        measures: Columns, in the order in which evaluations log them.
        stage: The split that was judged.
        names: Short names of the keys in which rows differ.
    """

    rows: tuple[Row, ...]
    measures: tuple[str, ...]
    stage: Literal["val", "test"]
    names: Mapping[str, str]

    @property
    def note(self) -> str:
        """Which measures these are."""
        if self.stage == "test":
            return "Measures of the test split."
        return "Measures of the val split, the last that each run logged: of its last judged epoch, or by `validate`."

    def contests(self, *, by_latent_dim: bool) -> list[Contest]:
        """Return the rows that are held against one another: judged on the same samples.

        Args:
            by_latent_dim: Whether those of one code length alone are.
        """
        groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
        for row in self.rows:
            told = [f"{self.names[key]} {value}" for key, value in row.judged_on.items()]
            groups[*([f"latent_dim {row.latent_dim}"] if by_latent_dim else []), *told].append(row)
        return [Contest(", ".join(told), tuple(rows)) for told, rows in groups.items()]

    def setting_names(self) -> list[str]:
        """Return the keys in which rows differ."""
        return list(dict.fromkeys(key for row in self.rows for key in row.settings))


def short_number(text: str) -> str:
    """Return a setting's value with at most six digits where it is a number of more, such as 0.08163265306122448."""
    return f"{float(text):.6g}" if LONG_NUMBER.fullmatch(text) else text


def compare_runs(runs: Sequence[TrackedRun], stage: Literal["val", "test"] = "test") -> Comparison:
    """Set runs side by side; runs that differ in their seed and in names alone share a row, if they ended alike.

    Args:
        runs: What is compared; runs with no measure of the stage are left out.
        stage: The split whose measures are shown.

    Returns:
        The table, PCA at each latent_dim beside the autoencoders.

    Raises:
        ConfigError: If a run does not say its latent_dim.
    """
    judged = [run for run in runs if metrics_of(run, stage)]
    for run in judged:
        if LATENT_DIM not in run.params:
            raise ConfigError(f"compare: run {run.run_id} ({run.name}) has no parameter {LATENT_DIM}; leave it out")
    repetitions = _repetitions(judged)
    names = short_keys(_differing([dict(key) for key, _ in repetitions]))
    rows = [_row(dict(key), names, group, stage) for (key, _), group in repetitions.items()]
    rows += _pca_rows(rows, names, stage)
    rows.sort(key=lambda row: (row.latent_dim, row.variant == PCA))
    measures = dict.fromkeys(name for row in rows for name in row.values)
    return Comparison(tuple(_told_apart(rows)), tuple(measures), stage, names)


def _told_apart(rows: Sequence[Row]) -> list[Row]:
    """Number the rows whose labels are the same, as those of two numbers are that differ in the seventh digit."""
    seen: Counter[str] = Counter()
    told = []
    for row in rows:
        seen[row.label] += 1
        told.append(row if seen[row.label] == 1 else replace(row, label=f"{row.label} ({seen[row.label]})"))
    return told


def _repetitions(runs: Sequence[TrackedRun]) -> dict[tuple[tuple[tuple[str, str], ...], str], list[TrackedRun]]:
    """Return the runs of each configuration and status."""
    groups: dict[tuple[tuple[tuple[str, str], ...], str], list[TrackedRun]] = defaultdict(list)
    told = [{key: value for key, value in {**run.params, "model": run.variant}.items() if _tells(key)} for run in runs]
    for run, settings in zip(runs, complete(told), strict=True):
        groups[tuple(sorted(settings.items())), run.status].append(run)
    return groups


def _tells(key: str) -> bool:
    """Whether runs with other values of a parameter are no repetitions of one training."""
    return key not in (*SEEDS, *UNTOLD) and not key.startswith(UNTOLD_GROUP)


def _judges(key: str, stage: Literal["val", "test"]) -> bool:
    """Whether runs with other values of a parameter are judged on other images, or on other ones of them."""
    return key in JUDGED_BY[stage] or (key.startswith("data.") and key not in NOT_JUDGED_BY)


def _differing(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the keys that have several values, or that only some runs of a class say."""
    keys = dict.fromkeys(key for one in settings for key in one)
    return [key for key in keys if key not in COLUMNS and len(_values_of(key, settings)) > 1]


def _values_of(key: str, settings: Sequence[Mapping[str, str]]) -> set[str | None]:
    """Return the values of a key; None where the class is the same, and yet it is missing."""
    class_key = key.rpartition(".")[0]
    having = [one for one in settings if key in one]
    owners = {(one["model"], one.get(class_key)) for one in having}
    lacking = (one for one in settings if key not in one and (one["model"], one.get(class_key)) in owners)
    return {*(one[key] for one in having), *(None for _ in lacking)}


def _row(
    settings: Mapping[str, str], names: Mapping[str, str], runs: Sequence[TrackedRun], stage: Literal["val", "test"]
) -> Row:
    variant, status, latent_dim = runs[0].variant, runs[0].status, int(settings[LATENT_DIM])
    told = {key: settings[key] for key in names if key in settings}
    return Row(
        variant=variant,
        status=status,
        latent_dim=latent_dim,
        settings=told,
        judged_on={key: value for key, value in told.items() if _judges(key, stage)},
        label=_label(variant, status, latent_dim, told, names),
        runs=tuple(runs),
        values=_values(runs, stage, is_pca=False),
        decodes=runs[0].params.get(PCA_DECODES, ""),
    )


def _label(variant: str, status: str, latent_dim: int, settings: Mapping[str, str], names: Mapping[str, str]) -> str:
    told = [f"{names[key]} {short_number(value)}" for key, value in settings.items()]
    return ", ".join([f"{variant}-{latent_dim}", *told, *([] if status == FINISHED else [status])])


def _pca_rows(rows: Sequence[Row], names: Mapping[str, str], stage: Literal["val", "test"]) -> list[Row]:
    """Return a row of the baseline for each latent_dim and what was judged on, or two: clipped to its range, and not.

    It depends on these alone, but for ``denoising_psnr_gain``: each variant has a corruption of its own.
    """
    groups: dict[tuple[int, tuple[tuple[str, str], ...], str], list[TrackedRun]] = defaultdict(list)
    for row in rows:
        groups[row.stands_beside].extend(row.runs)
    rows_of_pca = []
    for (latent_dim, judged_on, decodes), runs in groups.items():
        told = dict(judged_on)
        finished = [run for run in runs if run.status == FINISHED]
        values = _values(finished or runs, stage, is_pca=True)
        is_one_of_two = sum(other[:2] == (latent_dim, judged_on) for other in groups) > 1
        label = _label(PCA, FINISHED, latent_dim, told, names)
        label = f"{label}, {decodes}" if decodes and is_one_of_two else label
        if values:
            rows_of_pca.append(Row(PCA, FINISHED, latent_dim, told, told, label, (), values, decodes))
    return rows_of_pca


def _values(runs: Sequence[TrackedRun], stage: Literal["val", "test"], *, is_pca: bool) -> dict[str, Value]:
    logged: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        for name, value in metrics_of(run, stage).items():
            if name.startswith("pca_") == is_pca:
                logged[name.removeprefix("pca_")].append(value)
    return {name: _value(values, is_pca=is_pca) for name, values in logged.items()}


def _value(values: Sequence[float], *, is_pca: bool) -> Value:
    if not all(abs(value) < LARGEST for value in values):
        return Value(math.nan, None)
    # PCA's own values repeat from run to run, and their spread would tell nothing; where they do not, it is told.
    is_same = is_pca and all(math.isclose(value, values[0], rel_tol=SAME_WITHIN) for value in values)
    repeats = len(values) > 1 and not is_same
    return Value(statistics.fmean(values), statistics.stdev(values) if repeats else None)
