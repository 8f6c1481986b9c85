"""MLflow: the one folder that imports it."""

from ae_lightning.tracking.addresses import is_made, is_same_store, is_server, shown_uri, tracking_uri_from_environment
from ae_lightning.tracking.described_runs import DataSetUse, Description
from ae_lightning.tracking.given import given_run
from ae_lightning.tracking.keys import command_line_keys, valid_key
from ae_lightning.tracking.leftover_spools import deliver_left_behind
from ae_lightning.tracking.models import checkpoint_of_model
from ae_lightning.tracking.pages import run_page
from ae_lightning.tracking.run_folder import FolderLogger, new_run_folder
from ae_lightning.tracking.run_loggers import run_loggers, trackers
from ae_lightning.tracking.runs import (
    CHECKPOINT_FOLDER_TAG,
    CONFIG_HASH_TAG,
    Run,
    checkpoint_folder,
    find_run,
    told_folder,
    unfinished_runs,
)
from ae_lightning.tracking.store import connect, gets_credentials
from ae_lightning.tracking.tracker import MLflowTracker

__all__ = [
    "CHECKPOINT_FOLDER_TAG",
    "CONFIG_HASH_TAG",
    "DataSetUse",
    "Description",
    "FolderLogger",
    "MLflowTracker",
    "Run",
    "checkpoint_folder",
    "checkpoint_of_model",
    "command_line_keys",
    "connect",
    "deliver_left_behind",
    "find_run",
    "gets_credentials",
    "given_run",
    "is_made",
    "is_same_store",
    "is_server",
    "new_run_folder",
    "run_loggers",
    "run_page",
    "shown_uri",
    "told_folder",
    "trackers",
    "tracking_uri_from_environment",
    "unfinished_runs",
    "valid_key",
]
