"""Who takes part: each contender's program, and the variants and allocator that it runs with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Environment: TypeAlias = Literal["own", "keras", "pythae"]

KEPT = "+memory"
"""Ends the name of a contender that keeps freed memory, as `fit` does by itself."""


@dataclass(frozen=True)
class Contender:
    """A program to measure.

    Attributes:
        name: In tables and on the command line.
        title: What it is.
        module: The program, below `benchmarks.contenders`; `fit` is the package's own command line.
        variant: Which of the program's variants; for `fit`, further options.
        environment: Whose Python runs it.
        package: What must be installed there.
        models: The models that it can train.
        keeps_memory: Whether the C library is told to keep freed buffers.
    """

    name: str
    title: str
    module: str
    variant: str = ""
    environment: Environment = "own"
    package: str = "ae_lightning"
    models: tuple[str, ...] = ("vanilla", "vae", "mlp", "resnet", "backbone")
    keeps_memory: bool = False


QUICK_TEST = "--evaluation.measures [mse] --evaluation.pictures []"
"""What keeps the judging after the last epoch short, where only the epochs are measured."""

_BASE = ("vanilla",)

_FITS = (
    Contender("fit", "`fit`", "fit", QUICK_TEST),
    Contender("fit-memory", "`fit --keep_memory false`", "fit", f"{QUICK_TEST} --keep_memory false"),
    Contender("fit+judging", "`fit` with the whole judging at its end", "fit"),
)
_OTHERS = (
    Contender("bare", "bare loop, fp32", "bare", "fp32"),
    Contender("tuned", "tuned loop", "tuned", "torch_layers"),
    Contender("tuned-own", "tuned loop, our layers", "tuned", "own_layers"),
    Contender("pythae", "pythae", "pythae_training", "fp32", "pythae", "pythae", _BASE),
    Contender("keras-fp32", "Keras/TensorFlow, fp32", "keras_training", "fp32", "keras", "tensorflow", _BASE),
    Contender("keras-bf16", "Keras/TensorFlow, bf16", "keras_training", "bf16", "keras", "tensorflow", _BASE),
)


def _keeping_memory(contender: Contender) -> Contender:
    name, title = contender.name + KEPT, f"{contender.title}, memory kept"
    return replace(contender, name=name, title=title, keeps_memory=True)


CONTENDERS = {
    contender.name: contender
    for contender in (*_FITS, *(each for other in _OTHERS for each in (other, _keeping_memory(other))))
}
"""All of them by name, in the order in which they take turns."""

DEFAULT = tuple(name for name in CONTENDERS if name != "fit+judging")
