"""Every variant of the package against the suite that is shipped for users' own."""

from __future__ import annotations

from ae_lightning.testing import VariantSuite
from ae_lightning.variants import find_variants

for name, found in find_variants().items():
    globals()[f"Test{name}"] = type(f"Test{name}", (VariantSuite,), {"variant": found})
