"""`ael.load`: the result of a training that was done before."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule

from ae_lightning.callbacks.describing import DIGEST, told_by_digest
from ae_lightning.checkpoints.data import data_of_checkpoint
from ae_lightning.checkpoints.files import BEST_CHECKPOINT, newest_sound
from ae_lightning.checkpoints.loading import CheckpointContents, load_autoencoder, read_checkpoint
from ae_lightning.command_line.launch import prepare
from ae_lightning.command_line.store_option import store_in
from ae_lightning.data.arrays.given import arrays_given, gather_arrays
from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.foreign import ForeignData, SeenData, seen_data
from ae_lightning.data.scaling import scaler_of
from ae_lightning.errors import CheckpointError, ConfigError, TrackingError
from ae_lightning.machine.torch_defaults import torch_defaults
from ae_lightning.python_api.given_data import ARRAYS
from ae_lightning.python_api.result import Result
from ae_lightning.python_api.specs import require_same_classes
from ae_lightning.tracking import (
    checkpoint_folder,
    checkpoint_of_model,
    find_run,
    gets_credentials,
    is_made,
    shown_uri,
    tracking_uri_from_environment,
)
from ae_lightning.tracking.comparison import RunReader, TrackedRun, metrics_of

MODELS = "models:/"
"""How addresses of MLflow's models begin."""


@torch_defaults()
def load(
    place: str | Path,
    x: Any = None,
    y: Any = None,
    *,
    x_test: Any = None,
    y_test: Any = None,
    tracking_uri: str | None = None,
) -> Result:
    """Load a trained model with what was measured of it; nothing is trained, and nothing recorded.

    Args:
        place: A checkpoint, or the folder of a run; the id of a run in MLflow; or the address of one of its models,
            such as `"models:/digits/3"`.
        x: The samples it was trained on, where those were arrays, or a data module: for `codes`, `plot` and measures
            that were not kept. Other data come from where they did.
        y: Their classes.
        x_test: Samples to judge on; without them the same share of `x` is held out as was then. Of others than those
            that the run was judged on, measures are taken anew.
        y_test: Their classes.
        tracking_uri: MLflow's store; by default the one that `MLFLOW_TRACKING_URI` names, else `mlflow.db`.

    Returns:
        The same as `ael.fit` returned.

    Raises:
        CheckpointError: If there is no checkpoint, or it cannot be read.
        TrackingError: If MLflow does not answer, or does not know the run or model.
        DataError: If what is given are no samples, or have other classes than a conditional model was given.
        ConfigError: If there are arrays for a model that was trained on something else.
    """
    prepare()
    uri = tracking_uri or tracking_uri_from_environment()
    checkpoint = _find_checkpoint(place, uri)
    contents = read_checkpoint(checkpoint)
    run, store = _tracked(contents, tracking_uri)
    arrays = None if x is None or isinstance(x, LightningDataModule) else gather_arrays(x, y, x_test, y_test)
    if arrays is not None and contents.data.get("name") != ARRAYS:
        own = contents.data.get("name") or contents.data.get("class_path")
        raise ConfigError(f"x: the model was trained on {own!r}, which is read from there; leave arrays out")
    module = x if isinstance(x, LightningDataModule) else None
    if module is None and (arrays is not None or contents.data.get("name") != ARRAYS):
        with arrays_given(arrays):
            seen = data_of_checkpoint(contents)
        module = seen.module if isinstance(seen, ForeignData) else seen
    elif isinstance(module, DataModule):
        module.load_state_dict(contents.scaling)
    model = load_autoencoder(checkpoint)
    if x is not None and module is not None:
        given = seen_data(module)
        # Those of a module of others are numbers, which say themselves which class they are.
        if isinstance(given, DataModule) and given.spec.num_classes:
            require_same_classes(model, given.spec)
        run = run if run is not None and _judged_on(run, given, contents) else None
    return Result(
        model,
        contents.config,
        module=module,
        arrays=arrays,
        scaler=scaler_of(contents.scaling) if module is None else None,
        measures=None if run is None else metrics_of(run, "test"),
        digest=None if run is None else _digest_of(run),
        checkpoint=checkpoint,
        run_id=contents.run_id,
        tracking_uri=store,
    )


def _judged_on(run: TrackedRun, data: SeenData, contents: CheckpointContents) -> bool:
    """Whether a run's measures are of these data."""
    is_other = isinstance(data, DataModule) and data.other_splits(contents.scaling)
    return not is_other and told_by_digest(data) == _digest_of(run)


def _digest_of(run: TrackedRun) -> dict[str, str]:
    return {key: value for key, value in run.params.items() if key == DIGEST}


def _find_checkpoint(place: str | Path, tracking_uri: str) -> Path:
    if str(place).startswith(MODELS):
        if not is_made(tracking_uri):
            raise TrackingError(f"{place}: MLflow at {shown_uri(tracking_uri)!r} has no such model")
        return checkpoint_of_model(tracking_uri, str(place))
    path = Path(place)
    # What follows the tilde may be no user's name: then it is a path like any other.
    with suppress(RuntimeError):
        path = path.expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        return _in_folder(path)
    if len(path.parts) > 1 or path.suffix:
        raise CheckpointError(f"checkpoint {place}: there is no such file or folder")
    run = find_run(tracking_uri, str(place)) if is_made(tracking_uri) else None
    if run is None:
        raise TrackingError(f"{str(place)!r} is no file, and MLflow at {shown_uri(tracking_uri)!r} has no such run")
    folder = checkpoint_folder(run.tags, tracking_uri)
    if folder is None:
        raise CheckpointError(f"run {place} left no checkpoints")
    return _in_folder(folder)


def _in_folder(folder: Path) -> Path:
    best = folder / BEST_CHECKPOINT
    found = best if best.is_file() else newest_sound(folder)[0]
    if found is None:
        raise CheckpointError(f"checkpoint {folder}: the folder holds none")
    return found


def _tracked(contents: CheckpointContents, given_uri: str | None) -> tuple[TrackedRun | None, str | None]:
    """Return the run with its measures of the test split, and its store; no run where it has none, or is away."""
    named = store_in(contents.config)
    # A checkpoint, which may come from others, does not choose who gets this machine's credentials.
    is_trusted = named is not None and not gets_credentials(named)
    store = given_uri or (named if is_trusted else None) or tracking_uri_from_environment()
    if contents.run_id is None or not is_made(store):
        return None, None
    try:
        if find_run(store, contents.run_id) is None:
            return None, None
        (run,) = RunReader(store).by_id([contents.run_id])
    except TrackingError:
        return None, None
    return run if metrics_of(run, "test") else None, store
