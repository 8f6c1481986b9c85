"""`ael.compare`: runs side by side, and which of them is best for what."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ae_lightning.callbacks.describing import DIGEST
from ae_lightning.callbacks.recording import num_parameters
from ae_lightning.comparison.comparing import ranked_by
from ae_lightning.comparison.markdown import to_markdown
from ae_lightning.comparison.table import PCA_DECODES, Comparison, compare_runs
from ae_lightning.errors import ConfigError
from ae_lightning.judging.measure import Goal
from ae_lightning.python_api.result import Result
from ae_lightning.tracking import command_line_keys, is_made, shown_uri, tracking_uri_from_environment
from ae_lightning.tracking.comparison import RunReader, TrackedRun
from ae_lightning.variants import find_variants


class RunComparison:
    """Runs side by side, PCA beside them: a notebook shows it in words and as a table, and so does `print`.

    Args:
        comparison: The numbers.
        goal: What the rows are ranked by.

    Attributes:
        rows: A mapping of each row: `run`, what it is called, `variant`, `latent_dim`, `run_ids`, and its measures by
            name, the mean of those that differ in their seed alone.
    """

    def __init__(self, comparison: Comparison, goal: Goal) -> None:
        self._comparison = comparison
        self._goal: Goal = goal
        self.rows: list[dict[str, Any]] = [
            {
                "run": row.label,
                "variant": row.variant,
                "latent_dim": row.latent_dim,
                "run_ids": [run.run_id for run in row.runs],
                **{name: value.mean for name, value in row.values.items()},
            }
            for row in comparison.rows
        ]

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame, a measure a column."""
        return import_module("pandas").DataFrame(self.rows).set_index("run")

    def _repr_markdown_(self) -> str:
        """Show it in a notebook."""
        return to_markdown(self._comparison, self._goal)

    def __repr__(self) -> str:
        """Show the same as text."""
        return self._repr_markdown_()


def compare(
    runs: str | Sequence[Result | str] | None = None, *, goal: Goal | None = None, tracking_uri: str | None = None
) -> RunComparison:
    """Set runs side by side, by their measures of the test split; nothing is recorded.

    `python -m ae_lightning compare` writes the report with pictures and curves.

    Args:
        runs: Results and ids of runs in MLflow, each taken once; or the name of an experiment, for every run of it;
            by default the experiment with the newest run.
        goal: What they are ranked by, such as `"cluster"`; by default the first that something was measured for.
        tracking_uri: MLflow's store; by default the one that `MLFLOW_TRACKING_URI` names, else `mlflow.db`.

    Raises:
        ConfigError: If there is nothing to compare, a run or experiment is not there, or there is no such goal.
        TrackingError: If MLflow does not answer.
    """
    find_variants()
    found = _tracked(runs, tracking_uri or tracking_uri_from_environment())
    comparison = compare_runs(found)
    if not comparison.rows:
        raise ConfigError(f"compare: none of the {len(found)} runs has measures of the test split")
    return RunComparison(comparison, ranked_by(comparison, goal, "goal"))


def _tracked(runs: str | Sequence[Result | str] | None, uri: str) -> list[TrackedRun]:
    if runs is None or isinstance(runs, str):
        found = _reader(uri).of_experiment(runs)
        if not found:
            raise ConfigError(f"compare: MLflow at {shown_uri(uri)!r} has no such runs; `fit` makes them")
        return found
    several = list(runs)
    for one in several:
        if not isinstance(one, Result | str):
            raise ConfigError(f"runs: {type(one).__name__} is not taken; give results of ael.fit, or ids of runs")
    named = [one for one in several if isinstance(one, str)]
    by_id = {run.run_id: run for run in _reader(uri).by_id(named)} if named else {}
    # What is named twice is no second seed; what is judged on other data is another row.
    once: dict[object, dict[str | None, Result | str]] = {}
    for one in several:
        same = once.setdefault(_training_of(one), {})
        told = (by_id[one].params if isinstance(one, str) else one.told_by_digest()).get(DIGEST)
        if told is not None or not same:
            same.setdefault(told, one)
    return [by_id[one] if isinstance(one, str) else of_result(one) for same in once.values() for one in same.values()]


def _training_of(one: Result | str) -> object:
    """Return what all names of a training have in common."""
    return one if isinstance(one, str) else one.run_id or (one.checkpoint and one.checkpoint.resolve()) or id(one)


def _reader(uri: str) -> RunReader:
    if not is_made(uri):
        raise ConfigError(f"compare: there is no {shown_uri(uri)} yet; `fit` makes it")
    return RunReader(uri)


def of_result(result: Result) -> TrackedRun:
    """Return a result as MLflow would have it, whether it has it or not."""
    model = result.model
    found = {
        **result.config,
        **{f"model.{name}": value for name, value in model.resolved.items()},
        "num_parameters": num_parameters(model),
        PCA_DECODES: "clipped" if model.reconstruction.is_bounded else "unclipped",
        **result.told_by_digest(),
    }
    return TrackedRun(
        run_id=result.run_id or "",
        experiment_id="",
        name=f"{type(model).__name__}-{model.latent_dim}",
        status="FINISHED",
        variant=type(model).__name__,
        params={key: str(value) for key, value in command_line_keys(found).items()},
        metrics={f"test/{name}": value for name, value in result.measures.items()},
        checkpoint_folder=None if result.checkpoint is None else Path(result.checkpoint).parent,
    )
