"""Networks: encoder and decoder pairs that know nothing of losses, as recipes."""

from ae_lightning.networks.backbone import Backbone
from ae_lightning.networks.base import Code, CodeMap, Network, Shape
from ae_lightning.networks.conv import Conv
from ae_lightning.networks.linear import Linear
from ae_lightning.networks.mlp import MLP
from ae_lightning.networks.resnet import ResNet
from ae_lightning.networks.unpool import Unpool

__all__ = ["MLP", "Backbone", "Code", "CodeMap", "Conv", "Linear", "Network", "ResNet", "Shape", "Unpool"]
