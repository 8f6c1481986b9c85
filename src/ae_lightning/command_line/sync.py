"""`sync`: deliver what waits on disk since MLflow was away."""

from __future__ import annotations

from pathlib import Path

from ae_lightning.command_line.commands import CommandParser
from ae_lightning.errors import ConfigError
from ae_lightning.file_names import DEFAULT_SPOOL

EPILOG = (
    "A run that ends while its MLflow store is away leaves on disk what the store did not take: metrics, pictures, the "
    "model, its status. All of it is delivered once, however often this command is run or cut short, and then removed. "
    "What MLflow took at no attempt, though it took other things, stays on disk until --refused tries it again. "
    "Exit codes: 0 nothing is left but what a training that still runs delivers itself, 1 something stays on disk, and "
    "a line says why, 2 a store does not answer, or the disk does not."
)


def run(arguments: list[str]) -> int:
    """Deliver.

    Args:
        arguments: Of the command line, without the command.

    Returns:
        0 if nothing is left, 1 if something stays: see `EPILOG`.

    Raises:
        ConfigError: If the folder is not there, or a spool in it cannot be read or written.
        TrackingError: If a store does not answer.
    """
    options = parser().parse_args(arguments)
    if not options.spool.is_dir() and options.spool != Path(DEFAULT_SPOOL):
        raise ConfigError(f"sync: --spool: {options.spool} is no folder")
    # So that --help need not wait for torch.
    from ae_lightning.tracking.leftover_spools import deliver_all

    return int(deliver_all(options.spool, options.tracking_uri, options.refused) > 0)


def parser() -> CommandParser:
    """Return the parser of the command line."""
    made = CommandParser(
        "sync",
        description="Deliver to MLflow what waits on disk since it was away.",
        epilog=EPILOG,
    )
    made.add_argument(
        "--spool",
        metavar="DIR",
        type=Path,
        default=Path(DEFAULT_SPOOL),
        help="where it waits (default: %(default)s, or what trainer.logger.spool of the run said)",
    )
    made.add_argument(
        "--tracking_uri", metavar="URI", help="MLflow store, if it has moved (default: the one of each run)"
    )
    made.add_argument(
        "--refused", action="store_true", help="try again what MLflow took at no attempt, though it took other things"
    )
    return made
