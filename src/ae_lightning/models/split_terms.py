"""Terms of an objective over a whole split, and such as depend on all of its samples together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from ae_lightning.machine.distributed import gather_objects, mean_over_batch


class Moments(Protocol):
    """Means and variances (divided by the number of samples) of K numbers of each sample, shape (K,) each."""

    @property
    def mean(self) -> Tensor:
        """The means."""

    @property
    def variance(self) -> Tensor:
        """The variances."""


class BatchMoments:
    """Moments of the global batch, with a gradient; ranks add them up when they are first asked for.

    Args:
        values_BK: Numbers of each sample of this rank.
    """

    def __init__(self, values_BK: Tensor) -> None:
        self._values_BK = values_BK

    @cached_property
    def mean(self) -> Tensor:
        """The means, shape (K,)."""
        return mean_over_batch(self._values_BK)

    @cached_property
    def variance(self) -> Tensor:
        """The variances, shape (K,)."""
        return mean_over_batch((self._values_BK - self.mean).square())


@dataclass(frozen=True)
class SplitMoments:
    """Moments of a whole split, see `Moments`."""

    mean: Tensor
    variance: Tensor


@dataclass(frozen=True)
class MomentTerm:
    """A term that is no mean over samples, but depends on moments of all of them together.

    A training step takes those of its global batch. Validation and test take those of their whole split, since those of
    a small batch are others: the term of few exact draws of N(0, 1) is far from 0.

    Attributes:
        values: Numbers of each sample, shape (B, K).
        of_moments: From their moments to the term, shape ().
    """

    values: Tensor
    of_moments: Callable[[Moments], Tensor]

    def mean(self) -> Tensor:
        """Return the term of the global batch, shape (), with a gradient."""
        return self.of_moments(BatchMoments(self.values))


Term = Tensor | MomentTerm
"""Of shape (B,), one value a sample; of shape (), one for the whole batch; or of the samples' moments."""


def mean_of(name: str, term: Term) -> Tensor:
    """Return the average of a term over the batch, shape ().

    Args:
        name: For the error.
        term: As `loss_terms` returns it.

    Raises:
        ValueError: If it has several values a sample: their average would be too small a sum, in silence.
    """
    if isinstance(term, Tensor) and term.ndim > 1:
        raise ValueError(f"term {name!r} has shape {tuple(term.shape)}; give one value a sample, or one for the batch")
    return term.mean()


class SplitTerms:
    """Adds up the terms of batches, and gives those of all samples on all ranks.

    What is added stays on its device, which is not waited for.
    """

    def __init__(self) -> None:
        self._counts: list[int] = []
        self._values: defaultdict[str, list[Tensor]] = defaultdict(list)
        self._of_moments: dict[str, Callable[[Moments], Tensor]] = {}

    def add(self, terms: Mapping[str, Term], num_samples: int) -> None:
        """Take in the terms of this rank's share of a batch.

        Args:
            terms: By name, the same ones each time.
            num_samples: How many samples they are of.
        """
        self._counts.append(num_samples)
        for name, term in terms.items():
            if isinstance(term, MomentTerm):
                values_BK = term.values.detach()
                self._values[name].append(torch.stack([values_BK.mean(dim=0), values_BK.var(dim=0, correction=0)]))
                self._of_moments[name] = term.of_moments
            else:
                self._values[name].append(mean_of(name, term.detach()))

    def of_split(self) -> dict[str, Tensor]:
        """Return each term of the whole split, shape (), float64; every rank must ask at the same time."""
        counts_S = torch.tensor(self._counts, dtype=torch.float64)
        sums = {"": counts_S.sum()}
        for name, values in self._values.items():
            values_S = torch.stack(values).cpu().double()
            if name in self._of_moments:
                # Second moments, which can be averaged: a batch's variance leaves out where its own mean lies.
                values_S[:, 1] += values_S[:, 0].square()
            sums[name] = torch.tensordot(counts_S, values_S, dims=1)
        ranks = gather_objects(sums)
        totals = {name: torch.stack([own[name] for own in ranks]).sum(dim=0) for name in sums}
        return {name: self._term(name, totals[name] / totals[""]) for name in self._values}

    def _term(self, name: str, mean: Tensor) -> Tensor:
        if name not in self._of_moments:
            return mean
        first_K, second_K = mean
        return self._of_moments[name](SplitMoments(first_K, (second_K - first_K.square()).clamp_min(0)))
