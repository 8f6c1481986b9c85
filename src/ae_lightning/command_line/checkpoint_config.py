"""What a checkpoint says, as the first and therefore weakest layer of the configuration.

`test --ckpt_path X` alone then restores model and data as trained, and whatever the command line or a later
configuration file says beats it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ae_lightning.checkpoints.loading import CheckpointContents, read_checkpoint
from ae_lightning.command_line.store_option import OPTION, named_store, names_tracker, store_arguments, store_in
from ae_lightning.command_line.unparsed_options import find_option
from ae_lightning.errors import ConfigError
from ae_lightning.tracking import gets_credentials, given_run, is_same_store, shown_uri, tracking_uri_from_environment

LIGHTNING_KEYWORDS = ("best", "last", "hpc")
"""Values of `--ckpt_path` that name no file."""


@contextmanager
def with_checkpoint_below(arguments: Sequence[str], path: str | Path | None) -> Iterator[list[str]]:
    """Put the configuration of a checkpoint below everything else.

    Args:
        arguments: Of the command line, the subcommand first.
        path: The checkpoint, or one of Lightning's keywords; None for none.

    Yields:
        The arguments to parse.

    Raises:
        CheckpointError: If the checkpoint cannot be read.
        ConfigError: If it would have MLflow's token or password sent to a server that nobody else named.
    """
    if not arguments or path is None or path in LIGHTNING_KEYWORDS:
        yield list(arguments)
        return
    subcommand, *rest = arguments
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "checkpoint.yaml")
        config = overlay(read_checkpoint(path), subcommand)
        settle_store(config, path, rest)
        file.write_text(yaml.safe_dump(config))
        yield [subcommand, "-c", str(file), *rest]


def overlay(contents: CheckpointContents, subcommand: str) -> dict[str, Any]:
    """Return the configuration that restores what a command needs of a checkpoint.

    For `fit` that is everything. For the others it is model, data, seed and sampler, and the run to log to in the store
    that its configuration named, unless `MLFLOW_RUN_ID` gives another. One that was trained without MLflow is judged
    without it.
    """
    if subcommand == "fit" and contents.config:
        return contents.config
    config: dict[str, Any] = {
        "seed_everything": contents.seed,
        "model": contents.model,
        "data": contents.data,
    }
    if "sampler" in contents.config:
        config["sampler"] = contents.config["sampler"]
    if subcommand != "fit" and given_run() is None:
        if contents.run_id is not None:
            run = {"run_id": contents.run_id, "tracking_uri": store_in(contents.config)}
            config["trainer"] = {"logger": {"class_path": "ae_lightning.tracking.MLflowTracker", "init_args": run}}
        elif contents.config and not names_tracker(contents.config):
            config["trainer"] = {"logger": False}
    return config


LOGGER = "--trainer.logger"


def settle_store(config: dict[str, Any], path: str | Path, arguments: Sequence[str]) -> None:
    """Leave a store that the environment names too to the environment, and let no other get what is not meant for it.

    No checkpoint keeps a password, which the environment's address may have; and a checkpoint, which may come from
    others, does not choose who gets this machine's credentials.

    Args:
        config: What the checkpoint says; changed.
        path: The checkpoint.
        arguments: Of the command line.

    Raises:
        ConfigError: If neither the command line nor the environment names the store, and it would get them.
    """
    is_chosen = find_option(arguments, LOGGER) or named_store(arguments)
    for logger in store_arguments(config):
        store = logger["tracking_uri"]
        if is_same_store(store, tracking_uri_from_environment()) or (is_chosen and gets_credentials(store)):
            # A logger that is named without a store would go on to this one.
            logger["tracking_uri"] = None
        elif gets_credentials(store):
            raise ConfigError(
                f"checkpoint {path}: names the MLflow store {shown_uri(store)}, which would get the token or password "
                f"that is set for MLflow; give {OPTION} {shown_uri(store)} if it may, or {LOGGER} false"
            )
