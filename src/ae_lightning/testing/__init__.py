"""The conformance suite: what holds for every autoencoder, a user's own included. Needs pytest.

A file of tests names the class, and the constructor arguments that have no default::

    from ae_lightning.testing import VariantSuite
    from my_package import MyVAE


    class TestMyVAE(VariantSuite):
        variant = MyVAE
        options = {"gamma": 0.5}

and `pytest` puts it through every test of `VariantSuite`: shapes, terms, gradients, training, checkpoints, precision,
and two processes against one. Arguments that are annotated as `Literal` or `bool` are tried in all their values, and
every network meets every image shape; nothing is listed by hand. A bound that does not fit an objective is a class
attribute to set, such as `overfit_share`.

A network recipe is put through `NetworkSuite` in the same way::

    class TestMyNetwork(NetworkSuite):
        network = MyNetwork(depth=3)
"""

import pytest

# Without this a failed assertion of the suite would not show its values.
pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in ("networks", "two_processes", "variants")))

from ae_lightning.testing.networks import NetworkSuite  # noqa: E402
from ae_lightning.testing.variants import VariantSuite  # noqa: E402

__all__ = ["NetworkSuite", "VariantSuite"]
