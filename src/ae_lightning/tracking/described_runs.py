"""What a run says of itself to those who read it in MLflow: its data, and a description."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ae_lightning.tracking.answers import knows_no_such_request
from ae_lightning.tracking.keys import short_keys
from ae_lightning.tracking.runs import known_params

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

NOTE_TAG = "mlflow.note.content"
"""MLflow shows it as the description of a run."""

MAX_NOTE_LENGTH = 5000
"""Of a tag, in MLflow's databases before version 2.15."""

_SIGNATURE = "*Written by ae_lightning as long as this line stands; `config.yaml` has every setting.*"


@dataclass(frozen=True)
class DataSetUse:
    """The data that a run learns from and is judged on, as MLflow's own data set.

    Attributes:
        name: Of the data set.
        digest: Tells its samples, and how they are divided, from others.
        place: Where its files are; empty for what a library holds.
        shape: Of one sample, which models see as 32-bit numbers.
        num_samples: Of each split, by name.
    """

    name: str
    digest: str
    place: str
    shape: Sequence[int]
    num_samples: Mapping[str, int]

    def deliver(self, client: MlflowClient, run_id: str) -> None:
        """Log it as an input of the run: a store keeps one of all with the same name and digest."""
        import numpy as np
        from mlflow.data.schema import TensorDatasetSchema
        from mlflow.entities import Dataset, DatasetInput, InputTag
        from mlflow.exceptions import MlflowException
        from mlflow.types import Schema, TensorSpec
        from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

        schema = TensorDatasetSchema(Schema([TensorSpec(np.dtype(np.float32), (-1, *self.shape))]))
        kind, source = ("local", {"uri": self.place}) if self.place else ("code", {"tags": {"data.name": self.name}})
        described = Dataset(
            self.name,
            self.digest,
            kind,
            json.dumps(source),
            json.dumps(schema.to_dict()),
            json.dumps({"samples": dict(self.num_samples)}),
        )
        context = InputTag(MLFLOW_DATASET_CONTEXT, ", ".join(self.num_samples))
        try:
            client.log_inputs(run_id, [DatasetInput(described, [context])])
        except MlflowException as error:
            # Servers before MLflow 2.4 know no data sets; the description has its name.
            if not knows_no_such_request(error):
                raise
            client.get_run(run_id)


@dataclass(frozen=True)
class Description:
    """Markdown that says what a run is and how it did. A text of a person's own stays.

    Attributes:
        said: What comes first.
        keys: The parameters that follow, as far as the run has them.
    """

    said: str
    keys: Sequence[str]

    def deliver(self, client: MlflowClient, run_id: str) -> None:
        """Write it with the parameters that MLflow has of the run by now."""
        run = client.get_run(run_id)
        if _SIGNATURE not in run.data.tags.get(NOTE_TAG, _SIGNATURE):
            return
        params = known_params(run.data)
        names = short_keys(key for key in self.keys if key in params)
        rows = [f"| {name} | `{params[key][:200]}` |" for key, name in names.items()]
        parts = [f"**{run.info.run_name}**: {self.said}", "\n".join(["| parameter | |", "|---|---|", *rows])]
        text = "\n\n".join(parts if rows else parts[:1])[: MAX_NOTE_LENGTH - len(_SIGNATURE) - 2]
        client.set_tag(run_id, NOTE_TAG, f"{text}\n\n{_SIGNATURE}")
