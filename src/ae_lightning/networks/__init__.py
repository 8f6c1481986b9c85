"""Networks: encoder and decoder pairs that know nothing of losses, as recipes."""

from ae_lightning.networks.base import Network, Shape
from ae_lightning.networks.conv import Conv
from ae_lightning.networks.linear import Linear
from ae_lightning.networks.mlp import MLP

__all__ = ["MLP", "Conv", "Linear", "Network", "Shape"]
