"""What a run says to MLflow, as values that can wait on a disk: saying it twice is saying it once.

| kind | one item | |
|---|---|---|
| `metrics` | key, value, time in milliseconds, step | a store keeps one of all that are the same |
| `params` | key, value, whether a run that does not say it has that value | MLflow keeps a first value for good |
| `tags` | key, value | |
| `text` | name of the artifact, text | |
| `files` | name of the artifact | they lie in the staged folder as MLflow is to show them |
| `model` | its key, by which one that was delivered in part is found again | it is the staged folder's `model` |
| `status` | as MLflow calls it, time of the end in milliseconds or None | |
| `data set` | the fields of a `DataSetUse` | |
| `description` | the fields of a `Description` | |
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, astuple, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ae_lightning.tracking.described_runs import DataSetUse, Description
from ae_lightning.tracking.models import deliver_model
from ae_lightning.tracking.runs import CONFIG_HASH_TAG, RESUMED_PREFIX, known_params
from ae_lightning.tracking.store import sending_files

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

MAX_METRICS_PER_BATCH = 1000
MAX_PARAMS_PER_BATCH = 100
MAX_PARAM_LENGTH = 6000
MODEL_FOLDER = "model"
_CRC_LENGTH = 8

Kind = Literal["metrics", "params", "tags", "text", "files", "model", "status", "data set", "description"]


@dataclass(frozen=True)
class Target:
    """Where writes go.

    Attributes:
        client: Of the store.
        run_id: The run.
        files: Folder with the staged folders.
    """

    client: MlflowClient
    run_id: str
    files: Path


@dataclass(frozen=True)
class Write:
    """Something to be said to MLflow of one run.

    Attributes:
        kind: One of the table above.
        items: What is said, in one request; the first value of each is its name.
        staged: Name of the folder with its files; empty where it has none.
    """

    kind: Kind
    items: Sequence[Sequence[Any]]
    staged: str = ""

    @property
    def names(self) -> Sequence[str]:
        """The names of the items, each once."""
        return list(dict.fromkeys(str(name) for name, *_ in self.items))

    @property
    def places(self) -> Set[str]:
        """What it sets that another may set anew: there the last one counts."""
        if self.kind in ("status", "description"):
            return {self.kind}
        whose = {"params": "parameter", "tags": "tag", "text": "artifact", "files": "artifact"}.get(self.kind)
        return {f"{whose} {name}" for name in self.names} if whose else set()

    def deliver(self, target: Target) -> None:
        """Say it; to say it again changes nothing."""
        from mlflow.entities import Metric, RunTag

        client, run_id, folder = target.client, target.run_id, target.files / self.staged
        match self.kind, self.items:
            case "metrics", points:
                client.log_batch(run_id, metrics=[Metric(*point) for point in points])
            case "params", params:
                _deliver_params(client, run_id, params)
            case "tags", tags:
                client.log_batch(run_id, tags=[RunTag(*tag) for tag in tags])
            case "text", [(artifact_file, text)]:
                client.log_text(run_id, text, artifact_file)
            case "files", _:
                # A store that is away is found out by a request without files, which gives up sooner.
                client.get_run(run_id)
                with sending_files():
                    client.log_artifacts(run_id, str(folder))
            case "model", [(key,)]:
                deliver_model(client, run_id, folder / MODEL_FOLDER, key)
            case "status", [(status, None)]:
                client.update_run(run_id, status=status)
            case "status", [(status, time)]:
                client.set_terminated(run_id, status, time)
            case "data set", [fields]:
                DataSetUse(*fields).deliver(client, run_id)
            case "description", [fields]:
                Description(*fields).deliver(client, run_id)
            case _:
                raise ValueError(f"{self.kind} are not made of {self.items}")

    def parts(self) -> Sequence[Write]:
        """Return the writes that say the same name by name, so that a bad one spoils no other."""
        if self.staged:
            return [self]
        return [replace(self, items=[item for item in self.items if str(item[0]) == name]) for name in self.names]

    def __str__(self) -> str:
        """Name it in a message."""
        if self.kind in ("metrics", "params", "tags"):
            return f"{len(self.items)} {self.kind}"
        return ", ".join(self.names) if self.kind in ("text", "files") else f"the {self.kind}"


def params_of(values: Mapping[str, Any], left_out: Collection[str] = ()) -> Write:
    """Return the write of parameters.

    Args:
        values: By names that MLflow takes.
        left_out: Those of which a run that does not say them has the value.
    """
    return Write("params", [(key, str(value)[:MAX_PARAM_LENGTH], key in left_out) for key, value in values.items()])


def tags_of(values: Mapping[str, str]) -> Write:
    """Return the write of tags."""
    return Write("tags", list(values.items()))


def files_in(folder: Path) -> Write:
    """Return the write of the files in a staged folder."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return Write("files", [(name,) for name in found], folder.name)


def described(said: DataSetUse | Description) -> Write:
    """Return the write of what a run says of itself."""
    return Write("data set" if isinstance(said, DataSetUse) else "description", [astuple(said)])


def _deliver_params(client: MlflowClient, run_id: str, params: Sequence[Sequence[Any]]) -> None:
    """Write parameters that are new, and the tags `resumed.KEY` for those that have changed."""
    from mlflow.entities import Param, RunTag

    data = client.get_run(run_id).data
    # The last value counts: one that has been changed may be changed back.
    last = known_params(data)
    unsaid = {key: value for key, value, is_left_out in params if key not in last and not is_left_out}
    changed = {key: value for key, value, _ in params if last.get(key, value) != value}
    if CONFIG_HASH_TAG in data.tags:
        # It has begun and not said them, and so had their defaults.
        unsaid, changed = {}, {**unsaid, **changed}
    new = [Param(key, value) for key, value in unsaid.items()]
    for start in range(0, len(new), MAX_PARAMS_PER_BATCH):
        client.log_batch(run_id, params=new[start : start + MAX_PARAMS_PER_BATCH])
    client.log_batch(run_id, tags=[RunTag(RESUMED_PREFIX + key, value) for key, value in changed.items()])


def merged(writes: Iterable[Write]) -> Iterator[Write]:
    """Join metrics that follow each other, as many as one request takes."""
    for is_metrics, group in groupby(writes, lambda write: write.kind == "metrics"):
        if not is_metrics:
            yield from group
            continue
        points = [point for write in group for point in write.items]
        for start in range(0, len(points), MAX_METRICS_PER_BATCH):
            yield Write("metrics", points[start : start + MAX_METRICS_PER_BATCH])


def line_of(write: Write) -> bytes:
    """Return a write as a line of a file, behind its CRC: one that is cut short or altered is found."""
    content = json.dumps(asdict(write)).encode()
    return f"{zlib.crc32(content):0{_CRC_LENGTH}x} ".encode() + content + b"\n"


def write_in(line: bytes) -> Write | None:
    """Return the write of a line; None for one that is damaged, or whose files would lie elsewhere than beside it.

    Raises:
        TypeError: If another version of this package wrote it.
    """
    crc, content = line[:_CRC_LENGTH], line[_CRC_LENGTH + 1 : -1]
    if not line.endswith(b"\n") or crc != f"{zlib.crc32(content):0{_CRC_LENGTH}x}".encode():
        return None
    try:
        write = Write(**json.loads(content))
    except ValueError:
        return None
    if write.kind not in get_args(Kind):
        raise TypeError(f"{write.kind} is of no kind that this version knows")
    return write if re.fullmatch(r"([0-9]{6,})?", write.staged) else None
