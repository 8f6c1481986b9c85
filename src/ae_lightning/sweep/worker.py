"""The loop of a process that works at a study.

Optuna's own, `Study.optimize`, makes a failure of a trial that is interrupted, where it is to wait for the next night,
and several of it together begin more trials than are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optuna.storages import fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

from ae_lightning.errors import UserError
from ae_lightning.sweep.trial import TrialRunner
from ae_lightning.sweep.trial_queue import KIND, REASON, claim, is_exhausted, is_wanted

NUM_ALIKE_FAILURES = 5
SECONDS_BETWEEN_LOOKS = 2.0


class SweepFailedError(UserError):
    """The sweep makes no sense as it is."""

    exit_code = 1


def work(runner: TrialRunner, after_trial: Callable[[], None] = lambda: None) -> None:
    """Run trials until the study has all of them or the night is over.

    Args:
        runner: Runs a trial.
        after_trial: Called after each trial.

    Raises:
        SweepFailedError: If several trials in a row fail alike.
    """
    study, file, stop = runner.study, runner.file, runner.stop
    tonight: list[FrozenTrial] = []
    while stop.reason is None:
        fail_stale_trials(study)
        trials = study.get_trials(deepcopy=False)
        # Where nothing new is left to try, there may still be a trial that waits.
        is_more_wanted = is_wanted(trials, 0 if is_exhausted(study, file) else file.trials)
        if not is_more_wanted and not any(trial.state == TrialState.RUNNING for trial in trials):
            return
        # A trial that another worker may yet lose is to be tried again, and one begun while MLflow is away would fail
        # for want of a run.
        trial = claim(study, file) if is_more_wanted and runner.run.is_ready() else None
        if trial is None:
            stop.wait(SECONDS_BETWEEN_LOOKS)
            continue
        ended = runner(trial)
        after_trial()
        if ended is not None:
            tonight.append(ended)
            require_hope(tonight)


def require_hope(trials: Sequence[FrozenTrial]) -> None:
    """Make sure that the last trials of a night did not all fail alike.

    Much of a space may be impossible: once a trial has succeeded, values that make no model, such as a kernel larger
    than the image, are not counted.

    Raises:
        SweepFailedError: If they did.
    """
    has_succeeded = any(trial.state != TrialState.FAIL for trial in trials)
    kinds = [str(trial.user_attrs.get(KIND)) if trial.state == TrialState.FAIL else None for trial in trials]
    counted = [kind for kind in kinds if not (has_succeeded and str(kind).startswith("impossible: model."))]
    last = counted[-NUM_ALIKE_FAILURES:]
    if len(last) == NUM_ALIKE_FAILURES and None not in last and len(set(last)) == 1:
        reason = trials[-1].user_attrs[REASON]
        raise SweepFailedError(f"{NUM_ALIKE_FAILURES} trials in a row failed the same way: {reason}")
