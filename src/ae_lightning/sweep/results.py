"""What a study leaves in MLflow: plots, the best configuration, and the best model in the registry."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import yaml
from lightning_utilities.core.rank_zero import rank_zero_warn
from optuna.trial import FrozenTrial

from ae_lightning.checkpoints.data import data_of_checkpoint
from ae_lightning.checkpoints.loading import read_checkpoint
from ae_lightning.errors import UserError
from ae_lightning.serving import Inputs, Outputs, example
from ae_lightning.sweep.figures import write_figures
from ae_lightning.sweep.study_file import StudyFile
from ae_lightning.sweep.trial_queue import CHECKPOINT, CONFIGURATION, RUN_ID, best_trials, num_done
from ae_lightning.tracking.models import register_model, set_alias
from ae_lightning.tracking.studies import StudyRun

ALIAS = "best"
"""Of the registered model's version."""

REGISTERED = "registered_trial"
"""Attribute of the study: whose model is registered."""


@dataclass
class Publisher:
    """Keeps the study's MLflow run up to date.

    Args:
        study: The study.
        file: Its YAML.
        run: Its MLflow run.
    """

    study: optuna.Study
    file: StudyFile
    run: StudyRun
    _num_published: int = 0
    _best: int | None = field(default=None)

    def __post_init__(self) -> None:
        """Begin from what earlier nights have published."""
        self._num_published = num_done(self.study.get_trials(deepcopy=False))
        self._best = next((trial.number for trial in best_trials(self.study)), None)

    def after_trial(self) -> None:
        """Note a new best, and publish if it is time."""
        # Before the best is asked for: of workers whose trials end out of order, a later step never has a worse one.
        done = num_done(self.study.get_trials(deepcopy=False))
        best = best_trials(self.study)
        if best and len(self.file.objectives) == 1 and best[0].number != self._best:
            self._best = best[0].number
            name = next(iter(self.file.objectives))
            self.run.keep_metrics({f"best/{name}": best[0].values[0]}, step=done - 1)
        if done - self._num_published >= self.file.plot_every:
            self._num_published = done
            self.publish()

    def publish(self) -> None:
        """Renew plots and configurations."""
        with tempfile.TemporaryDirectory() as temporary:
            write_figures(self.study, self.file, Path(temporary))
            self.run.keep_folder(Path(temporary), "plots")
        best = best_trials(self.study)
        if len(self.file.objectives) == 1:
            for trial in best:
                self._keep_configuration(trial, "best.yaml")
            return
        for trial in best:
            self._keep_configuration(trial, configuration_name(trial))
        # MLflow removes no single file: the folder keeps what has left the front, and this says what is on it.
        self.run.keep_text(front_in_words(best, self.file), "pareto_front.yaml")

    def _keep_configuration(self, trial: FrozenTrial, name: str) -> None:
        """Keep what a trial was trained with, as `fit -c` takes it unchanged."""
        if CONFIGURATION in trial.user_attrs:
            self.run.keep_text(trial.user_attrs[CONFIGURATION], name)
        else:
            rank_zero_warn(f"{name} is not written: trial {trial.number} is of a version that kept no configuration")

    def register(self) -> None:
        """Make the best model the newest version of the study's registered model, under its alias.

        Of several objectives none is the best: which model of the front to take is not for the sweep to say.
        """
        best = best_trials(self.study) if len(self.file.objectives) == 1 else []
        if not best or self.study.user_attrs.get(REGISTERED) == best[0].number:
            return
        checkpoint = Path(best[0].user_attrs.get(CHECKPOINT) or "")
        if not checkpoint.is_file():
            # Trained on another machine, which registers it itself, or with checkpoints turned off.
            return
        try:
            # Before MLflow is asked: the data may be the user's own, and what they raise is none of its answers.
            shown = example(str(checkpoint), data_of_checkpoint(read_checkpoint(checkpoint)))
            with self.run.refusal_survived("the best model"):
                self._register(best[0], checkpoint, shown)
                self.study.set_user_attr(REGISTERED, best[0].number)
        except (UserError, OSError) as error:
            rank_zero_warn(f"the best model is not registered: {error}")

    def _register(self, trial: FrozenTrial, checkpoint: Path, shown: tuple[Inputs, Outputs]) -> None:
        version = register_model(
            self.run.tracking_uri,
            self.run.experiment_id,
            trial.user_attrs[RUN_ID][0],
            checkpoint,
            *shown,
            registered_name=self.file.name,
        )
        set_alias(self.run.tracking_uri, self.file.name, ALIAS, version)


def configuration_name(trial: FrozenTrial) -> str:
    """Return where the configuration of a trial on the Pareto front is kept."""
    return f"pareto_front/trial_{trial.number:04}.yaml"


def front_in_words(front: Sequence[FrozenTrial], file: StudyFile) -> str:
    """Return the Pareto front as YAML: of each trial its objectives, its MLflow run and its configuration."""
    return yaml.safe_dump(
        [
            {
                "trial": trial.number,
                **dict(zip(file.objectives, trial.values, strict=True)),
                "run_id": trial.user_attrs[RUN_ID][0],
                "configuration": configuration_name(trial),
            }
            for trial in front
        ],
        sort_keys=False,
    )
