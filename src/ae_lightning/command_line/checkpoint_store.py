"""Which MLflow store a checkpoint leads to, and with whose credentials."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ae_lightning.command_line.arguments import find_option
from ae_lightning.command_line.store_option import OPTION, named_store, store_in, tracker_in
from ae_lightning.errors import ConfigError
from ae_lightning.tracking import gets_credentials, is_same_store, shown_uri, tracking_uri_from_environment

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
    store = store_in(config)
    if not isinstance(store, str):
        return
    if is_same_store(store, tracking_uri_from_environment()):
        tracker_in(config["trainer"]["logger"])["init_args"]["tracking_uri"] = None  # type: ignore[index]
        return
    is_chosen = find_option(arguments, LOGGER) or named_store(arguments)
    if not is_chosen and gets_credentials(store):
        raise ConfigError(
            f"checkpoint {path}: names the MLflow store {shown_uri(store)}, which would get the token or password that "
            f"is set for MLflow; give {OPTION} {shown_uri(store)} if it may, or {LOGGER} false"
        )
