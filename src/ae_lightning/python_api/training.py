"""The command line as a program calls it: no signal is taken over, nothing is printed that a result holds."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningDataModule, Trainer
from rich.console import Console

from ae_lightning.command_line.cli import AutoencoderCLI
from ae_lightning.command_line.parsed_settings import has_progress_bar
from ae_lightning.errors import ConfigError, DataError
from ae_lightning.judging.measure import Measure
from ae_lightning.machine.precision import is_double
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.python_api.notebook_progress import NotebookProgress, is_in_notebook
from ae_lightning.python_api.specs import require_same_classes
from ae_lightning.spec import DataSpec


def tell_hints(stage: str, values: Mapping[str, float], hints: list[str], measures: Sequence[Measure] = ()) -> None:
    """Say on the standard error where to look further: the measures are the result's to show."""
    console = Console(stderr=True)
    for hint in hints:
        # A page does not break lines by itself.
        console.print(hint, soft_wrap=not console.is_jupyter, highlight=False, markup=False)


class ProgramCLI(AutoencoderCLI):
    """`fit` with a model and a data module that may be there already.

    Args:
        model: Trained as it is; None for the one that the configuration makes.
        module: Its data; None for those that the configuration makes.
    """

    answers_signals: ClassVar[bool] = False
    tell = staticmethod(tell_hints)

    def __init__(
        self, *args: Any, model: Autoencoder | None, module: LightningDataModule | None, **kwargs: Any
    ) -> None:
        self._given = {Autoencoder: model, LightningDataModule: module}
        super().__init__(*args, **kwargs)

    def instantiate_classes(self) -> None:
        """Build what there is not yet.

        Raises:
            UserError: If a value that one of them was given cannot be used, or the model is for other samples or has
                weights of another type than those that are trained.
        """
        for kind, there in self._given.items():
            if there is not None:
                self.parser.add_instantiator(_giving(there), kind, subclasses=True)
        super().instantiate_classes()
        if self._given[Autoencoder] is not None and not is_double(self.trainer.precision):
            _require_float32(self.model)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Build the Trainer; in a notebook, its progress bar is a part of the page, and the model's summary none.

        A notebook or a prompt trains on one device where it does not say: a cell cannot be started again for each.
        """
        settings = self._get(self.config_init, "trainer")
        if hasattr(sys, "ps1") and settings["devices"] == "auto":
            settings["devices"] = 1
        if is_in_notebook():
            if settings.get("enable_progress_bar") is not False and not has_progress_bar(settings):
                given = settings.get("callbacks") or []
                settings["callbacks"] = [*(given if isinstance(given, list) else [given]), NotebookProgress()]
            # The run keeps it.
            settings["enable_model_summary"] = settings.get("enable_model_summary") or False
        return super().instantiate_trainer(**kwargs)


def _giving(there: Autoencoder | LightningDataModule) -> Any:
    def give(cls: type, *arguments: Any, **options: Any) -> Any:
        if isinstance(there, Autoencoder):
            _require_same_samples(there, options["spec"])
            there.seed = there.hparams["seed"] = options["seed"]
        return there

    return give


def _require_same_samples(model: Autoencoder, spec: DataSpec) -> None:
    require_same_classes(model, spec)
    built_for = model.spec
    if (spec.shape, spec.value_range) != (built_for.shape, built_for.value_range):
        raise DataError(
            f"model: it was built for {_described(built_for)}, and these are {_described(spec)}; "
            "build it with ael.spec_of(x)"
        )


def _require_float32(model: Autoencoder) -> None:
    others = {weights.dtype for weights in model.parameters() if weights.is_floating_point()} - {torch.float32}
    if others:
        named = ", ".join(map(str, others))
        raise ConfigError(f"model: it has weights in {named}; float32 is trained: model.float()")


def _described(spec: DataSpec) -> str:
    low_high = spec.value_range
    span = "without bounds" if low_high is None else f"from {low_high[0]:g} to {low_high[1]:g}"
    return f"{spec.kind}s of shape {spec.shape} with values {span}"


_TRAINING = threading.RLock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let a training wait for that of another thread, and say so.

    Seeds, random state, default types and what the parser knows are the process's: two at once would draw each other's
    weights.
    """
    if not _TRAINING.acquire(blocking=False):
        sys.stderr.write("another thread trains: waiting for it, since both would draw from one random state\n")
        _TRAINING.acquire()
    try:
        yield
    finally:
        _TRAINING.release()


@contextmanager
def interrupts_raised() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt as in any other function: Lightning would end the process, and ignore the next.

    Raises:
        KeyboardInterrupt: In place of SystemExit.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
