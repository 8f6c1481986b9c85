"""torchvision's sets, in the layout of its own files."""

from __future__ import annotations

from typing import ClassVar

from ae_lightning.data.source import Place, Source
from ae_lightning.data.splits import DataSet
from ae_lightning.data.torchvision_sets import read_torchvision_set


class Mnist(Source):
    """70,000 handwritten digits of 28 × 28 pixels (LeCun et al. 1998)."""

    name: ClassVar[str] = "mnist"
    is_published = True

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_torchvision_set(self.name, place.root)


class FashionMnist(Mnist):
    """70,000 pieces of clothing of 28 × 28 pixels (Xiao et al. 2017)."""

    name = "fashion_mnist"


class Kmnist(Mnist):
    """70,000 cursive Japanese characters of 28 × 28 pixels (Clanuwat et al. 2018)."""

    name = "kmnist"


class Cifar10(Mnist):
    """60,000 photographs of 32 × 32 pixels in colour (Krizhevsky 2009)."""

    name = "cifar10"
