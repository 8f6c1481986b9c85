"""`compare`: which runs, and where the report goes."""

from __future__ import annotations

from pathlib import Path

from ae_lightning.command_line.commands import CommandParser
from ae_lightning.judging.goals import DECIDING


def run(arguments: list[str]) -> int:
    """Compare runs and write the report.

    Args:
        arguments: Of the command line, without the command.

    Returns:
        The exit code.

    Raises:
        UserError: If there is nothing to compare, or the runs or the folder cannot be used.
    """
    options = parser().parse_args(arguments)
    # So that --help need not wait for torch.
    from ae_lightning.comparison.comparing import compare

    compare(options)
    return 0


def parser() -> CommandParser:
    """Return the parser of the command line."""
    made = CommandParser(
        "compare",
        description="Say which run is best for what, and set all side by side: a table, and one HTML report.",
        epilog="Without a choice, every run of the experiment that MLFLOW_EXPERIMENT_NAME or MLFLOW_EXPERIMENT_ID "
        "gives, else of the one with the newest run.",
    )
    choice = made.add_mutually_exclusive_group()
    choice.add_argument("--experiment", metavar="NAME", help="every run of this experiment")
    choice.add_argument("--runs", metavar="ID", nargs="+", help="these runs")
    choice.add_argument(
        "--filter",
        metavar="EXPR",
        help="runs of all experiments, as MLflow's search takes it: metrics.`test/mse` < 0.01",
    )
    made.add_argument(
        "--output", metavar="DIR", type=Path, required=True, help="folder for report.html, table.md and table.csv"
    )
    made.add_argument(
        "--goal", choices=tuple(DECIDING), help="what runs are ranked by (default: the first that was measured)"
    )
    made.add_argument(
        "--all_columns", action="store_true", help="show every measure, and not those of eight columns alone"
    )
    made.add_argument("--stage", choices=("test", "val"), default="test", help="split whose measures are shown")
    made.add_argument("--tracking_uri", metavar="URI", help="MLflow store (default: as for fit)")
    return made
