"""The loop of a process that works at a study."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial, TrialState

from ae_lightning.errors import UserError
from ae_lightning.sweep.exhausted_sampler import is_exhausted, note_exhaustion
from ae_lightning.sweep.stopping import Stop
from ae_lightning.sweep.storage import GRACE_PER_PATIENCE
from ae_lightning.sweep.trial import TrialRunner
from ae_lightning.sweep.trial_queue import KIND, REASON, bury_lost, claim, is_running, is_wanted

NUM_ALIKE_FAILURES = 5
SECONDS_BETWEEN_LOOKS = 2.0


class SweepFailedError(UserError):
    """The sweep makes no sense as it is."""

    exit_code = 1


@dataclass
class Worker:
    """Runs trials until the study has all of them or the night is over.

    Args:
        runner: Runs a trial.
        stop: Says whether the night is over.
        after_trial: Called with the study after each trial.
    """

    runner: TrialRunner
    stop: Stop
    after_trial: Callable[[optuna.Study], None]
    _last_failures: deque[FrozenTrial] = field(default_factory=lambda: deque(maxlen=NUM_ALIKE_FAILURES))
    _has_succeeded: bool = False

    def work(self) -> None:
        """Work.

        Raises:
            SweepFailedError: If several trials in a row fail alike.
        """
        study, file = self.runner.study, self.runner.file
        while self.stop.reason is None:
            bury_lost(study, file.patience * GRACE_PER_PATIENCE)
            trials = study.get_trials(deepcopy=False)
            # Where nothing new is left to try, there may still be a trial that waits.
            is_more_wanted = is_wanted(trials, 0 if is_exhausted(study, file) else file.trials)
            if not is_more_wanted and not is_running(trials):
                return
            # A trial that another worker may yet lose is to be tried again, and one begun while MLflow is away would
            # fail for want of a run.
            trial = claim(study, file.trials) if is_more_wanted and self.runner.run.is_ready() else None
            if trial is None:
                self.stop.wait(SECONDS_BETWEEN_LOOKS)
                continue
            ended = self.runner(trial)
            note_exhaustion(study, file)
            self.after_trial(study)
            if ended is not None:
                self._require_hope(ended)

    def _require_hope(self, ended: FrozenTrial) -> None:
        if ended.state != TrialState.FAIL:
            self._last_failures.clear()
            self._has_succeeded = True
            return
        if self._has_succeeded and is_impossible_model(ended):
            # Much of a space may be impossible; the rest of it is not.
            return
        self._last_failures.append(ended)
        if len(self._last_failures) == NUM_ALIKE_FAILURES and are_alike(self._last_failures):
            reason = ended.user_attrs[REASON]
            raise SweepFailedError(f"{NUM_ALIKE_FAILURES} trials in a row failed the same way: {reason}")


def is_impossible_model(failure: FrozenTrial) -> bool:
    """Whether a trial failed for values that make no model, such as a kernel larger than the image."""
    return str(failure.user_attrs.get(KIND)).startswith("impossible: model.")


def are_alike(failures: Iterable[FrozenTrial]) -> bool:
    """Whether trials failed for the same kind of reason."""
    return len({trial.user_attrs.get(KIND) for trial in failures}) == 1
