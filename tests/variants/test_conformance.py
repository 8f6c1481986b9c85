"""Every variant of the package against the suite that is shipped for users' own."""

from __future__ import annotations

from ae_lightning.testing import VariantSuite
from ae_lightning.variants import find_variants

REPRESENTATIVE = ("VanillaAE", "DoubleSampleVAE")
"""They meet every network, shape, code and loss: between them they use all that the base class has."""

for name, found in find_variants().items():
    settings = {"variant": found, "with_every_network": name in REPRESENTATIVE}
    globals()[f"Test{name}"] = type(f"Test{name}", (VariantSuite,), settings)
