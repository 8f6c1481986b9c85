"""The tables of `docs/results.md` and `docs/limits.md`, as Markdown."""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import numpy as np

from ae_lightning.errors import ConfigError, TrackingError
from ae_lightning.judging.directions import best_places
from ae_lightning.tracking import tracking_uri_from_environment
from ae_lightning.tracking.comparison import RunReader, TrackedRun
from experiments.trainings import LATENT_DIMS, TABULATED, Training, all_trainings

THEIRS = {
    "k-means": {
        2: {"vanilla": 61.71, "double": 55.26, "vae": 17.13, "sample_vae": 49.78},
        32: {"vanilla": 85.0, "double": 85.12, "vae": 36.52, "sample_vae": 76.17},
    },
    "GMM": {
        2: {"vanilla": 61.67, "double": 54.67, "vae": 11.36, "sample_vae": 39.47},
        32: {"vanilla": 83.64, "double": 82.87, "vae": 13.67, "sample_vae": 49.65},
    },
}
"""Eftimiades's tables, in per cent."""

OURS = {"k-means": ("nearest_centroid_accuracy", "kmeans_accuracy"), "GMM": ("class_gaussian_accuracy", "gmm_accuracy")}
"""What each of its rows measures, and what clustering without labels gives on the same codes."""

APPLICATIONS = {
    "denoising": ("denoising_psnr_gain",),
    "retrieval": ("retrieval_map", "hash_map"),
    "few-shot classification": ("few_shot_accuracy_1", "few_shot_accuracy_5", "few_shot_accuracy_10"),
    "compression": ("bits_per_pixel", "compression_psnr"),
}
MNIST_PIXELS = 28 * 28

SYNC = "`python -m ae_lightning sync` delivers what still waits on disk"
"""What helps where MLflow has a finished run without all that it logged."""

CODECS = {
    "autoencoder": "VanillaAE, 32-D",
    "pca": "PCA, 32-D",
    "jpeg": "JPEG, a file an image",
    "jpeg_mosaic": "JPEG, all images in one",
    "webp": "WebP, a file an image",
    "webp_mosaic": "WebP, all images in one",
}


class Runs:
    """The finished runs of the experiments."""

    def __init__(self) -> None:
        self._reader = RunReader(tracking_uri_from_environment())
        self._found: dict[tuple[str, str], TrackedRun] = {}
        for group in dict.fromkeys(training.group for training in all_trainings()):
            with suppress(ConfigError):
                runs = self._reader.of_experiment(group)
                self._found |= {(group, run.name): run for run in runs if run.status == "FINISHED"}

    def of(self, group: str) -> dict[str, TrackedRun]:
        """Return a group's runs by name.

        Raises:
            ConfigError: If one is missing, or has no test measures.
        """
        return {training.name: self[training] for training in all_trainings() if training.group == group}

    def __getitem__(self, training: Training) -> TrackedRun:
        """Return the run of a training.

        Raises:
            ConfigError: If it is missing, or MLflow has not got its test measures yet.
        """
        run = self._found.get((training.group, training.name))
        if run is None:
            raise ConfigError(f"{training.group}: {training.name} has not been trained; `make reproduce` does it")
        if not _is_judged(run):
            raise ConfigError(f"{training.group}: {training.name} has no test measures; {SYNC}")
        return run

    def seeds(self, variant: str, latent_dim: int) -> list[TrackedRun]:
        """Return the runs of a variant as Eftimiades trained it, one a seed: the first, and others that are there.

        Raises:
            ConfigError: If the first is missing, or has no test measures.
        """
        prefix = f"{variant}, {latent_dim}-D, "
        first, *others = [training for training in all_trainings() if training.name.startswith(prefix)]
        repeated = (self._found.get((training.group, training.name)) for training in others)
        return [self[first], *(run for run in repeated if run is not None and _is_judged(run))]

    def history(self, run: TrackedRun, metric: str) -> list[tuple[int, float]]:
        """Return step and value of all that was logged of a metric."""
        return self._reader.history(run.run_id, metric)

    def codecs(self, run: TrackedRun) -> dict[str, dict[str, list[float]]]:
        """Return rate and distortion of each codec that a run was held against.

        Raises:
            ConfigError: If MLflow does not give them.
        """
        try:
            text = self._reader.text(run.run_id, "evaluation/test/codecs.json")
        except TrackingError as error:
            raise ConfigError(f"{run.name} has no evaluation/test/codecs.json; {SYNC}") from error
        curves: dict[str, dict[str, list[float]]] = json.loads(text)
        return curves


def eftimiades(runs: Runs) -> str:
    """Hold our accuracies against Eftimiades's."""
    head = ["row", "latent_dim", "variant", "Eftimiades", "same measure here", "clustering without labels"]
    lines = []
    for row, theirs in THEIRS.items():
        for latent_dim in LATENT_DIMS:
            for variant in TABULATED:
                found = runs.seeds(variant, latent_dim)
                ours = [_percent(_test(found, measure)) for measure in OURS[row]]
                said = theirs[latent_dim].get(variant)
                lines.append([row, str(latent_dim), _class(found), "–" if said is None else f"{said:.2f}", *ours])
    return _table(head, lines, numbers_from=3)


def measures(runs: Runs) -> str:
    """Hold the variants against one another by every measure of both latent sizes."""
    parts = []
    for latent_dim in LATENT_DIMS:
        columns = {_class(found): found for found in (runs.seeds(variant, latent_dim) for variant in TABULATED)}
        names = [name for name in _with_pca(columns) if not name.startswith("overlay")]
        parts.append(f"### {latent_dim} dimensions\n\n{_by_measure(columns, names)}")
    return "\n".join(parts)


def applications(runs: Runs) -> str:
    """Hold the variants' codes of 32 dimensions against PCA's in what they are used for."""
    columns = {_class(found): found for found in (runs.seeds(variant, 32) for variant in TABULATED)}
    names = {measure: use for use, measures in APPLICATIONS.items() for measure in measures}
    found = runs.of("denoising")
    own = _by_measure({"DenoisingAE": [found["denoising"]], "VanillaAE": [found["vanilla"]]}, ["denoising_psnr_gain"])
    return f"{_by_measure(columns, list(names), names)}\nTrained for it, 12 epochs:\n\n{own}"


def novelty(runs: Runs) -> str:
    """List how well each digit, left out of training, is told from the others."""
    scores = ("novelty_auroc", "novelty_auroc_code")
    rows, columns = [], defaultdict(list)
    for name, run in runs.of("novelty").items():
        values = [_measured(run, f"{prefix}{score}") for score in scores for prefix in ("", "pca_")]
        for column, value in enumerate(values):
            columns[column].append(value)
        rows.append([name.rsplit(" ", 1)[1], *(f"{value:.3f}" for value in values)])
    rows.append(["mean", *(f"{statistics.fmean(values):.3f}" for values in columns.values())])
    head = ["digit left out", "by error", "PCA's", "by density of the code", "PCA's"]
    return _table(head, rows, numbers_from=1)


def gaps(runs: Runs) -> str:
    """List training and test error of the runs of Eftimiades's training."""
    found = {
        f"{_class(seeds)}, {latent_dim}-D": seeds[0]
        for latent_dim in LATENT_DIMS
        for seeds in (runs.seeds(variant, latent_dim) for variant in TABULATED)
    }
    return _gap_table(runs, found, MNIST_PIXELS)


def bagul(runs: Runs) -> str:
    """Hold a multilayer perceptron against convolutions on small colour pictures."""
    found = runs.of("bagul")
    judged = _by_measure({name: [run] for name, run in found.items()}, ["mse", "psnr", "ssim"])
    return f"{judged}\n{_gap_table(runs, found, 3 * 40 * 40)}"


def codecs(runs: Runs) -> str:
    """List what other codecs make of the same images: in as many bits as the code takes, and for the same PSNR."""
    run = runs.seeds("vanilla", 32)[0]
    rate, distortion = _measured(run, "bits_per_pixel"), _measured(run, "compression_psnr")
    curves = runs.codecs(run)
    rows = []
    for key, name in CODECS.items():
        rates, psnrs = curves[key]["bits_per_pixel"], curves[key]["psnr"]
        rows.append([name, _read_off(rate, rates, psnrs, 2), _read_off(distortion, psnrs, rates, 3)])
    head = ["codec", f"PSNR at {rate:.3f} bits per pixel (dB)", f"bits per pixel for {distortion:.2f} dB"]
    return _table(head, rows, numbers_from=1)


def _read_off(at: float, xs: Sequence[float], ys: Sequence[float], digits: int) -> str:
    """Return what an increasing curve has at a place, or that it lies beyond the curve's end."""
    if not min(xs) <= at <= max(xs):
        return f"begins at {min(ys):.{digits}f}" if at < min(xs) else f"ends at {max(ys):.{digits}f}"
    return f"{np.interp(at, xs, ys):.{digits}f}"


def two_dimensions(runs: Runs) -> str:
    """List what two dimensions can generate and cannot reconstruct."""
    names = ["mse", "psnr", "ssim", "sample_frechet"]
    columns = {f"VAE, {latent_dim}-D": runs.seeds("vae", latent_dim) for latent_dim in LATENT_DIMS}
    rows = [[name, *(_mean_and_spread(_test(found, name)) for found in columns.values())] for name in names]
    return _table(["measure", *columns], rows, numbers_from=1)


def _gap_table(runs: Runs, found: Mapping[str, TrackedRun], num_values: int) -> str:
    rows = []
    for name, run in found.items():
        train = _last_epoch(runs.history(run, "train/reconstruction"), run) / num_values
        test = _measured(run, "mse")
        rows.append([name, f"{train:.4f}", f"{test:.4f}", f"{test - train:+.4f}", f"{test / train:.2f}"])
    return _table(["run", "training mse", "test mse", "gap", "ratio"], rows, numbers_from=1)


def _last_epoch(history: Sequence[tuple[int, float]], run: TrackedRun) -> float:
    """Return the mean over the steps of the last epoch, whose weights still move.

    Raises:
        ConfigError: If MLflow has none of them.
    """
    if not history:
        raise ConfigError(f"{run.name} has no train/reconstruction; {SYNC}")
    steps = max(step for step, _ in history) + 1
    first = steps - steps / int(run.params["trainer.max_epochs"])
    return statistics.fmean(value for step, value in history if step >= first)


def _by_measure(
    columns: Mapping[str, Sequence[TrackedRun]], names: Iterable[str], uses: Mapping[str, str] | None = None
) -> str:
    """Return a table of measures as rows and variants as columns, PCA the last, the best in bold."""
    rows = []
    for name in names:
        values = [_test(found, name) for found in columns.values()]
        values.append(_test(next(iter(columns.values())), f"pca_{name}")[:1])
        best = best_places(name, [statistics.fmean(value) if value else math.nan for value in values])
        cells = [_bold_if(_mean_and_spread(value), place in best) for place, value in enumerate(values)]
        rows.append([*([uses[name]] if uses else []), f"`{name}`", *cells])
    head = [*(["use"] if uses else []), "measure", *columns, "PCA"]
    return _table(head, rows, numbers_from=len(head) - len(columns) - 1)


def _with_pca(columns: Mapping[str, Sequence[TrackedRun]]) -> list[str]:
    """Return the measures that PCA has too."""
    logged = next(iter(columns.values()))[0].metrics
    return [name.removeprefix("test/pca_") for name in logged if name.startswith("test/pca_")]


def _class(runs: Sequence[TrackedRun]) -> str:
    return runs[0].variant


def _test(runs: Sequence[TrackedRun], name: str) -> list[float]:
    return [run.metrics[f"test/{name}"] for run in runs if f"test/{name}" in run.metrics]


def _is_judged(run: TrackedRun) -> bool:
    return any(name.startswith("test/") for name in run.metrics)


def _measured(run: TrackedRun, name: str) -> float:
    """Return a test measure of a run.

    Raises:
        ConfigError: If MLflow does not have it.
    """
    if f"test/{name}" not in run.metrics:
        raise ConfigError(f"{run.name} has no test/{name}; {SYNC}")
    return run.metrics[f"test/{name}"]


def _percent(values: Sequence[float]) -> str:
    return _mean_and_spread([100 * value for value in values], digits=2)


def _mean_and_spread(values: Sequence[float], digits: int = 4) -> str:
    if not values:
        return "–"
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def _bold_if(text: str, is_best: bool) -> str:
    return f"**{text}**" if is_best else text


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers_from: int) -> str:
    rule = ["---"] * numbers_from + ["---:"] * (len(head) - numbers_from)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))
