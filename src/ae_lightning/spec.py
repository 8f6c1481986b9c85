"""What a sample is: what the data tell networks and models before either is built."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from ae_lightning.errors import ConfigError

Kind = Literal["image", "vector", "sequence"]

_NUM_AXES: dict[Kind, int] = {"image": 3, "vector": 1, "sequence": 2}


def kind_of(shape: tuple[int, ...]) -> Kind:
    """Return what samples of a shape are: the number of axes says so."""
    return next(kind for kind, num_axes in _NUM_AXES.items() if num_axes == len(shape))


@dataclass(frozen=True)
class Factors:
    """The known causes that samples were generated from, such as a shape's position and size.

    Attributes:
        names: Of each factor.
        sizes: How many values each factor takes.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class DataSpec:
    """The samples of a data set, as a model sees them.

    Attributes:
        shape: (C, H, W) of an image, (D,) of a vector, (T, D) of a sequence.
        kind: What the axes of the shape are.
        value_range: Smallest and largest value as scaled; None where values have no bounds.
        num_train: Samples of the train split; 0 where it is not known.
        num_classes: Classes of the labels; 0 where there are none.
        factors: Known generative factors; None where there are none.

    Raises:
        ConfigError: If the shape has another number of axes than the kind, or a side is below 1.
    """

    shape: tuple[int, ...]
    kind: Kind = "image"
    value_range: tuple[float, float] | None = (0.0, 1.0)
    num_train: int = 0
    num_classes: int = 0
    factors: Factors | None = None

    def __post_init__(self) -> None:
        """Refuse a shape that is not of the kind."""
        if len(self.shape) != _NUM_AXES[self.kind] or min(self.shape) < 1:
            raise ConfigError(f"spec: {self.shape} is no shape of {'an' if self.kind == 'image' else 'a'} {self.kind}")

    @property
    def num_values(self) -> int:
        """Numbers in one sample."""
        return prod(self.shape)

    def image_shape(self, network: str) -> tuple[int, int, int]:
        """Return channels, height and width.

        Args:
            network: Name of what can take images alone, for the error.

        Raises:
            ConfigError: If the samples are no images.
        """
        if self.kind != "image":
            given = f"{self.kind}s of {' × '.join(map(str, self.shape))} values"
            raise ConfigError(f"model.network: {network} takes images, not {given}; MLP takes these")
        channels, height, width = self.shape
        return channels, height, width
