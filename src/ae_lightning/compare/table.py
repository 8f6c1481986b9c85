"""Runs as rows, measures as columns: the numbers of a comparison."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ae_lightning.compare.defaults import complete
from ae_lightning.errors import ConfigError
from ae_lightning.judging.directions import best_of
from ae_lightning.tracking.comparison import TrackedRun, metrics_of
from ae_lightning.tracking.keys import short_keys

PCA = "PCA"
"""The variant's name in the rows of the baseline."""

FINISHED = "FINISHED"
"""Status of a run that got to its end."""

UNFINISHED = "What has not finished is marked, and never the best."

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
    "data.batch_size",
    "data.follow_links",
    "data.on_device",
    "data.on_error",
    "data.overlay",
    "data.predict_split",
)
"""Parameters of the data that do not: images that are laid over one another have a measure of their own."""

LARGEST = 1e308
"""Beyond it a value is no number: MLflow keeps infinity as the largest there is."""

SAME_WITHIN = 1e-3
"""Relative difference of PCA's own values between runs that is put down to rounding."""


@dataclass(frozen=True)
class Value:
    """A measure over the seeds of one configuration.

    Attributes:
        mean: The mean.
        spread: The sample standard deviation; None for a single seed.
    """

    mean: float
    spread: float | None

    def __str__(self) -> str:
        """Four decimals, and the spread where there is one."""
        return f"{self.mean:.4f}" if self.spread is None else f"{self.mean:.4f} ± {self.spread:.4f}"


@dataclass(frozen=True)
class Row:
    """One configuration, over all its seeds that ended alike.

    Attributes:
        variant: Class name of the autoencoder, or ``PCA``.
        status: Of its runs, as MLflow calls it; what has not finished contests nothing.
        latent_dim: Length of a code.
        settings: What else tells it from other rows: values by the command line's keys, short class names.
        judged_on: Those of the settings that decide what it is judged on.
        label: Variant, latent_dim and settings in a line, no other row's.
        runs: Its runs, one a seed; of the baseline none.
        values: By measure.
    """

    variant: str
    status: str
    latent_dim: int
    settings: Mapping[str, str]
    judged_on: Mapping[str, str]
    label: str
    runs: tuple[TrackedRun, ...]
    values: Mapping[str, Value]

    @property
    def title(self) -> str:
        """The variant, marked where its runs have not finished."""
        return self.variant if self.status == FINISHED else f"{self.variant} ({self.status})"

    @property
    def contest(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        """What rows have in common that are held against one another: the latent_dim, and what they are judged on."""
        return self.latent_dim, tuple(self.judged_on.items())


@dataclass(frozen=True)
class Comparison:
    """The table of a comparison.

    Attributes:
        rows: By latent_dim, PCA last in each.
        measures: Columns, in the order in which evaluations log them.
        stage: The split that was judged.
    """

    rows: tuple[Row, ...]
    measures: tuple[str, ...]
    stage: Literal["val", "test"]

    @property
    def note(self) -> str:
        """Which measures these are."""
        if self.stage == "test":
            return "Measures of the test split."
        return "Measures of the val split, the last that each run logged: of its last judged epoch, or by `validate`."

    @property
    def has_unfinished(self) -> bool:
        """Whether a row's runs have not finished."""
        return any(row.status != FINISHED for row in self.rows)

    def by_latent_dim(self) -> dict[int, list[Row]]:
        """Return the rows of each latent_dim."""
        groups: dict[int, list[Row]] = defaultdict(list)
        for row in self.rows:
            groups[row.latent_dim].append(row)
        return dict(sorted(groups.items()))

    def is_best(self, row: Row, measure: str) -> bool:
        """Whether a row has the best mean of those that it is held against, which have all finished.

        No term of an objective has a best one.
        """
        if row.status != FINISHED or measure not in row.values:
            return False
        finished = [other for other in self.rows if other.status == FINISHED and measure in other.values]
        rivals = [rival for rival in finished if rival.contest == row.contest]
        return row.values[measure].mean == best_of(measure, (rival.values[measure].mean for rival in rivals))

    def setting_names(self) -> list[str]:
        """Return the keys in which rows differ."""
        return list(dict.fromkeys(key for row in self.rows for key in row.settings))


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
    return Comparison(tuple(rows), tuple(measures), stage)


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
    label = _label(variant, status, latent_dim, told, names)
    judged_on = {key: value for key, value in told.items() if _judges(key, stage)}
    return Row(variant, status, latent_dim, told, judged_on, label, tuple(runs), _values(runs, stage, is_pca=False))


def _label(variant: str, status: str, latent_dim: int, settings: Mapping[str, str], names: Mapping[str, str]) -> str:
    told = [f"{names[key]} {value}" for key, value in settings.items()]
    return ", ".join([f"{variant}-{latent_dim}", *told, *([] if status == FINISHED else [status])])


def _pca_rows(rows: Sequence[Row], names: Mapping[str, str], stage: Literal["val", "test"]) -> list[Row]:
    """Return a row of the baseline for each latent_dim and what was judged on, or two: clipped to its range, and not.

    It depends on these alone, but for ``denoising_psnr_gain``: each variant has a corruption of its own.
    """
    contests: dict[tuple[int, tuple[tuple[str, str], ...]], dict[str, list[TrackedRun]]] = defaultdict(dict)
    for row in rows:
        for run in row.runs:
            contests[row.contest].setdefault(run.params.get(PCA_DECODES, ""), []).append(run)
    rows_of_pca = []
    for (latent_dim, judged_on), groups in contests.items():
        told = dict(judged_on)
        label = _label(PCA, FINISHED, latent_dim, told, names)
        for decodes, runs in groups.items():
            finished = [run for run in runs if run.status == FINISHED]
            if values := _values(finished or runs, stage, is_pca=True):
                own = f"{label}, {decodes}" if decodes and len(groups) > 1 else label
                rows_of_pca.append(Row(PCA, FINISHED, latent_dim, told, told, own, (), values))
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
