"""Every network of the package, in each of its modes, against the suite that is shipped for users' own."""

from __future__ import annotations

from ae_lightning.testing import NetworkSuite
from ae_lightning.testing.cases import find_networks

for position, recipe in enumerate(find_networks()):
    name = f"Test{type(recipe).__name__}{position}"
    globals()[name] = type(name, (NetworkSuite,), {"network": recipe})
