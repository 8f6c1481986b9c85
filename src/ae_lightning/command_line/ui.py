"""`ui`: MLflow's pages of the runs, opened where the measures are."""

from __future__ import annotations

import argparse
import signal
import sys
import webbrowser
from types import FrameType

from rich.console import Console

from ae_lightning.command_line.commands import CommandParser
from ae_lightning.errors import ConfigError

DEFAULT_PORT, MAX_PORT = 5000, 65535

EPILOG = (
    "The page shows the runs of an experiment, the best first, with bars of their main measures, pictures side by side "
    "and curves. The server listens on this machine alone, and ends with Ctrl-C. Where the store is a server already, "
    "nothing is started: its page is named. Exit codes: 0 after Ctrl-C, 2 if there are no runs, the port is taken, or "
    "the store does not answer."
)


def run(arguments: list[str]) -> int:
    """Serve the store until Ctrl-C, or name the page of one that is served elsewhere.

    Args:
        arguments: Of the command line, without the command.

    Returns:
        0.

    Raises:
        ConfigError: If there are no runs or no such experiment, or the server cannot be started.
        TrackingError: If the store does not answer.
    """
    options = parser().parse_args(arguments)
    # So that --help need not wait for mlflow.
    from ae_lightning.machine.signals import ending_signals
    from ae_lightning.tracking.addresses import is_server, shown_uri, tracking_uri_from_environment
    from ae_lightning.tracking.pages import experiment_page, first_page
    from ae_lightning.tracking.web_server import address, require_free, serving

    uri = options.tracking_uri or tracking_uri_from_environment()
    if not is_server(uri):
        require_free(options.port)
    page = first_page(uri, options.experiment)
    server = shown_uri(uri) if is_server(uri) else address(options.port)
    link = experiment_page(server, page.experiment_id, has_view=page.has_view)
    if is_server(uri):
        _show(f"{page.name}: {link}", link, opens=options.open)
        return 0
    # Ctrl-C is Python's own. The server, in a session of its own, does not hear of a terminal that is closed.
    for number in ending_signals() - {signal.SIGINT}:
        signal.signal(number, _end)
    sys.stderr.write(f"MLflow's server starts on {shown_uri(uri)}\n")
    try:
        with serving(uri, options.port) as process:
            _show(f"{page.name}: {link}\nCtrl-C ends it", link, opens=options.open)
            code = process.wait()
    except KeyboardInterrupt:
        return 0
    raise ConfigError(f"MLflow's server has ended by itself, with code {code}")


def _show(text: str, link: str, *, opens: bool) -> None:
    Console().print(text, soft_wrap=True, highlight=False, markup=False)
    if opens:
        webbrowser.open(link)


def _end(number: int, frame: FrameType | None) -> None:
    # Once: a closed terminal may say so several times, and the server is given time to end.
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; it must be a number from 1 to {MAX_PORT}")
    return int(text)


def parser() -> CommandParser:
    """Return the parser of the command line."""
    made = CommandParser(
        "ui", description="Start MLflow's server on the runs, and name the page that compares them.", epilog=EPILOG
    )
    made.add_argument("--experiment", metavar="NAME", help="which one (default: the one with the newest run)")
    made.add_argument("--tracking_uri", metavar="URI", help="MLflow store (default: as for fit)")
    made.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="where the server listens (default: %(default)s)"
    )
    made.add_argument("--open", action="store_true", help="open the page in the browser")
    return made
