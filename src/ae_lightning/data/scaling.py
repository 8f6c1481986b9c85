"""From what is stored to the values a network sees; done on the batch, on its device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from ae_lightning.errors import CheckpointError, ConfigError, DataError
from ae_lightning.spec import Kind

Scaling = Literal["auto", "unit", "image_max", "dataset_max", "standard", "none"]

BOUNDED: tuple[Scaling, ...] = ("unit", "image_max", "dataset_max")
"""What leaves values from 0 to 1; of the others they have no bounds."""

FITTED: tuple[Scaling, ...] = ("dataset_max", "standard")
"""What looks at the train split first."""

STORED = (torch.uint8, torch.uint16, torch.float32)
"""What samples are stored as."""

_LARGEST = {torch.uint8: 255, torch.uint16: 65535}
_NARROW = 16
"""What is below so small a part of the range is warned of."""

_CHUNK_VALUES = 1 << 22


@dataclass(frozen=True, eq=False)
class Scaler:
    """A rule, and what it knows of the training split.

    Attributes:
        scaling: The rule, never `auto`.
        mean: What `standard` subtracts, float32, of the shape of a sample; None for the others.
        divisor: What `standard` and `dataset_max` divide by, float32, of the shape of a sample, or (); None for the
            others.
        dtype: What the samples are stored as; None where a checkpoint does not say.
    """

    scaling: Scaling
    mean: Tensor | None = None
    divisor: Tensor | None = None
    dtype: torch.dtype | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Scale samples.

        Args:
            x: uint8, uint16 or float32, shape (N, …).

        Returns:
            float32, of the same shape, device and memory order: from 0 to 1 under the rules in `BOUNDED`.
        """
        values = x.to(torch.float32)
        if self.scaling == "unit":
            # In place: what a conversion made is nobody else's.
            return values.div_(_LARGEST[x.dtype]) if x.dtype in _LARGEST else values
        if self.scaling == "image_max":
            brightest = values.amax(dim=tuple(range(1, x.ndim)), keepdim=True)
            return values / torch.where(brightest == 0, 1.0, brightest)
        if self.scaling == "dataset_max":
            assert self.divisor is not None
            return (values / self.divisor).clamp_(max=1)
        if self.scaling == "standard":
            assert self.mean is not None
            assert self.divisor is not None
            return (values - self.mean).div_(self.divisor)
        return values

    def require_stored_alike(self, dtype: torch.dtype, shape: Sequence[int], what: str) -> None:
        """Refuse images of another type than those that the rule was made for, where it treats all types alike.

        Bytes divided by 255, say: `standard` would subtract the mean of bytes from them.

        Args:
            dtype: What samples are stored as.
            shape: A sample's.
            what: Names them.

        Raises:
            DataError: If they are such images.
        """
        if len(shape) == 3 and self.dtype not in (None, dtype) and self.scaling not in ("unit", "image_max"):
            raise DataError(
                f"{what} has images in {_named(dtype)}, and those that the model was trained on are in "
                f"{_named(self.dtype)}, which data.scaling {self.scaling} does not tell apart; give them as those were"
            )

    def require_taken(self, x: Tensor, what: str) -> None:
        """Refuse samples that would be scaled to other values than those that the rule was made for.

        Args:
            x: As stored, shape (N, …).
            what: Names them.

        Raises:
            DataError: As `require_stored_alike`.
            ConfigError: If they are floating-point values that the rule does not take.
        """
        self.require_stored_alike(x.dtype, x.shape[1:], what)
        if x.dtype == torch.uint16 and self.dtype == torch.uint8 and self.scaling == "unit" and x.numel():
            tell_of_narrow_range(int(x.int().max()), what)
        if x.is_floating_point() and x.numel():
            require_scalable(self.scaling, float(x.min()), float(x.max()), what)

    def to(self, device: torch.device) -> Scaler:
        """Return the same with its statistics on a device."""
        if self.divisor is None or self.divisor.device == device:
            return self
        return replace(self, mean=None if self.mean is None else self.mean.to(device), divisor=self.divisor.to(device))

    def state(self) -> dict[str, Any]:
        """Return all of it as plain values, which a checkpoint keeps and a file of JSON too."""
        found = {name: getattr(self, name) for name in ("mean", "divisor")}
        return {
            "scaling": self.scaling,
            **{name: value.tolist() for name, value in found.items() if value is not None},
            **({} if self.dtype is None else {"dtype": _named(self.dtype)}),
        }


def scaler_of(state: Mapping[str, Any]) -> Scaler:
    """Return the scaler that gave a state.

    Raises:
        CheckpointError: If none did.
    """
    try:
        found = {name: torch.tensor(state[name], dtype=torch.float32) for name in ("mean", "divisor") if name in state}
        dtype = {_named(one): one for one in STORED}[state["dtype"]] if "dtype" in state else None
        return Scaler(state["scaling"], **found, dtype=dtype)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the checkpoint does not say how its data were scaled ({error})") from error


def fit_scaler(scaling: Scaling, x: Tensor) -> Scaler:
    """Take the statistics of a rule.

    Args:
        scaling: One of those in `FITTED`.
        x: The train split, shape (N, …), on the CPU.

    Returns:
        The rule with the statistics; a value that never varies is divided by 1, and so is a split of zeros.
    """
    if scaling == "dataset_max":
        largest = max(float(chunk.max()) for chunk in _chunks(x))
        return Scaler(scaling, divisor=torch.tensor(largest or 1.0))
    mean = torch.stack([chunk.sum(dim=0) for chunk in _chunks(x)]).sum(dim=0) / len(x)
    squares = torch.stack([(chunk - mean).square().sum(dim=0) for chunk in _chunks(x)]).sum(dim=0)
    deviation = (squares / len(x)).sqrt().float()
    # Compared, since the rounding of a mean would pass for a deviation.
    varies = torch.stack([(chunk != x[0].double()).any(dim=0) for chunk in _chunks(x)]).any(dim=0)
    return Scaler(scaling, mean.float(), torch.where(varies & (deviation > 0), deviation, 1.0))


def settled(scaling: Scaling, kind: Kind) -> Scaling:
    """Return the rule for samples of a kind: of `auto`, `unit` for images and `standard` for all others.

    Raises:
        ConfigError: If the rule is not for such samples.
    """
    if scaling == "auto":
        return "unit" if kind == "image" else "standard"
    if scaling == "image_max" and kind != "image":
        raise ConfigError(f"data.scaling: image_max is for images, and these are {kind}s; dataset_max takes them")
    return scaling


def value_range(scaling: Scaling) -> tuple[float, float] | None:
    """Return the smallest and the largest value under a rule that is not `auto`; None where there are no bounds."""
    return (0.0, 1.0) if scaling in BOUNDED else None


def require_scalable(scaling: Scaling, low: float, high: float, what: str) -> None:
    """Refuse floating-point values that a rule would not bring between 0 and 1, as it promises.

    Args:
        scaling: The rule, not `auto`.
        low: The smallest value.
        high: The largest.
        what: Names the split.

    Raises:
        ConfigError: If there are some.
    """
    if scaling not in BOUNDED:
        return
    if low < 0 or (scaling == "unit" and high > 1):
        span = f"from {low:g} to {high:g}"
        takes = "values from 0 to 1" if scaling == "unit" else "no values below 0"
        raise ConfigError(
            f"data.scaling: {scaling} takes {takes} of floating-point data, and {what} has values {span}; "
            f"standard and none take {'any, dataset_max those from 0 on' if scaling == 'unit' else 'any'}"
        )


def tell_of_narrow_range(largest: int, what: str) -> None:
    """Warn where the largest value of 16-bit images says that they have 8, 10 or 12 bits."""
    range_end = _LARGEST[torch.uint16]
    if 0 < largest < range_end / _NARROW:
        rank_zero_warn(
            f"{what} has values up to {largest:,} of {range_end:,}, which are nearly black; "
            "--data.scaling dataset_max makes the largest white"
        )


def _named(dtype: torch.dtype | None) -> str:
    return str(dtype).removeprefix("torch.")


def _chunks(x: Tensor) -> Iterator[Tensor]:
    """Yield the samples in double precision, a bounded number at a time."""
    for chunk in torch.split(x, max(1, _CHUNK_VALUES // x[0].numel())):
        yield chunk.double()
