"""From the arguments of `fit`, `validate`, `test` and `predict` to a run of the command-line interface."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from lightning.pytorch import LightningDataModule
from lightning.pytorch.callbacks import Callback

from ae_lightning.callbacks.defaults import TRAINER_DEFAULTS
from ae_lightning.command_line.checkpoint_config import with_checkpoint_below
from ae_lightning.command_line.cli import AutoencoderCLI
from ae_lightning.command_line.config_parser import Parser
from ae_lightning.command_line.data_class import named_class
from ae_lightning.command_line.library_errors import refusals_explained
from ae_lightning.command_line.resume import (
    OPTION,
    ResumePoint,
    is_rank_0,
    resume_point,
    resume_point_in,
    split_resume,
)
from ae_lightning.command_line.store_option import named_store
from ae_lightning.command_line.unparsed_options import config_files, find_option, with_named_configs_found
from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.machine.launched_ranks import lone_rank_forgotten
from ae_lightning.machine.resource_errors import resource_errors_explained
from ae_lightning.machine.signals import be_first_rank, die_with_first_rank, is_started_by_rank_0
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.named_files import said_of
from ae_lightning.parts import find_parts
from ae_lightning.priors.base import Prior
from ae_lightning.samplers.base import Sampler
from ae_lightning.tracking import tracking_uri_from_environment
from ae_lightning.variants import find_variants

CLI = TypeVar("CLI", bound=AutoencoderCLI)


def quiet() -> None:
    """Silence what other packages say that a user can do nothing about, or that the announcement says already."""
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.seed", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It prints the traceback of what it raises, which is answered for where it is caught.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    for message in (
        r".*is not supported by the model summary",
        r".*isinstance\(treespec, LeafSpec\)",
        r"Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",
        r"The dirpath has changed from",
        r"Checkpoint directory .* exists and is not empty",
        r"`weights_only` was not set, defaulting to",
        # What ranks log is the same on each, or the first one's alone.
        r"It is recommended to use `self.log\(.*sync_dist=True",
        # Lightning calls it.
        r"torch\.distributed\.nn\.functional\.all_gather is deprecated",
        # Of what MLflow imports, in a notebook: no bar of its own is shown.
        r"IProgress not found",
    ):
        warnings.filterwarnings("ignore", message=message)


def run(arguments: list[str]) -> None:
    """Parse the arguments and do what they say.

    Raises:
        UserError: If something is wrong that the user can mend.
    """
    prepare()
    arguments, run_id = split_resume(_with_configs_found(arguments))
    resume: ResumePoint | Literal["newest"] | None = None
    if run_id is not None:
        resume = _point_of_run(run_id, arguments) if run_id else "newest"
    path = resume.checkpoint if isinstance(resume, ResumePoint) else find_option(arguments, "--ckpt_path")
    with resource_errors_explained(), with_checkpoint_below(arguments, path) as layered:
        open_cli(partial(AutoencoderCLI, resume=resume), layered)


def _with_configs_found(arguments: Sequence[str]) -> list[str]:
    found = with_named_configs_found(arguments)
    if is_rank_0():
        sys.stderr.write(said_of("configuration", *([*config_files(given)] for given in (arguments, found))))
    return found


def _point_of_run(run_id: str, arguments: Sequence[str]) -> ResumePoint:
    folder = Path(run_id)
    if folder.is_dir():
        return resume_point_in(folder)
    if len(folder.parts) > 1:
        raise ConfigError(f"{OPTION}: there is no folder {folder}")
    return resume_point(named_store(arguments) or tracking_uri_from_environment(), run_id)


def prepare() -> None:
    """Make this process ready for configurations: quiet, and with every part at hand that a configuration may name."""
    quiet()
    die_with_first_rank() if is_started_by_rank_0() else be_first_rank()
    # A user's own variant in the working directory is found, however the program was started.
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    find_variants()
    find_parts("ae_lightning.priors", Prior)
    find_parts("ae_lightning.samplers", Sampler)


def open_cli(cli: Callable[..., CLI], arguments: Sequence[str], callbacks: Sequence[Callback] = ()) -> CLI:
    """Parse the arguments, build what they say and run it.

    Args:
        cli: The command-line interface to make.
        arguments: Of the command line, the subcommand first.
        callbacks: What the Trainer gets beside its own.

    Raises:
        UserError: If something is wrong that the user can mend.
    """
    with refusals_explained(), lone_rank_forgotten():
        named = named_class(arguments)
        is_ours = named is None or issubclass(named, DataModule)
        # Our own data module shares the samples out among the ranks itself.
        defaults = {**TRAINER_DEFAULTS, "use_distributed_sampler": not is_ours, "callbacks": list(callbacks)}
        return cli(
            Autoencoder,
            DataModule if is_ours else LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=named is not None,
            auto_configure_optimizers=False,
            seed_everything_default=0,
            save_config_callback=None,
            trainer_defaults=defaults,
            parser_class=Parser,
            args=list(arguments),
        )
