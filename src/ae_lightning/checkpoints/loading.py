"""Reading checkpoints: weights and plain values, never code."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import torch
from lightning.pytorch.cli import instantiate_module
from torch import Tensor

from ae_lightning import __version__
from ae_lightning.checkpoints.files import find_damage
from ae_lightning.checkpoints.plain_weights import fault_of
from ae_lightning.checkpoints.sampler_file import read_sampler
from ae_lightning.checkpoints.weights_file import read_weights
from ae_lightning.errors import CheckpointError, ConfigError, UserError, first_line
from ae_lightning.file_names import WEIGHTS_SUFFIX
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks.backbone import weights_follow
from ae_lightning.parts import import_part
from ae_lightning.versions import FIRST_VERSION, STATE_KEY, require_readable

DATA_KEY = "DataModule"
"""Where Lightning keeps the data module's state: the name of its class."""

LINKED_KEYS = ("spec", "seed")
"""Hyperparameters that the command line derives, and therefore does not take."""


@dataclass(frozen=True)
class CheckpointContents:
    """What a checkpoint says about itself, without its weights.

    Attributes:
        path: The file.
        model: The variant and its hyperparameters, as a configuration gives them.
        data: The data module's hyperparameters, likewise.
        scaling: How its samples are scaled, as the data module keeps it; empty where it is not said.
        seed: The run's seed.
        run_id: The MLflow run that wrote it, if any.
        config: The whole configuration of that run, if any.
    """

    path: Path
    model: dict[str, Any]
    data: dict[str, Any]
    scaling: dict[str, Any]
    seed: int
    run_id: str | None
    config: dict[str, Any]


def load_state(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint file.

    Raises:
        CheckpointError: If there is none, it is damaged or holds anything but data, or another release wrote it.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: there is no such file")
    if path.suffix == WEIGHTS_SUFFIX:
        return _holding_an_autoencoder(path, read_weights(path))
    damage = find_damage(path)
    if damage is not None:
        raise CheckpointError(f"checkpoint {path}: damaged, or not a checkpoint ({damage})")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"checkpoint {path}: damaged, or not a checkpoint ({first_line(error)})") from error
    return _holding_an_autoencoder(path, state)


def _holding_an_autoencoder(path: Path, state: Any) -> dict[str, Any]:
    if not isinstance(state, dict) or "hyper_parameters" not in state:
        raise CheckpointError(f"checkpoint {path}: holds no autoencoder")
    fault = fault_of(state.get("state_dict"))
    if fault is not None:
        raise CheckpointError(f"checkpoint {path}: {fault}")
    require_readable(f"checkpoint {path}", _version_of(state), "train again", CheckpointError)
    return state


def _version_of(state: dict[str, Any]) -> str:
    own, model = state.get(STATE_KEY), state["hyper_parameters"]
    if isinstance(own, Mapping) and "version" in own:
        return str(own["version"])
    # A variant of one's own may override the hook that writes the version.
    return FIRST_VERSION if isinstance(model, Mapping) and "input_shape" in model else __version__


def read_checkpoint(path: str | Path) -> CheckpointContents:
    """Read what a checkpoint says about itself.

    Raises:
        CheckpointError: If it cannot be read, or was not written by this package.
    """
    return describe(path, load_state(path))


def describe(path: str | Path, state: dict[str, Any]) -> CheckpointContents:
    """Return what a checkpoint that was read says about itself.

    Raises:
        CheckpointError: If it was not written by this package.
    """
    model = _settings(path, "hyper_parameters", state["hyper_parameters"])
    data = _settings(path, "datamodule_hyper_parameters", state.get("datamodule_hyper_parameters", {}))
    own = _settings(path, STATE_KEY, state.get(STATE_KEY, {}))
    config = _settings(path, f"{STATE_KEY}.config", own.get("config", {}))
    if "_class_path" not in model:
        raise CheckpointError(f"checkpoint {path}: does not say which autoencoder it holds")
    seed = model.get("seed", 0)
    if not isinstance(seed, int):
        raise CheckpointError(f"checkpoint {path}: its seed is {seed!r}, which is no number")
    settings = _data_settings(data, config)
    # Lightning keeps a data module's state under the name of its class.
    data_key = str(settings.get("class_path", DATA_KEY)).rpartition(".")[2]
    return CheckpointContents(
        path=Path(path),
        model={"class_path": model["_class_path"], "init_args": _without_derived(model)},
        data=settings,
        scaling=_settings(path, data_key, state.get(data_key, {})),
        seed=seed,
        run_id=own.get("run_id"),
        config=config,
    )


def load_autoencoder(path: str | Path) -> Autoencoder:
    """Rebuild the autoencoder of a checkpoint with its weights, and the sampler that was fitted to its codes.

    Raises:
        CheckpointError: If the file cannot be read, or its weights do not fit its hyperparameters.
    """
    state = load_state(path)
    contents = describe(path, state)
    hyperparameters = {name: value for name, value in state["hyper_parameters"].items() if not name.startswith("_")}
    variant = import_variant(contents)
    try:
        with weights_follow():
            model: Autoencoder = instantiate_module(variant, hyperparameters)
    except UserError:
        raise
    except Exception as error:  # whatever the constructors of model, network and optimizer stumble over
        raise CheckpointError(
            f"checkpoint {path}: {variant.__name__} refuses its hyperparameters ({first_line(error)})"
        ) from error
    load_weights(model, path, state)
    kept = read_sampler(Path(path), state["state_dict"])
    if kept is not None:
        model.sampler = kept
    return model


def load_weights(model: Autoencoder, path: str | Path, state: dict[str, Any]) -> None:
    """Put the weights of a checkpoint into a model.

    Args:
        model: Changed in place.
        path: The checkpoint, for the error.
        state: What `load_state` read of it.

    Raises:
        CheckpointError: If they do not fit.
    """
    try:
        model.on_load_checkpoint(state)
        _require_own_kinds(model, state["state_dict"])
        model.load_state_dict(state["state_dict"])
    except (RuntimeError, TypeError, ValueError, AttributeError, LookupError) as error:
        # The last line of several names the weights, the first one the class alone; of another network's, every one.
        said = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        reason = shorten(said[-1], 200, placeholder=" ...")
        raise CheckpointError(f"checkpoint {path}: its weights do not fit the model ({reason})") from error


def _require_own_kinds(model: Autoencoder, weights: Mapping[str, Tensor]) -> None:
    """Refuse whole numbers for weights, and fractions for counts: torch would round them, or take them, in silence.

    Raises:
        TypeError: If there are such.
    """
    for name, own in model.state_dict().items():
        kind = weights[name].dtype if name in weights else own.dtype
        if kind.is_floating_point != own.dtype.is_floating_point:
            raise TypeError(
                f"{name} is of {str(kind).removeprefix('torch.')}, and not of {str(own.dtype).removeprefix('torch.')}"
            )


def require_training_state(path: str | Path, state: dict[str, Any]) -> None:
    """Require a checkpoint that training can go on from.

    Raises:
        CheckpointError: If it holds weights alone, or what counts epochs and steps is no count.
    """
    if "optimizer_states" not in state or "lr_schedulers" not in state:
        raise CheckpointError(f"checkpoint {path}: holds weights alone; fit goes on from a checkpoint of a training")
    wrong = next(_wrong_counts({key: state.get(key, 0) for key in ("epoch", "global_step", "loops")}), None)
    if wrong is not None:
        raise CheckpointError(f"checkpoint {path}: its {wrong[0]} is {wrong[1]!r:.100}, which counts nothing")


_COUNTS = ("epoch", "global_step", "ready", "started", "processed", "completed")
"""What Lightning's loops count, and add to."""


def _wrong_counts(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the places of counts that are no whole numbers of at least 0, and what stands there."""
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        key = f"{place}.{name}".lstrip(".")
        if name in _COUNTS and not (type(inner) is int and 0 <= inner <= MAX_COUNT):
            yield key, inner
        yield from _wrong_counts(inner, key)


MAX_COUNT = 2**53
"""No training has had more steps."""


def import_variant(contents: CheckpointContents) -> type[Autoencoder]:
    """Import the class of a checkpoint's autoencoder.

    Raises:
        CheckpointError: If it cannot be imported, or is no autoencoder.
    """
    try:
        return import_part(f"checkpoint {contents.path}", str(contents.model["class_path"]), Autoencoder)
    except ConfigError as error:
        raise CheckpointError(str(error)) from error


def _settings(path: str | Path, name: str, value: Any) -> dict[str, Any]:
    """Return a part of a checkpoint that must be a mapping of plain values.

    Raises:
        CheckpointError: If it is not.
    """
    if not isinstance(value, dict):
        raise CheckpointError(f"checkpoint {path}: its {name} is no mapping but {type(value).__name__}")
    unnamed = next((key for key in value if not isinstance(key, str)), "")
    if unnamed != "":
        raise CheckpointError(
            f"checkpoint {path}: its {name} has a setting called {unnamed!r:.100}, which is no string"
        )
    strange = _not_plain(value)
    if strange is not None:
        raise CheckpointError(f"checkpoint {path}: its {name} holds a value of type {strange}, which no setting has")
    return dict(value)


def _not_plain(value: Any) -> str | None:
    """Return the name of the first type within a value that no configuration file could hold; None for no such type."""
    if isinstance(value, dict):
        return next(filter(None, map(_not_plain, [*value, *value.values()])), None)
    if isinstance(value, list | tuple):
        return next(filter(None, map(_not_plain, value)), None)
    return None if value is None or isinstance(value, bool | int | float | str) else type(value).__name__


def _data_settings(own: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Return the data module's settings: of one of others, its class and what it was made with."""
    configured = config.get("data")
    if isinstance(configured, dict) and "class_path" in configured:
        return {name: configured[name] for name in ("class_path", "init_args") if name in configured}
    return _without_derived(own)


def _without_derived(hyperparameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in hyperparameters.items() if not name.startswith("_") and name not in LINKED_KEYS
    }
