"""What a sweep says: a line a trial, a bar where somebody looks, and a line at the end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import TracebackType

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.trial_queue import REASON, best_trials, is_exhausted, num_done
from ae_lightning.tracking.keys import short_keys


def values_of(trial: FrozenTrial, file: StudyFile) -> str:
    """Return the objectives of a trial in words; of a pruned one, its last report."""
    if not trial.values:
        return ""
    return ", ".join(f"{name} {value:.4g}" for name, value in zip(file.objectives, trial.values, strict=False))


def parameters_of(trial: FrozenTrial) -> str:
    """Return the parameters of a trial in words, each under the last part of its key where that tells it."""
    names = short_keys(trial.params)
    return ", ".join(f"{names[key]} {_short(value)}" for key, value in trial.params.items())


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def trial_line(trial: FrozenTrial, file: StudyFile) -> str:
    """Say in a line how a trial ended."""
    seconds = "" if trial.duration is None else f"{trial.duration.total_seconds():.1f} s"
    said = trial.user_attrs.get(REASON, "lost") if trial.state == TrialState.FAIL else values_of(trial, file)
    parts = [f"trial {trial.number}", trial.state.name.lower(), said, parameters_of(trial), seconds]
    return "  ".join(part for part in parts if part)


def summary_line(study: optuna.Study, file: StudyFile, earlier: Collection[int]) -> str:
    """Say what the study has found, and whether this night improved on those before.

    Args:
        study: The study.
        file: Its YAML.
        earlier: The numbers of the trials that were best before this night.
    """
    trials = study.get_trials(deepcopy=False)
    counts = {state: sum(trial.state == state for trial in trials) for state in TrialState}
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.WAITING)
    counted = ", ".join(f"{counts[state]} {state.name.lower()}" for state in states if counts[state])
    left = ", nothing left to try" if is_exhausted(study, file) else ""
    head = f"study {file.name}: {counted or 'no trials'}{left}; "
    best = best_trials(study)
    if not best:
        return head + ("none keeps the constraints" if counts[TrialState.COMPLETE] else "no trial is complete yet")
    news = "improved" if has_improved(study, earlier) else "no improvement"
    compared = f"{news} on earlier nights" if earlier else "the first result"
    if len(file.objectives) > 1:
        return f"{head}{len(best)} on the Pareto front; {compared}"
    return f"{head}best {values_of(best[0], file)} (trial {best[0].number}: {parameters_of(best[0])}); {compared}"


def has_improved(study: optuna.Study, earlier: Collection[int]) -> bool:
    """Whether there are best trials that were not best before."""
    return not {trial.number for trial in best_trials(study)} <= set(earlier)


class TrialProgress:
    """Shows the trials of a study as they end.

    Args:
        study: The study.
        file: Its YAML.
    """

    def __init__(self, study: optuna.Study, file: StudyFile) -> None:
        self._file = file
        self._console = Console(stderr=True)
        self._shown = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(file.name, total=file.trials, completed=len(self._shown))

    def __enter__(self) -> TrialProgress:
        """Draw the bar."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Remove the bar."""
        self._progress.stop()

    def update(self, study: optuna.Study) -> None:
        """Print the trials that have ended since."""
        trials = study.get_trials(deepcopy=False)
        for trial in trials:
            if trial.state.is_finished() and trial.number not in self._shown:
                self._shown.add(trial.number)
                # As it is: what a trial failed of may hold brackets.
                line = Text(trial_line(trial, self._file))
                self._progress.console.print(line, highlight=False, soft_wrap=True)
        self._progress.update(self._task, completed=num_done(trials), description=self._description(study))

    def _description(self, study: optuna.Study) -> str:
        best = best_trials(study)
        return f"{self._file.name}  best {values_of(best[0], self._file)}" if best else self._file.name


def as_parameters(file: StudyFile) -> Mapping[str, object]:
    """Return a study as parameters of its MLflow run."""
    described = file.model_dump(mode="json", exclude={"configs", "settings", "space", "storage"})
    return {f"study.{key}": value for key, value in described.items()} | {
        f"space.{key}": parameter.model_dump(exclude_defaults=True) for key, parameter in file.space.items()
    }
