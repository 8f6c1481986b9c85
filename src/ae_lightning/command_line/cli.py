"""The command line: `fit`, `validate`, `test` and `predict` of one configuration."""

from __future__ import annotations

import copy
import sys
from collections.abc import Collection
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.console import Console

from ae_lightning.callbacks.averaged_weights import stop_averaging
from ae_lightning.callbacks.checkpoint_io import SoundCheckpointIO
from ae_lightning.callbacks.checkpointing import RunCheckpoint, averages_at_the_end
from ae_lightning.callbacks.defaults import COMPILES_BY_DEFAULT
from ae_lightning.callbacks.describing import RunDescription
from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.callbacks.loss_watch import LossWatch
from ae_lightning.callbacks.monitors import MonitorCheck
from ae_lightning.callbacks.processor_watch import ProcessorWatch
from ae_lightning.callbacks.progress import TrainingProgress
from ae_lightning.callbacks.recording import RunRecorder, closing_runs, config_hash, log_best_model
from ae_lightning.callbacks.sampler_fitting import SamplerFitting
from ae_lightning.callbacks.stopping import Stopping
from ae_lightning.callbacks.throughput import Throughput
from ae_lightning.callbacks.verdict import verdict
from ae_lightning.checkpoints.files import BEST_CHECKPOINT
from ae_lightning.checkpoints.loading import LINKED_KEYS
from ae_lightning.checks import require_seed
from ae_lightning.command_line.checkpoint_fit import GoingOn, take_checkpoint
from ae_lightning.command_line.config_errors import ParseError, explain
from ae_lightning.command_line.config_parser import check_config_files
from ae_lightning.command_line.jsonargparse_patches import plain_factories
from ae_lightning.command_line.library_errors import PARTS, construct, user_error_behind
from ae_lightning.command_line.loggers import loggers_of, resume_hints, run_hints
from ae_lightning.command_line.machine_settings import settle_machine
from ae_lightning.command_line.parsed_settings import (
    has_progress_bar,
    is_distributed,
    leave_bare,
    require_no_tracker,
    require_possible,
    tracker_of,
)
from ae_lightning.command_line.predictions import check_output, gather, origins, write
from ae_lightning.command_line.report import announce, of_stage, print_report, tell_of_data
from ae_lightning.command_line.resume import ResumePoint, is_rank_0, newest_resume_point, stays_in_place
from ae_lightning.command_line.run_names import run_name
from ae_lightning.command_line.store_option import hide_password, tracker_in
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.foreign import SeenData, seen_data
from ae_lightning.errors import ConfigError, UserError
from ae_lightning.file_names import WEIGHTS_SUFFIX
from ae_lightning.machine.launched_ranks import require_ranks_that_stay
from ae_lightning.machine.precision import is_double, take_double
from ae_lightning.machine.processors import share_granted_processors
from ae_lightning.machine.signals import SIGTERM, Interrupted, Requests
from ae_lightning.machine.slurm_requeueing import requeued_after, take_over_requeueing
from ae_lightning.machine.speedups import NoProfiler, compile_networks, leave_out_empty_hooks
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks.backbone import weights_follow
from ae_lightning.samplers.base import Sampler
from ae_lightning.spec import DataSpec
from ae_lightning.tracking import (
    deliver_left_behind,
    shown_uri,
    tracking_uri_from_environment,
    unfinished_runs,
)

RANKS_PATIENCE = 30.0
"""Seconds that a rank waits for another to deliver what an outage left."""


class AutoencoderCLI(LightningCLI):
    """LightningCLI with one data module, every variant by its short name, and evaluation after `fit`."""

    trainer: Trainer
    model: Autoencoder
    datamodule: LightningDataModule
    answers_signals: ClassVar[bool] = True
    always_recorded: Collection[str] = ()
    tell = staticmethod(print_report)
    """Says what the measures of a split are, and where to look further."""

    def __init__(self, *args: Any, resume: ResumePoint | Literal["newest"] | None = None, **kwargs: Any) -> None:
        # LightningCLI's constructor does everything, the run itself included.
        self.resume = resume
        self.stopping = Stopping(Requests())
        self._requeue_signal: int | None = None
        self._called = next(iter(kwargs.get("args") or ()), "")
        super().__init__(*args, **kwargs)

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # which command is called is known by now
        """Return which arguments of the Trainer's method the command line does not take, for the called command alone.

        To make the options of the others, which nobody can give, would take longer than all else.
        """
        known = super().subcommands()
        return {self._called: known[self._called]} if self._called in known else known

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what runs beside model, data and Trainer, and link what the user need not repeat."""
        parser.add_lightning_class_args(Evaluation, "evaluation")
        parser.add_lightning_class_args(RunCheckpoint, "checkpoint")
        parser.add_argument(
            "--sampler",
            type=Sampler,
            default={"class_path": "ae_lightning.samplers.prior.Prior"},
            help="Draws the codes that samples are decoded from; fitted to the training codes once training is over.",
        )
        parser.add_argument(
            "--keep_memory",
            type=bool,
            default=True,
            help="On a CPU under glibc, keep freed buffers for the next step: faster, with more memory held.",
        )
        parser.add_argument(
            "--compile",
            type=bool,
            default=COMPILES_BY_DEFAULT,
            help="Compile encoder and decoder with torch.compile; where that fails, say why and go on without.",
        )
        parser.link_arguments("data", "model.init_args.spec", compute_fn=_spec_of, apply_on="instantiate")
        seeded = ["model.init_args.seed"]
        # Whether a data module of others takes a seed is its own matter.
        if self._datamodule_class is DataModule:
            seeded.append("data.init_args.seed" if self.subclass_mode_data else "data.seed")
        for target in seeded:
            parser.link_arguments("seed_everything", target, compute_fn=partial(require_seed, "seed_everything"))

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        if subcommand == "predict":
            parser.add_argument(
                "--output",
                type=str,
                default="predictions.npz",
                help="File for keys, labels, indices, codes, reconstructions: .npz or .parquet. It must not exist yet.",
            )
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and decide what was left open."""
        check_config_files(args)
        try:
            self.config = parser.parse_args(args)
        except ParseError as failure:
            keys = [action.dest for action in self._subcommand_parsers[args[0]]._actions]
            raise (user_error_behind(failure) or ConfigError(explain(str(failure), args, keys))) from None
        settings = self.config[self.config.subcommand]
        require_possible(self.config.subcommand, settings, args)
        if settings.trainer.barebones:
            left_out = leave_bare(settings.trainer)
            if left_out and is_rank_0():
                sys.stderr.write(f"trainer.barebones leaves out {', '.join(left_out)}\n")
        settle_machine(settings, trains=self.config.subcommand == "fit")

    def before_instantiate_classes(self) -> None:
        """Turn `--resume` into a run to go on with and its last checkpoint.

        Raises:
            SystemExit: With code 0, if there is nothing to resume.
        """
        if self.resume is None:
            return
        settings = self.config[self.config.subcommand]
        if isinstance(self.resume, ResumePoint) and self.resume.run_id is None:
            settings.ckpt_path = str(self.resume.checkpoint)
            require_no_tracker(settings)
            return
        tracker = tracker_of(settings)
        store = tracker.tracking_uri or tracking_uri_from_environment()
        given = self.resume if isinstance(self.resume, ResumePoint) else None
        if given is None:
            # It may hold the news that a run is finished, and the ranks must not disagree on that: whichever delivers
            # it, none goes on before that.
            patience = RANKS_PATIENCE if is_distributed(settings.trainer) else 0.0
            deliver_left_behind(Path(tracker.spool), store, patience)
        own_hash = config_hash(self.plain_config())
        point = given or newest_resume_point(store, own_hash)
        if point is None and unfinished_runs(store, own_hash):
            sys.stderr.write("no unfinished run of this configuration left a checkpoint: training from the start\n")
            self.resume = None
            return
        if point is None:
            sys.stderr.write(f"nothing to resume: {shown_uri(store)} has no unfinished run of this configuration\n")
            raise SystemExit(0)
        self.resume = point
        settings.ckpt_path = str(point.checkpoint)
        tracker.run_id = point.run_id
        # The checkpoint may name another one, of which this one is a copy.
        if tracker.tracking_uri is not None:
            tracker.tracking_uri = point.store

    def instantiate_classes(self) -> None:
        """Build data, model and Trainer.

        Raises:
            UserError: If a value that one of them was given cannot be used.
        """
        path = self._get(self.config, "ckpt_path")
        if self.config.get("subcommand") == "fit" and str(path).endswith(WEIGHTS_SUFFIX):
            raise ConfigError(f"--ckpt_path: {path} holds weights alone; fit goes on from a checkpoint")
        takes_weights = path is not None
        refused: list[UserError] = []
        for part in PARTS:
            self.parser.add_instantiator(partial(construct, refused), part, subclasses=True)
        try:
            # A checkpoint's weights take the place of pretrained ones, which need not be fetched then.
            with plain_factories(), weights_follow() if takes_weights else nullcontext():
                super().instantiate_classes()
        except Exception as error:
            fault = user_error_behind(error) or next(iter(refused), None)
            if fault is None:
                raise
            raise fault from None
        if takes_weights:
            take_checkpoint(self.model, self.datamodule, self.config_dump["data"], path, self._going_on())
        if is_double(self.trainer.precision):
            take_double(self.model)
        if self._get(self.config, "compile"):
            compile_networks(self.trainer.strategy.root_device, self.model.encoder, self.model.decoder)

    def _going_on(self) -> GoingOn | None:
        if self.config.get("subcommand") != "fit":
            return None
        return "same run" if isinstance(self.resume, ResumePoint) else "new run"

    def _parse_ckpt_path(self) -> None:
        """Do not let a checkpoint override the command line: `checkpoint_overlay` has put it below."""

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the Trainer with the callbacks that every run has, as far as its settings allow them."""
        settings, config = self._get(self.config_init, "trainer"), self.plain_config()
        if settings.fast_dev_run:
            if is_rank_0():
                sys.stderr.write("trainer.fast_dev_run tries everything and keeps nothing: no run, no checkpoint\n")
            settings.logger = settings.enable_checkpointing = False
        fitting = SamplerFitting(self._get(self.config_init, "sampler"))
        callbacks: list[Callback] = []
        if not settings.barebones:
            evaluation = self._get(self.config_init, "evaluation")
            watches = [Throughput(), ProcessorWatch(), LossWatch()]
            callbacks = [MonitorCheck(), fitting, evaluation, *watches, RunDescription()]
        if self.answers_signals:
            callbacks.insert(0, self.stopping)
        checkpoint = self._checkpoint(config) if self.subcommand == "fit" else None
        if checkpoint is None:
            kwargs = {**kwargs, "enable_checkpointing": False}
        elif settings.get("enable_checkpointing") is not False:
            callbacks.append(checkpoint)
        names = self.data.dataset_name, run_name(self.model, config)
        if settings.get("enable_progress_bar") is not False and not has_progress_bar(settings):
            callbacks.append(TrainingProgress())
        if self.model.leaves_parameters_out and settings["strategy"] in ("auto", "ddp") and is_distributed(settings):
            kwargs = {**kwargs, "strategy": "ddp_find_unused_parameters_true"}
        plugins = settings.get("plugins") or []
        kwargs = {
            **kwargs,
            "logger": loggers_of(settings, names, checkpoint),
            "plugins": [*(plugins if isinstance(plugins, list) else [plugins]), SoundCheckpointIO()],
            "profiler": settings.get("profiler") or (None if settings.barebones else NoProfiler()),
        }
        # The recorder opens the run, whose id the checkpoints' folder bears.
        recorder = RunRecorder(config, self.always_recorded)
        trainer = self._instantiate_trainer({**settings, **kwargs}, [recorder, *callbacks])
        require_ranks_that_stay(trainer)
        shared = share_granted_processors(trainer.num_devices)
        if shared and is_rank_0():
            sys.stderr.write(f"{shared}\n")
        leave_out_empty_hooks(trainer.callbacks)  # type: ignore[attr-defined]
        recorder.watch(trainer, self.model, self.datamodule)
        self._requeue_signal = take_over_requeueing(trainer)
        if self._requeue_signal is not None:
            self.stopping.requests.numbers.add(self._requeue_signal)
        return trainer

    def _checkpoint(self, config: dict[str, Any]) -> RunCheckpoint:
        checkpoint: RunCheckpoint = self._get(self.config_init, "checkpoint")
        if isinstance(self.resume, ResumePoint) and stays_in_place(self.resume, config):
            checkpoint.stay_with(self.resume.checkpoint)
        checkpoint.config = config
        return checkpoint

    @property
    def data(self) -> SeenData:
        """The data as measures look at them."""
        return seen_data(self.datamodule)

    def plain_config(self) -> dict[str, Any]:
        """Return the resolved configuration as `fit -c` takes it, without a password of the store.

        Where the run is gone on with, which run it is and from where is left out: what is kept of it repeats the run,
        and does not take it over.
        """
        self._dump_config()  # once: to write all of it down takes as long as to parse it
        config: dict[str, Any] = copy.deepcopy(self.config_dump)
        config.pop("config", None)
        for arguments in (config["model"]["init_args"], config["data"]):
            for name in LINKED_KEYS:
                arguments.pop(name, None)
        if isinstance(self.resume, ResumePoint):
            config["ckpt_path"] = None
            tracker = tracker_in(config["trainer"]["logger"])
            if tracker is not None:
                tracker["init_args"]["run_id"] = None
        hide_password(config)
        return config

    def fit(self, **kwargs: Any) -> None:
        """Train, then judge the best checkpoint on the test split in the same MLflow run."""
        announce(self.trainer, self.model, self.data)
        with requeued_after(self._requeue_signal):
            self._train(**kwargs)
            if self.trainer.barebones:
                return
            best = self._judge_best()
        averaged = ", the average of the last epochs' weights" if averages_at_the_end(self.trainer) else ""
        which = "best" if Path(best).name == BEST_CHECKPOINT else "checkpoint.every_n_epochs left no best; last"
        self._report("test", [f"{which} checkpoint: {best}{averaged}"] if best else [])

    def _train(self, **kwargs: Any) -> None:
        try:
            with closing_runs(self.trainer):
                self.trainer.fit(**kwargs)
        except SIGTERMException:
            self._tell_how_to_go_on()
            raise Interrupted(self.stopping.number or SIGTERM) from None

    def _judge_best(self) -> str:
        """Judge the best checkpoint, log it as the run's model, and return its path; without one, judge the last."""
        best = self.best_checkpoint()
        with closing_runs(self.trainer):
            if best:
                log_best_model(self.trainer, best)
        stop_averaging(self.trainer)
        self.trainer.test(
            self.model, datamodule=self.datamodule, ckpt_path=best or None, weights_only=True, verbose=False
        )
        return best

    def best_checkpoint(self) -> str:
        """Return the path of the best checkpoint that `fit` left, else of the last; empty where it left none."""
        checkpoints = [c for c in self.trainer.checkpoint_callbacks if isinstance(c, RunCheckpoint)]
        return checkpoints[0].best_model_path or checkpoints[0].last_model_path if checkpoints else ""

    def validate(self, **kwargs: Any) -> None:
        """Judge the validation split."""
        announce(self.trainer, self.model, self.data)
        self.data.split("val")  # a run is not opened for one that there is not
        self.trainer.validate(**{**kwargs, "verbose": False})
        self._report("val", [])

    def test(self, **kwargs: Any) -> None:
        """Judge the test split."""
        announce(self.trainer, self.model, self.data)
        self.trainer.test(**{**kwargs, "verbose": False})
        self._report("test", [])

    def predict(self, **kwargs: Any) -> None:
        """Write codes and reconstructions to a file."""
        output = check_output(self._get(self.config, "output"))
        if isinstance(self.data, DataModule):  # to count those of others would read loaders that nobody asked for
            tell_of_data(self.trainer, self.data)
        predictions = self.trainer.predict(**{**kwargs, "return_predictions": True})
        gathered = gather(predictions)  # type: ignore[arg-type]
        if self.trainer.is_global_zero:
            write({**origins(self.data, gathered["indices"]), **gathered}, output)
            Console().print(f"{len(gathered['codes']):,} codes and reconstructions in {output}", highlight=False)

    def _tell_how_to_go_on(self) -> None:
        for hint in resume_hints(self.trainer) if self.trainer.is_global_zero else []:
            line = f"ended after step {self.trainer.global_step}; to go on: {hint}"
            Console(stderr=True).print(line, highlight=False, soft_wrap=True, markup=False)

    def _report(self, stage: str, hints: list[str]) -> None:
        if not self.trainer.is_global_zero:
            return
        if self.data.num_skipped:
            hints = [*hints, f"left out: {self.data.num_skipped:,} damaged files (data.on_error: skip)"]
        hints = [*hints, *run_hints(self.trainer)]
        values = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        measures = self._get(self.config_init, "evaluation").measures
        self.tell(stage, values, [*verdict(of_stage(stage, values), self.model, measures), *hints], measures)


def _spec_of(data: LightningDataModule) -> DataSpec:
    return seen_data(data).spec
