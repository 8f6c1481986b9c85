"""Lightning's MLflow logger, with what a night of unattended runs needs.

A database that eight processes may create at once, parameters in full, metrics written by a thread of their own, a run
status that tells the truth, and faults said in one line.
"""

from __future__ import annotations

import shutil
import time
from argparse import Namespace
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import MLFlowLogger
from lightning_utilities.core.rank_zero import rank_zero_only, rank_zero_warn

from ae_lightning.file_names import DEFAULT_SPOOL
from ae_lightning.tracking.addresses import NOWHERE, absolute_uri, shown_uri, tracking_uri_from_environment
from ae_lightning.tracking.asking import asking
from ae_lightning.tracking.described_runs import DataSetUse, Description
from ae_lightning.tracking.given import given_experiment, given_run, require_given, tell_of_another_run
from ae_lightning.tracking.keys import command_line_keys, valid_key
from ae_lightning.tracking.leftover_spools import deliver_left_of_run, find_spools
from ae_lightning.tracking.load_monitor import LoadMonitor
from ae_lightning.tracking.metric_steps import MetricSteps
from ae_lightning.tracking.mlflow_writes import MODEL_FOLDER, Target, Write, described, files_in, params_of, tags_of
from ae_lightning.tracking.models import Example, model_key, save_model
from ae_lightning.tracking.new_runs import create_run
from ae_lightning.tracking.origin import Origin
from ae_lightning.tracking.runs import mlflow_run
from ae_lightning.tracking.spool import Spool, SpoolInUseError
from ae_lightning.tracking.store import answers_explained, connect, impatient, import_mlflow
from ae_lightning.tracking.writer import Writer
from ae_lightning.waiting import said_if_slow

MYPY = False
"""True for mypy alone. jsonargparse runs every block under `TYPE_CHECKING`, which would import mlflow for `--help`."""

if MYPY:
    from mlflow.tracking import MlflowClient


class MLflowTracker(MLFlowLogger):
    """Logs runs to MLflow: parameters, metrics, texts, pictures, system metrics and models.

    Args:
        experiment_name: Experiment of the run; by default `MLFLOW_EXPERIMENT_NAME` or `MLFLOW_EXPERIMENT_ID`, else the
            name of the data set.
        run_name: Name of the run; by default its variant and what it has other than by default, such as `VAE-32 β=0.1`.
        tracking_uri: MLflow store; by default `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.
        tags: Tags of the run.
        run_id: An existing run to go on with; by default `MLFLOW_RUN_ID`, which `mlflow run` has opened.
        system_metrics: Log the machine's load (processor, memory, disk, network, GPU) every 5 seconds.
        spool: Folder in which everything waits that MLflow does not take, until it does.

    Attributes:
        is_waiting: The run given has not been taken over yet.
        keeps_status: Leave the status of the run given as it is: it is judged, not trained on.
        takes_given_run: Log to the run of `MLFLOW_RUN_ID`, where no other is named.
        stays_open: More is to come of the run, such as its test: what ends well does not close it yet.
    """

    def __init__(
        self,
        experiment_name: str | None = None,
        run_name: str | None = None,
        tracking_uri: str | None = None,
        tags: dict[str, str] | None = None,
        run_id: str | None = None,
        system_metrics: bool = True,
        spool: str = DEFAULT_SPOOL,
    ) -> None:
        # Before Lightning does, to see whether there is one.
        import_mlflow()
        super().__init__(
            experiment_name=experiment_name or "ae_lightning",
            run_name=run_name,
            # Lightning connects here, which would create the database at once, on every rank and under no lock.
            tracking_uri=NOWHERE,
            tags=dict(tags or {}),
            run_id=run_id,
        )
        self._tracking_uri = tracking_uri or tracking_uri_from_environment()
        self._experiment_is_named = experiment_name is not None
        self._run_is_named = run_name is not None
        self._wants_system_metrics = system_metrics
        self._spool_root = Path(spool)
        self._spool: Spool | None = None
        self._monitor = LoadMonitor(is_wanted=system_metrics)
        self._writer: Writer | None = None
        self._killed = False
        self._has_begun = False
        self._is_guest = False
        self._steps = MetricSteps()
        self._start_time = 0
        self.keeps_status = False
        self.is_waiting = False
        self.takes_given_run = True
        self.stays_open = False

    @property
    def tracking_uri(self) -> str:
        """The MLflow store of the run."""
        return self._tracking_uri

    @property
    def spool_root(self) -> Path:
        """Where everything waits that MLflow does not take."""
        return self._spool_root

    def find_experiment_name(self) -> str:
        """Return the name of the experiment of a run that is not open yet.

        Raises:
            TrackingError: If the environment names an experiment that the store does not have.
        """
        given = None if self._experiment_is_named else given_experiment(self._tracking_uri)
        return given or self._experiment_name

    @property
    @rank_zero_experiment
    def experiment(self) -> MlflowClient:
        """The MLflow client, the run created if it is not there yet."""
        if self._experiment_id is None:
            self.open()
        return self._mlflow_client

    def suggest_names(self, experiment_name: str, run_name: str) -> None:
        """Name experiment and run where the user did not; before `open`."""
        if not self._experiment_is_named:
            self._experiment_name = experiment_name
        self._run_name = self._run_name or run_name

    @rank_zero_only
    def open(self) -> None:
        """Create the run, whose status is RUNNING from here on, or find the one given, which waits to be taken over.

        Raises:
            TrackingError: If the store does not answer, or the experiment or run cannot be used.
        """
        if self._writer is not None:
            return
        is_open_again = self._spool is not None
        if self._spool is None:
            with said_if_slow(f"waiting for MLflow at {shown_uri(self._tracking_uri)} …"):
                self._open_first()
            self._spool = Spool.new(self._spool_root, Origin(absolute_uri(self._tracking_uri), self._existing_run_id()))
        self._writer = Writer(self._mlflow_client, self._spool)
        if is_open_again and not self._is_guest and not self.is_waiting:
            self._writer.submit(Write("status", [("RUNNING", None)]))
        self._killed = False
        if not self.is_waiting:
            self._monitor.start(self._log_system)

    @rank_zero_only
    def take_over(self) -> None:
        """Go on with the run given, of which nothing has changed until now, its status included."""
        self.open()
        if self.is_waiting:
            self.is_waiting = False
            self._say(Write("status", [("RUNNING", None)]))
            self._monitor.start(self._log_system)

    def begin(self) -> None:
        """Say that the training or evaluation starts: no outage of the store ends it from here on."""
        self._has_begun = True

    def _open_first(self) -> None:
        self._mlflow_client = connect(self._tracking_uri)
        self._asking = asking(self._mlflow_client, self._tracking_uri)
        with answers_explained(self._tracking_uri), impatient():
            if self._run_id is not None:
                tell_of_another_run(self._run_id)
                self._resume_run()
            elif self.takes_given_run and (run_id := given_run()):
                self._take(run_id)
            else:
                self._create_run()

    def _existing_run_id(self) -> str:
        assert self._run_id is not None, "open() comes first"
        return self._run_id

    def _resume_run(self) -> None:
        """Go on with a run; a checkpoint from elsewhere may name one that this store does not have."""
        run_id = self._existing_run_id()
        run = mlflow_run(self._asking, self._tracking_uri, run_id)
        if run is None:
            rank_zero_warn(f"MLflow at {shown_uri(self._tracking_uri)!r} has no run {run_id}: a new one is started")
            self._run_id = None
            self._create_run()
            return
        self._experiment_id = str(run.info.experiment_id)
        self._start_time = run.info.start_time
        self._is_guest = self.keeps_status
        if not self._is_guest:
            # So that MLflow knows which steps are there.
            deliver_left_of_run(self._spool_root, run_id, self._mlflow_client)
            run = self._asking.get_run(run_id)
            self.is_waiting = True
        self._steps = MetricSteps(run.data._metric_objs, is_guest=self._is_guest)
        next_step = self._steps.next_system_step
        self._monitor = LoadMonitor(is_wanted=self._wants_system_metrics, next_step=next_step)

    def _take(self, run_id: str) -> None:
        """Log to a run that was opened for this one."""
        require_given(self._asking, self._tracking_uri, run_id, untrained=not self.keeps_status)
        self._run_id = run_id
        self._resume_run()
        for key, value in (self.tags or {}).items():
            self._asking.set_tag(run_id, key, value)

    def _create_run(self) -> None:
        name, is_own = self._run_name, self._run_is_named
        experiment = self.find_experiment_name()
        run = create_run(self._asking, self._tracking_uri, experiment, name, self.tags or {}, is_own_name=is_own)
        self._run_id, self._experiment_id = run.info.run_id, str(run.info.experiment_id)
        self._start_time = run.info.start_time

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Log parameters in full, under the keys of the command line.

        MLflow keeps a parameter's first value for good. Where a resumed run has another, that is kept as the tag
        `resumed.KEY`.
        """
        flat = command_line_keys(params if isinstance(params, dict) else vars(params))
        self.log_parameters({valid_key(key): str(value) for key, value in flat.items()})

    @rank_zero_only
    def log_parameters(self, params: Mapping[str, str], left_out: Collection[str] = ()) -> None:
        """Log parameters as MLflow is to have them.

        Args:
            params: By the command line's keys.
            left_out: Those that nobody misses: they are logged where the run has begun with another value.
        """
        self._say(params_of(params, left_out))

    @rank_zero_only
    def describe(self, *said: DataSetUse | Description) -> None:
        """Say what the run is about to those who read it in MLflow.

        Raises:
            TrackingError: If the store does not take it while the run begins.
        """
        for one in said:
            self._say(described(one))

    def _say(self, write: Write) -> None:
        """Tell the store at once while the run begins, when a refusal still costs nothing; later, in its turn.

        Raises:
            TrackingError: If the store does not take it while the run begins.
        """
        self.open()
        if self._has_begun:
            self._submit(write)
            return
        with answers_explained(self._tracking_uri):
            write.deliver(Target(self._asking, self._existing_run_id(), self._spool_root))

    def _submit(self, write: Write) -> None:
        assert self._writer is not None, "open() comes first"
        self._writer.submit(write)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Hand metrics over to be written while training goes on, those of the test split at step 0.

        What MLflow has already of a run that is gone on with is not written again.
        """
        self.take_over()
        now = int(time.time() * 1000)
        points = [(key, value, now, at) for key, value, at in self._steps.to_log(metrics, step or 0)]
        self._submit(Write("metrics", points))

    def _log_system(self, metrics: Mapping[str, float], step: int | None) -> None:
        now = int(time.time() * 1000)
        self._submit(Write("metrics", [(name, float(value), now, step or 0) for name, value in metrics.items()]))

    @rank_zero_only
    def flush(self) -> None:
        """Wait until MLflow has what was logged so far, for a few seconds at most, or until it waits on disk."""
        if self._writer is not None:
            self._writer.flush()

    @rank_zero_only
    def log_text(self, text: str, artifact_file: str) -> None:
        """Keep a text as an artifact of the run.

        Raises:
            TrackingError: If the store does not take it while the run begins.
        """
        self._say(Write("text", [(artifact_file, text)]))

    @rank_zero_only
    def log_file(self, path: Path, artifact_folder: str) -> None:
        """Keep a copy of a file as an artifact of the run."""
        staged = self._stage(artifact_folder, lambda folder: shutil.copy(path, folder))
        if staged is not None:
            self._submit(files_in(staged))

    @rank_zero_only
    def log_picture(self, path: Path, name: str, step: int) -> None:
        """Show a PNG in the image grid of MLflow's charts, beside other runs' of that name.

        Args:
            path: The PNG.
            name: Name of the grid, such as `test/reconstructions`.
            step: Where the grid's slider shows it.
        """
        from ae_lightning.tracking.pictures import IMAGES_FOLDER, IMAGES_TAG, write_grid_picture

        staged = self._stage(
            IMAGES_FOLDER, lambda folder: write_grid_picture(path, folder, name, step, self._start_time)
        )
        if staged is not None:
            self._submit(files_in(staged))
            self._submit(tags_of({IMAGES_TAG: "True"}))

    def _stage(self, artifact_folder: str, write: Callable[[Path], object]) -> Path | None:
        """Let files that are to be delivered be written to a folder of their own.

        Args:
            artifact_folder: Where MLflow is to show them.
            write: Writes them to the folder that it is given.

        Returns:
            The folder of their own; None, with a warning, where the disk does not take them or a `sync` has the spool.
        """
        self.open()
        assert self._spool is not None
        try:
            staged = self._spool.stage()
            (staged / artifact_folder).mkdir(parents=True, exist_ok=True)
            write(staged / artifact_folder)
        except (OSError, SpoolInUseError) as error:
            rank_zero_warn(f"{self._spool.folder} cannot be written, so MLflow gets no copy: {error}")
            return None
        return staged

    @rank_zero_only
    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the run.

        Raises:
            TrackingError: If the store does not take them while the run begins.
        """
        self._say(tags_of(tags))

    @rank_zero_only
    def log_autoencoder(self, checkpoint: Path, inputs: Example, outputs: Example) -> None:
        """Log a checkpoint as an MLflow model.

        Args:
            checkpoint: A checkpoint of an autoencoder.
            inputs: What it takes, of a few samples.
            outputs: What it gives of them.
        """
        run_id = self._existing_run_id()
        staged = self._stage("", lambda folder: save_model(folder / MODEL_FOLDER, run_id, checkpoint, inputs, outputs))
        if staged is not None:
            self._submit(Write("model", [(model_key(run_id, checkpoint),)], staged.name))

    def mark_killed(self) -> None:
        """Say that the run ends because somebody ended it, not because it failed."""
        self._killed = True

    @rank_zero_only
    def finalize(self, status: str = "success") -> None:
        """Deliver what waits, or leave it on disk, and close the run: FINISHED, FAILED, or KILLED after a signal."""
        if self._writer is None:
            return
        if self.stays_open and status == "success":
            # It may be killed before more comes, and takes no step again by which this would be logged.
            self._writer.flush()
            return
        self._monitor.stop()
        if not self._is_guest and not self.is_waiting:
            final = "KILLED" if self._killed else "FAILED" if status == "failed" else "FINISHED"
            self._submit(Write("status", [(final, int(time.time() * 1000))]))
        with said_if_slow(f"delivering to MLflow at {shown_uri(self._tracking_uri)} …"):
            self._writer.close()
        self._writer = None

    @property
    def undelivered(self) -> list[str]:
        """What MLflow does not have of the run, and how to deliver it, a line each."""
        spools = [] if self._run_id is None else find_spools(self._spool_root, self._run_id)
        return [line for spool in spools for line in spool.hints]
