"""What a run says to MLflow, as values, and how they are written down."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from ae_lightning.tracking.described_runs import DataSetUse, Description
from ae_lightning.tracking.mlflow_write import MLflowWrite, Target
from ae_lightning.tracking.models import deliver_model
from ae_lightning.tracking.runs import CONFIG_HASH_TAG, RESUMED_PREFIX, known_params
from ae_lightning.tracking.store import sending_files

MAX_METRICS_PER_BATCH = 1000
MAX_PARAMS_PER_BATCH = 100
MODEL_FOLDER = "model"

Point = tuple[str, float, int, int]
"""Key, value, time in milliseconds, step."""


@dataclass(frozen=True)
class Metrics(MLflowWrite):
    """Values of metrics. A store keeps one of all with the same key, value, time and step."""

    points: Sequence[Point]

    def deliver(self, target: Target) -> None:
        """Write them in one request."""
        from mlflow.entities import Metric

        target.client.log_batch(target.run_id, metrics=[Metric(*point) for point in self.points])

    def parts(self) -> Sequence[Metrics]:
        """Return one for each metric."""
        keys = dict.fromkeys(key for key, *_ in self.points)
        return [Metrics([point for point in self.points if point[0] == key]) for key in keys]

    def __str__(self) -> str:
        """Count them."""
        return f"{len(self.points)} metrics"


@dataclass(frozen=True)
class _Named(MLflowWrite):
    """Values by name."""

    values: Mapping[str, str]

    def places(self, files: Path) -> Set[str]:
        """Name them."""
        return {self._place(name) for name in self.values}

    def without(self, places: Set[str], files: Path) -> MLflowWrite | None:
        """Leave the others."""
        rest = {name: value for name, value in self.values.items() if self._place(name) not in places}
        return replace(self, values=rest) if rest else None

    def parts(self) -> Sequence[MLflowWrite]:
        """Return one for each name."""
        return [replace(self, values={name: value}) for name, value in self.values.items()]

    def _place(self, name: str) -> str:
        return f"{type(self).__name__} {name}"


@dataclass(frozen=True)
class Params(_Named):
    """Parameters. MLflow keeps a first value for good: another one is kept as the tag `resumed.KEY`.

    Attributes:
        left_out: Names of those with the value that a run has that does not say it.
    """

    left_out: Sequence[str] = ()

    def deliver(self, target: Target) -> None:
        """Write those that are new, and tags for those that have changed."""
        from mlflow.entities import Param, RunTag

        client, run_id = target.client, target.run_id
        data = client.get_run(run_id).data
        # The last value counts: one that has been changed may be changed back.
        last = known_params(data)
        is_begun = CONFIG_HASH_TAG in data.tags
        unsaid = {key: value for key, value in self.values.items() if key not in last and key not in self.left_out}
        changed = {key: value for key, value in self.values.items() if last.get(key, value) != value}
        if is_begun:
            # It has not said them, and so had their defaults.
            unsaid, changed = {}, {**unsaid, **changed}
        new = [Param(key, value) for key, value in unsaid.items()]
        for start in range(0, len(new), MAX_PARAMS_PER_BATCH):
            client.log_batch(run_id, params=new[start : start + MAX_PARAMS_PER_BATCH])
        client.log_batch(run_id, tags=[RunTag(RESUMED_PREFIX + key, value) for key, value in changed.items()])

    def __str__(self) -> str:
        """Count them."""
        return f"{len(self.values)} parameters"


@dataclass(frozen=True)
class Tags(_Named):
    """Tags of the run."""

    def deliver(self, target: Target) -> None:
        """Set them."""
        from mlflow.entities import RunTag

        target.client.log_batch(target.run_id, tags=[RunTag(*item) for item in self.values.items()])

    def __str__(self) -> str:
        """Count them."""
        return f"{len(self.values)} tags"


@dataclass(frozen=True)
class Text(MLflowWrite):
    """A text as an artifact."""

    text: str
    artifact_file: str

    def deliver(self, target: Target) -> None:
        """Write it over what is there."""
        target.client.log_text(target.run_id, self.text, self.artifact_file)

    def places(self, files: Path) -> Set[str]:
        """Name the artifact."""
        return {f"artifact {self.artifact_file}"}

    def __str__(self) -> str:
        """Name it."""
        return self.artifact_file


@dataclass(frozen=True)
class Artifacts(MLflowWrite):
    """Files as artifacts in a folder.

    Attributes:
        folder: Name of the folder that they wait in.
        artifact_folder: Where MLflow shows them.
    """

    folder: str
    artifact_folder: str

    @property
    def staged(self) -> str:
        """Name of the folder with the files."""
        return self.folder

    def deliver(self, target: Target) -> None:
        """Write them over what is there."""
        # A store that is away is found out by a request without files, which gives up sooner.
        target.client.get_run(target.run_id)
        with sending_files():
            target.client.log_artifacts(target.run_id, str(target.files / self.folder), self.artifact_folder)

    def places(self, files: Path) -> Set[str]:
        """Name the artifacts."""
        own = files / self.folder
        names = (path.relative_to(own) for path in own.rglob("*") if path.is_file())
        return {f"artifact {PurePosixPath(self.artifact_folder, name)}" for name in names}

    def __str__(self) -> str:
        """Name the folder."""
        return f"files of {self.artifact_folder}"


@dataclass(frozen=True)
class LoggedModel(MLflowWrite):
    """An MLflow model.

    Attributes:
        folder: Name of the folder that holds it as `model`.
        key: Its own, by which a model that was delivered in part is found again.
    """

    folder: str
    key: str

    @property
    def staged(self) -> str:
        """Name of the folder with the model."""
        return self.folder

    def deliver(self, target: Target) -> None:
        """Make it a logged model of the run, or finish the one begun."""
        deliver_model(target.client, target.run_id, target.files / self.folder / MODEL_FOLDER, self.key)

    def __str__(self) -> str:
        """Name it."""
        return "the model"


@dataclass(frozen=True)
class Status(MLflowWrite):
    """How the run stands.

    Attributes:
        status: As MLflow calls it.
        time: Of the end, in milliseconds; None for a run that has not ended.
    """

    status: str
    time: int | None = None

    def deliver(self, target: Target) -> None:
        """Set it."""
        if self.time is None:
            target.client.update_run(target.run_id, status=self.status)
        else:
            target.client.set_terminated(target.run_id, self.status, self.time)

    def places(self, files: Path) -> Set[str]:
        """Name it."""
        return {"status"}

    def __str__(self) -> str:
        """Name it."""
        return f"the status {self.status}"


_KINDS: dict[str, type[MLflowWrite]] = {
    kind.__name__: kind
    for kind in (Metrics, Params, Tags, Text, Artifacts, LoggedModel, Status, DataSetUse, Description)
}


def encoded(write: MLflowWrite) -> dict[str, Any]:
    """Return a write in terms of JSON."""
    return {"kind": type(write).__name__, **asdict(write)}


def decoded(record: Mapping[str, Any]) -> MLflowWrite:
    """Return the write that was encoded.

    Raises:
        KeyError: If it is of a kind that this version does not know.
        TypeError: If it has other fields.
        ValueError: If its files would lie elsewhere than beside it.
    """
    values = dict(record)
    write = _KINDS[values.pop("kind")](**values)
    if write.staged and not re.fullmatch(r"[0-9]{6,}", write.staged):
        raise ValueError(f"{write.staged!r} is no folder of a spool")
    return write


def merged(writes: Iterable[MLflowWrite]) -> Iterator[MLflowWrite]:
    """Join metrics that follow each other, as many as one request takes."""
    points: list[Point] = []
    for write in writes:
        if isinstance(write, Metrics):
            points.extend(write.points)
            continue
        yield from _batches(points)
        points = []
        yield write
    yield from _batches(points)


def _batches(points: Sequence[Point]) -> Iterator[Metrics]:
    for start in range(0, len(points), MAX_METRICS_PER_BATCH):
        yield Metrics(points[start : start + MAX_METRICS_PER_BATCH])
