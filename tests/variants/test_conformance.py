"""Every variant of the package against the suite that is shipped for users' own."""

from __future__ import annotations

from typing import ClassVar

from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec
from ae_lightning.testing import VariantSuite
from ae_lightning.variants import find_variants
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE

REPRESENTATIVE = ("VanillaAE", "DoubleSampleVAE")
"""They meet every network, shape, code and loss: between them they use all that the base class has."""

for name, found in find_variants().items():
    settings = {"variant": found, "with_every_network": name in REPRESENTATIVE}
    globals()[f"Test{name}"] = type(f"Test{name}", (VariantSuite,), settings)


class TestVanillaAEOnVectors(VariantSuite):
    """Of unscaled features of very different size."""

    variant = VanillaAE
    spec = DataSpec((12,), kind="vector", value_range=None, num_classes=4)
    options: ClassVar = {"network": MLP(hidden=[16])}


class TestVAEOnVectors(TestVanillaAEOnVectors):
    """The same, of a distribution over codes."""

    variant = VAE
