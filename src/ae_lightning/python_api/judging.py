"""Judging a model once more, for measures that were not kept and for pictures, with nothing recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
from lightning.pytorch import LightningDataModule, Trainer

from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.callbacks.narration import NarratingBar
from ae_lightning.command_line.report import of_stage
from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.judging.drawing.style import to_png
from ae_lightning.judging.measure import known_measures
from ae_lightning.judging.picture import Picture, known_pictures, select_pictures
from ae_lightning.judging.picture_case import PictureCase
from ae_lightning.machine.matplotlib_defaults import matplotlib_defaults
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.python_api.training import interrupts_raised

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Judged:
    """What a model makes of the test split.

    Attributes:
        values: Its measures by name, as far as they were wanted.
        case: What pictures look at.
    """

    values: dict[str, float]
    case: PictureCase

    @matplotlib_defaults()
    def draw(self, name: str) -> Figure:
        """Draw a picture that a notebook shows.

        Args:
            name: Its name, or the dotted path of one's own.

        Raises:
            ConfigError: If there is no such picture of this model and data.
        """
        picture = find_picture(name)
        missing = picture.needs - self.case.case.given
        if missing:
            raise ConfigError(f"plot: {name} needs {', '.join(sorted(missing))}, which this model and its data lack")
        figure = picture.draw(self.case)
        if figure is None:
            raise ConfigError(f"plot: there is no {name} of this model")
        # A notebook knows matplotlib's figures once pyplot has been imported, and no sooner.
        figure._repr_png_ = partial(to_png, figure)  # type: ignore[attr-defined]
        return figure


def find_picture(name: str) -> Picture:
    """Return a picture by its name, or one's own by its dotted path.

    Raises:
        ConfigError: If there is none.
    """
    names = [one.name for one in known_pictures()]
    if name not in names and "." not in name:
        raise ConfigError(unknown_name("plot", name, names))
    (picture,) = select_pictures("plot", [name])
    return picture


class _Looking(Evaluation):
    """Keeps what pictures look at, and draws none."""

    case: PictureCase | None = None

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep it."""
        self.case, self._shown = self._shown, None


def judged(model: Autoencoder, module: LightningDataModule, settings: Mapping[str, Any], picture: str | None) -> Judged:
    """Judge a model on the test split.

    Args:
        model: With its weights and its sampler.
        module: The data.
        settings: Of the evaluation, as the run's configuration has them.
        picture: What is to be drawn, for which nothing else is measured; None for all measures that the run had.

    Raises:
        ConfigError: If there is no such picture.
        KeyboardInterrupt: After Ctrl-C.
    """
    chosen: dict[str, Any] = {"pictures": []}
    if picture is not None:
        find_picture(picture)
        # Where a measure and a picture share a name, one shows what the other says.
        chosen["measures"] = [one.name for one in known_measures() if one.name == picture]
    looking = _Looking(**{**settings, **chosen})
    trainer = Trainer(
        accelerator="cpu" if model.device.type == "cpu" else "auto",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        callbacks=[looking, NarratingBar()],
    )
    with interrupts_raised():
        trainer.test(model, datamodule=module, verbose=False)
    assert looking.case is not None
    return Judged(
        of_stage("test", {name: float(value) for name, value in trainer.callback_metrics.items()}), looking.case
    )
