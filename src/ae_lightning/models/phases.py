"""What a training is divided into: phases, one after the other, and players, who take a step each in every batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import torch
from lightning.pytorch.cli import OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer, do_nothing_closure
from torch import Tensor, nn
from torch.optim import Optimizer

from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError
from ae_lightning.models.split_terms import Term, mean_of

Terms = Callable[[Batch, Draws], Mapping[str, Term]]
"""From a batch and its random numbers to terms by name, as `loss_terms` returns them."""


@dataclass(frozen=True)
class Phase:
    """A part of a training that minimises terms of its own.

    Attributes:
        name: For people.
        share: Of the batches of the whole training, relative to the other phases'.
        terms: What its steps minimise; None for the model's `loss_terms`.
        weights: Of its terms; None for the model's `training_weights`.
        begin: Called once before its first step, on every rank, with the codes of the train split (of a stream, of the
            fixed sample that measures look at): shape (N, F), float32, on the processor. What it sets must be
            parameters or buffers, so that checkpoints keep it. A training that goes on within the phase does not call
            it again.

    Raises:
        ConfigError: If the share is not above 0.
    """

    name: str
    share: float = 1.0
    terms: Terms | None = None
    weights: Mapping[str, float] | None = None
    begin: Callable[[Tensor], None] | None = None

    def __post_init__(self) -> None:
        """Refuse a phase that no batch belongs to."""
        if not self.share > 0:
            raise ConfigError(f"phase {self.name}: a share of {self.share} is not allowed; it must be above 0")


@dataclass(frozen=True)
class Player:
    """Modules that one optimizer steps, and what they minimise.

    Attributes:
        name: For people; `NAME_optimizer` is the model's argument that gives an optimizer of its own.
        modules: Whose parameters it steps; no others get a gradient from its terms.
        terms: What it minimises; None for the phase's. One that returns no terms lets the player rest.
        optimizer: Makes its optimizer from the parameters; None for the model's `optimizer`.
    """

    name: str
    modules: Sequence[nn.Module]
    terms: Terms | None = None
    optimizer: OptimizerCallable | None = None

    @property
    def key(self) -> str:
        """The model's argument that gives its optimizer."""
        return "model.optimizer" if self.optimizer is None else f"model.{self.name}_optimizer"

    def parameters(self) -> list[nn.Parameter]:
        """Return what its optimizer steps, each once."""
        return list(dict.fromkeys(chain.from_iterable(module.parameters() for module in self.modules)))


def weighted_sum(terms: Mapping[str, Term], weights: Mapping[str, float]) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of the terms, each averaged over the batch, and the averages themselves."""
    means = {name: mean_of(name, term) for name, term in terms.items()}
    # A product with 1 and a sum of one are operations of their own, forward and backward, that change nothing.
    weighed = [mean if weights.get(name, 1.0) == 1 else weights[name] * mean for name, mean in means.items()]
    return weighed[0] if len(weighed) == 1 else torch.stack(weighed).sum(), means


@contextmanager
def others_frozen(optimizer: Optimizer, optimizers: Sequence[Optimizer]) -> Iterator[None]:
    """Let losses have gradients by the parameters of one optimizer, and by none that belong to the others alone."""
    own = {id(parameter) for parameter in parameters_of(optimizer)}
    frozen = [
        parameter
        for other in optimizers
        for parameter in parameters_of(other)
        if id(parameter) not in own and parameter.requires_grad
    ]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)


def step_players(
    turns: Sequence[tuple[LightningOptimizer, Callable[[], Mapping[str, Term]]]],
    weights: Mapping[str, float],
    backward: Callable[[Tensor], None],
    *,
    accumulates: bool,
) -> tuple[Tensor | None, dict[str, Tensor]]:
    """Let each player compute its terms and, unless gradients are accumulated, step.

    Args:
        turns: Of each player, its optimizer and what computes its terms.
        weights: Of the terms.
        backward: Adds the gradients of a loss.
        accumulates: Whether more batches follow before the step.

    Returns:
        The loss of the first player that has one, None where all rest; and the average of each term.
    """
    optimizers = [optimizer.optimizer for optimizer, _ in turns]
    first_loss: Tensor | None = None
    means: dict[str, Tensor] = {}
    is_counted = False
    for optimizer, compute in turns:
        with others_frozen(optimizer.optimizer, optimizers):
            terms = compute()
            if terms:
                loss, own = weighted_sum(terms, weights)
                backward(loss)
                first_loss = loss if first_loss is None else first_loss
                if means.keys() & own.keys():
                    raise ValueError(f"two players have a term {min(means.keys() & own.keys())!r}")
                means.update(own)
        # One that rests now may have gradients of the batches before.
        if not accumulates and any(parameter.grad is not None for parameter in parameters_of(optimizer.optimizer)):
            take_step(optimizer, is_counted=not is_counted)
            is_counted = True
    return first_loss, means


def take_step(optimizer: LightningOptimizer, *, is_counted: bool) -> None:
    """Step one of several optimizers, and forget its gradients.

    Args:
        optimizer: Whose turn it is.
        is_counted: Whether Lightning counts it as a step of the training, as it would for each of them.
    """
    if not is_counted:
        optimizer._on_before_step = optimizer._on_after_step = do_nothing_closure
    optimizer.step()
    optimizer.zero_grad()


def parameters_of(optimizer: Optimizer) -> Iterator[nn.Parameter]:
    """Yield what an optimizer steps."""
    for group in optimizer.param_groups:
        yield from group["params"]
