"""Keys whose value is a class: which classes there are, and what each takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.networks import Network
from ae_lightning.priors.base import Prior
from ae_lightning.samplers.base import Sampler
from ae_lightning.variants import holds_variants

CLASS_KINDS: dict[str, type] = {
    "model": Autoencoder,
    "model.network": Network,
    "model.prior": Prior,
    "model.optimizer": Optimizer,
    "model.scheduler": LRScheduler,
    "sampler": Sampler,
    "trainer.logger": Logger,
    "trainer.callbacks": Callback,
}
"""Keys whose value is a class, and what it must be a subclass of."""

DEFAULT_CLASSES = {"model.network": "Conv", "model.optimizer": "Adam", "trainer.logger": "MLflowTracker"}

GIVEN_BY_OTHERS = {"seed": "give seed_everything, which it follows", "spec": "the data give it"}
"""Arguments of a model that its key cannot set, and what does."""

DERIVED_ARGUMENTS = frozenset({"self", "params", "optimizer_", *GIVEN_BY_OTHERS})


def arguments_of(kind: type, class_name: str | None) -> set[str]:
    """Return the arguments of a class of a kind, or of all classes of that kind where it is not known."""
    short = (class_name or "").rsplit(".", 1)[-1]
    classes = subclasses(kind)
    chosen = [classes[short]] if short in classes else list(classes.values())
    return {name for cls in chosen for name in _argument_names(cls)} - DERIVED_ARGUMENTS


def _argument_names(cls: type) -> Iterator[str]:
    """Yield the names of a constructor's arguments, those that it hands on to its base included."""
    parameters = inspect.signature(cls).parameters.values()
    for parameter in parameters:
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            yield parameter.name
        elif cls.__mro__[1] is not object:
            yield from _argument_names(cls.__mro__[1])


def subclasses(kind: type) -> dict[str, type]:
    """Return every imported class of a kind that can be built, by name."""
    found: dict[str, type] = {}
    cls: type
    for cls in kind.__subclasses__():
        found |= subclasses(cls)
        if _can_be_chosen(cls):
            found[cls.__name__] = cls
    return found


def _can_be_chosen(cls: type) -> bool:
    is_private = inspect.isabstract(cls) or cls.__name__.startswith("_")
    return not is_private and (not issubclass(cls, Autoencoder) or holds_variants(cls.__module__))
