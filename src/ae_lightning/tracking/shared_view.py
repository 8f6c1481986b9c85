"""What an experiment's page in MLflow shows first: the main measures as columns and bars, curves, pictures.

MLflow keeps a view that somebody saves as a tag of the experiment, and opens it where an address names its key. What is
in it is MLflow's own, undocumented matter: this is what version 3.17.2 wrote when such a view was saved there. Where
another version does not know it, its plain view opens.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Experiment
    from mlflow.tracking import MlflowClient

VIEW_KEY = "ae_lightning"
VIEW_TAG = f"mlflow.sharedViewState.{VIEW_KEY}"

_SORTED_BY = "mse"
_BARS = {
    "Reconstruct: mse ↓ psnr ↑ ssim ↑": ("mse", "psnr", "ssim"),
    "Cluster ↑ classify ↑ sample ↓": ("kmeans_accuracy", "knn_accuracy", "sample_frechet"),
}
"""The main measures of each goal, and which way they are better. A chart without values is left out."""

_PICTURES = ("test/reconstructions", "test/samples")
_CURVES = ("val/loss", "train/loss")
_PARAMETERS = ("model", "model.latent_dim", "num_parameters")
_FOLDED = ("test", "val", "train", "Model metrics", "System metrics")
"""Where MLflow puts the charts of everything else: they are a click away."""


def keep_view(client: MlflowClient, experiment: Experiment) -> bool:
    """Write the view into an experiment that has none, or that of another version; return whether it has one."""
    from mlflow.exceptions import MlflowException

    if experiment.tags.get(VIEW_TAG) != shared_view():
        try:
            client.set_experiment_tag(experiment.experiment_id, VIEW_TAG, shared_view())
        except MlflowException:
            # Who may add runs need not be allowed to change the experiment.
            return VIEW_TAG in experiment.tags
    return True


def shared_view() -> str:
    """Return the view as MLflow writes it down: its name, and the state of the page, which is compressed."""
    state = base64.b64encode(zlib.compress(json.dumps(_state()).encode(), 9)).decode()
    return json.dumps({"name": "Main measures", "createdAt": 0, "state": f"deflate;{state}"})


def _state() -> dict[str, Any]:
    measures = [name for names in _BARS.values() for name in names]
    columns = [
        *(f"params.`{name}`" for name in _PARAMETERS),
        *(f"metrics.`test/{name}`" for name in measures),
        "attributes.`Dataset`",
    ]
    charts = [
        *(_chart(title, "BAR", f"test/{name}") for title, names in _BARS.items() for name in names),
        # Its rows are the pictures, and its columns the runs.
        _chart("Pictures", "IMAGE", "", imageKeys=list(_PICTURES), step=0, showRunParams=False),
        *(_chart("Training, by epoch", "LINE", name, **_BY_EPOCH) for name in _CURVES),
    ]
    return {
        # Comparisons and studies are runs too, and no contestants.
        "searchFilter": "tags.`ae_lightning.variant` != ''",
        "orderByKey": f"metrics.`test/{_SORTED_BY}`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        "runsHiddenMode": "FIRST_10_RUNS",
        "compareRunCharts": charts,
        "compareRunSections": [
            *(_section(title, cardHeight=300) for title in _BARS),
            _section("Pictures", columns=1, cardHeight=400),
            _section("Training, by epoch", columns=2),
            *(_section(name, display=False) for name in _FOLDED),
        ],
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
        "groupBy": None,
    }


_BY_EPOCH: Mapping[str, Any] = {
    "xAxisKey": "metric",
    "selectedXAxisMetricKey": "epoch",
    "useGlobalXaxisKey": False,
    "useGlobalLineSmoothing": True,
    "lineSmoothness": 0,
    "scaleType": "log",
    "xAxisScaleType": "linear",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "range": {},
    "ignoreOutliers": False,
}


def _chart(section: str, kind: str, metric: str, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"{section} {metric}",
        "metricSectionId": section,
        "metricKey": metric,
        "deleted": False,
        "isGenerated": False,
        **more,
    }


def _section(title: str, **more: Any) -> dict[str, Any]:
    own = {"uuid": title, "name": title, "display": True, "isReordered": True, "deleted": False, "isGenerated": False}
    return {**own, **more}
