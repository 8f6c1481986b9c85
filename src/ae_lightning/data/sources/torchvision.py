"""torchvision's sets, in the layout of its own files."""

from __future__ import annotations

from ae_lightning.data.image_folder.settings import OF_FILES
from ae_lightning.data.source import Place, Source
from ae_lightning.data.source_settings import SourceSettings
from ae_lightning.data.splits import DataSet
from ae_lightning.data.torchvision_classes import called, check_class, read_class
from ae_lightning.data.torchvision_sets import TorchvisionSet


class Mnist(TorchvisionSet):
    """70,000 handwritten digits of 28 × 28 pixels (LeCun et al. 1998)."""

    name = "mnist"


class FashionMnist(TorchvisionSet):
    """70,000 pieces of clothing of 28 × 28 pixels (Xiao et al. 2017)."""

    name = "fashion_mnist"


class Kmnist(TorchvisionSet):
    """70,000 cursive Japanese characters of 28 × 28 pixels (Clanuwat et al. 2018)."""

    name = "kmnist"


class Cifar10(TorchvisionSet):
    """60,000 photographs of 32 × 32 pixels in colour (Krizhevsky 2009)."""

    name = "cifar10"


class Torchvision(Source):
    """Any other set of torchvision's, by its class's name in `data.dataset`."""

    name = "torchvision"
    takes = frozenset({"dataset", "dataset_options"}) | OF_FILES
    is_published = True

    def check(self, settings: SourceSettings) -> None:
        """See ``Source.check``."""
        check_class(settings)

    def called(self, settings: SourceSettings) -> str:
        """See ``Source.called``."""
        return called(settings)

    def read(self, place: Place) -> DataSet:
        """See ``Source.read``."""
        return read_class(place)
