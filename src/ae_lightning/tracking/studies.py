"""The run of a study, its trials' runs below it, and its best model in the registry."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_utilities.core.rank_zero import rank_zero_warn

from ae_lightning.errors import TrackingError
from ae_lightning.file_names import DEFAULT_SPOOL
from ae_lightning.tracking.addresses import absolute_uri, shown_uri
from ae_lightning.tracking.answers import reason_of
from ae_lightning.tracking.asking import asking
from ae_lightning.tracking.delivery import NotDeliveredError, RunGoneError, StoreAwayError, deliver, require_run
from ae_lightning.tracking.given import given_run, require_given, tell_of_another_run
from ae_lightning.tracking.keys import valid_key
from ae_lightning.tracking.leftover_spools import deliver_left_behind, spools_of_store
from ae_lightning.tracking.mlflow_writes import Target, Write, files_in, params_of, tags_of
from ae_lightning.tracking.origin import Origin
from ae_lightning.tracking.runs import mlflow_run
from ae_lightning.tracking.spool import Spool, SpoolInUseError, sync_command
from ae_lightning.tracking.store import answers_explained, client_of, connect, find_or_create_experiment, impatient

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PARENT_TAG = "mlflow.parentRunId"
STUDY_TAG = "optuna.study"
TRIAL_TAG = "optuna.trial"
STATE_TAG = "optuna.state"
REASON_TAG = "optuna.reason"


class StudyRun:
    """The MLflow run of a study, over all nights.

    What the store does not take while it is away waits on disk, beside what the trials' own runs left there.

    Args:
        tracking_uri: The store.
        run_id: Of the study's run.
        experiment_id: Of its experiment.
        spool: Folder in which everything waits that MLflow does not take.
    """

    def __init__(self, tracking_uri: str, run_id: str, experiment_id: str, spool: str = DEFAULT_SPOOL) -> None:
        self.tracking_uri = tracking_uri
        self.run_id = run_id
        self.experiment_id = experiment_id
        self._client = client_of(tracking_uri)
        self._spool_root = Path(spool)
        self._spools: dict[str, Spool] = {}

    def is_ready(self) -> bool:
        """Whether the store answers; if it does, it gets what waits on disk."""
        try:
            with impatient(), suppress(RunGoneError):
                require_run(self._client, self.run_id)
        except StoreAwayError:
            rank_zero_warn(
                f"MLflow at {shown_uri(self.tracking_uri)!r} takes nothing: the next trial waits until it does"
            )
            return False
        self._deliver_what_waits()
        return True

    def _deliver_what_waits(self) -> None:
        """Deliver what trials and this run left on disk; what the store does not take goes on waiting there."""
        try:
            deliver_left_behind(self._spool_root, self.tracking_uri)
        except (TrackingError, OSError) as error:
            rank_zero_warn(f"{self._spool_root} is not delivered: {reason_of(error)}")

    def tags_for(self, study: str, trial: int) -> dict[str, str]:
        """Return the tags that put a trial's run below this one."""
        return {PARENT_TAG: self.run_id, STUDY_TAG: study, TRIAL_TAG: str(trial)}

    def keep_text(self, text: str, name: str) -> None:
        """Keep a text as an artifact."""
        self._say(self.run_id, Write("text", [(name, text)]))

    def keep_folder(self, folder: Path, name: str) -> None:
        """Keep the files of a folder as artifacts in a folder."""

        def copied(spool: Spool) -> Write:
            staged = spool.stage()
            shutil.copytree(folder, staged / name)
            return files_in(staged)

        self._write(self.run_id, name, copied)

    def keep_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log values of the study, at the number of trials done before, which of one worker is the trial's own."""
        now = int(time.time() * 1000)
        points = [(valid_key(name), value, now, step) for name, value in metrics.items()]
        self._say(self.run_id, Write("metrics", points))

    def keep_params(self, params: Mapping[str, Any]) -> None:
        """Log what the study is; where it has been edited since, as tags `resumed.KEY` beside what it was."""
        self._say_params(self.run_id, params)

    def open_runs_of(self, trial: int) -> list[str]:
        """Return the ids of a trial's runs that MLflow has as running; none where it does not answer."""
        wanted = f"tags.`{PARENT_TAG}` = '{self.run_id}' and tags.`{TRIAL_TAG}` = '{trial}' and status = 'RUNNING'"
        try:
            with impatient():
                return [run.info.run_id for run in self._client.search_runs([self.experiment_id], wanted)]
        except Exception as error:
            # Stores raise errors of many libraries.
            rank_zero_warn(f"trial {trial}: whether it left a run open is not known: {reason_of(error)}")
            return []

    def mark(self, run_id: str, tags: Mapping[str, str], status: str | None = None) -> None:
        """Set tags of a run of the study, and its status where one is given."""
        self._say(run_id, tags_of({name: value[:500] for name, value in tags.items()}))
        if status is not None:
            self._say(run_id, Write("status", [(status, int(time.time() * 1000))]))

    def add_failed(self, name: str, tags: Mapping[str, str], params: Mapping[str, Any]) -> None:
        """Add the run of a trial that failed before its own was opened."""
        with self.refusal_survived(name):
            run = self._client.create_run(self.experiment_id, tags=dict(tags), run_name=name)
            self._say_params(run.info.run_id, params)
            self.mark(run.info.run_id, {}, "FAILED")

    def close(self, status: str = "FINISHED") -> None:
        """End the night, and warn of what still waits on disk."""
        self._say(self.run_id, Write("status", [(status, int(time.time() * 1000))]))
        self._deliver_what_waits()
        own = spools_of_store(self._spool_root, self.tracking_uri)
        command = sync_command(self._spool_root)
        if num_waiting := sum(not spool.is_empty for spool in own):
            rank_zero_warn(
                f"MLflow does not have everything: what it lacks of {num_waiting} runs waits in {self._spool_root}; "
                f"`{command}` delivers it"
            )
        if num_refused := sum(spool.num_refused for spool in own):
            rank_zero_warn(
                f"MLflow took {num_refused} records at no attempt: they are kept in {self._spool_root}; "
                f"`{command} --refused` tries them again"
            )

    @contextmanager
    def refusal_survived(self, what: str) -> Iterator[None]:
        """Warn of what the store does not take, and go on: it may be away, or refuse it."""
        from mlflow.exceptions import MlflowException

        try:
            with impatient():
                yield
        except (MlflowException, OSError, TrackingError) as error:
            rank_zero_warn(f"MLflow at {shown_uri(self.tracking_uri)!r} did not take {what}: {reason_of(error)}")

    def _say_params(self, run_id: str, params: Mapping[str, Any]) -> None:
        self._say(run_id, params_of({valid_key(key): value for key, value in params.items()}))

    def _say(self, run_id: str, write: Write) -> None:
        """Deliver a write, or leave it on disk behind those that wait there."""
        self._write(run_id, str(write), lambda spool: write)

    def _write(self, run_id: str, what: str, make: Callable[[Spool], Write]) -> None:
        """Deliver what is made beside the files of a spool, or leave it there."""
        try:
            try:
                self._write_to(self._spool_of(run_id), make, may_deliver=True)
            except SpoolInUseError:
                # Another worker delivers it: what is said now waits behind it, in one of its own.
                del self._spools[run_id]
                self._write_to(self._spool_of(run_id), make, may_deliver=False)
        except OSError as error:
            rank_zero_warn(f"{self._spool_root} cannot be written, so MLflow does not get {what}: {error}")

    def _write_to(self, spool: Spool, make: Callable[[Spool], Write], may_deliver: bool) -> None:
        with impatient(), closing(spool.hold()):
            is_first = spool.is_empty
            write = make(spool)
            if not (may_deliver and is_first and self._is_delivered(spool, write)):
                spool.append([write])

    def _is_delivered(self, spool: Spool, write: Write) -> bool:
        try:
            deliver(Target(self._client, spool.origin.run_id, spool.files), write)
        except NotDeliveredError as error:
            rank_zero_warn(
                f"MLflow at {shown_uri(self.tracking_uri)!r} takes nothing ({error}): {write} waits for it on disk"
            )
            return False
        spool.forget(write)
        return True

    def _spool_of(self, run_id: str) -> Spool:
        origin = Origin(absolute_uri(self.tracking_uri), run_id)
        return self._spools.setdefault(run_id, Spool.new(self._spool_root, origin))


def open_study_run(
    tracking_uri: str, experiment_name: str, name: str, run_id: str | None, spool: str = DEFAULT_SPOOL
) -> StudyRun:
    """Open the run of a study: the one of earlier nights, the one that `MLFLOW_RUN_ID` gives, or a new one.

    Args:
        tracking_uri: The store.
        experiment_name: The experiment that the trials log to, created if it is not there.
        name: Of the study.
        run_id: The run of earlier nights, if any.
        spool: Folder in which everything waits that MLflow does not take.

    Raises:
        TrackingError: If the store does not answer.
    """
    client = asking(connect(tracking_uri), tracking_uri)
    with answers_explained(tracking_uri):
        experiment_id = find_or_create_experiment(client, tracking_uri, experiment_name)
        if run_id is not None and _is_there(client, tracking_uri, run_id):
            tell_of_another_run(run_id)
        elif run_id := given_run():
            require_given(client, tracking_uri, run_id)
            client.set_tag(run_id, STUDY_TAG, name)
        else:
            run_id = client.create_run(experiment_id, run_name=f"study {name}", tags={STUDY_TAG: name}).info.run_id
        client.update_run(run_id, status="RUNNING")
        experiment_id = str(client.get_run(run_id).info.experiment_id)
    return StudyRun(tracking_uri, run_id, experiment_id, spool)


def _is_there(client: MlflowClient, tracking_uri: str, run_id: str) -> bool:
    found = mlflow_run(client, tracking_uri, run_id)
    return found is not None and str(found.info.lifecycle_stage) == "active"
