"""`python -m ae_lightning sweep`."""

from __future__ import annotations

from pathlib import Path

from ae_lightning.sweep.options import TRAINING_OPTION, parse_options


def run(arguments: list[str]) -> int:
    """Sweep, or train what a sweep ordered.

    Args:
        arguments: Those behind `sweep`.

    Returns:
        0 if the best is new, 3 if nothing better was found, 130 after Ctrl-C, 143 after SIGTERM.

    Raises:
        UserError: If something is wrong that the user can mend.
    """
    if arguments[:1] == [TRAINING_OPTION]:
        from ae_lightning.sweep.trial_process import train_for_parent

        return train_for_parent(Path(arguments[1]))
    options = parse_options(arguments)
    # So that --help need not wait for torch and Optuna.
    from ae_lightning.sweep.sweeping import run_sweep

    return run_sweep(options)
