"""Names that Python's callers may misspell as well as the command line's: nothing falls back to another one."""

from __future__ import annotations

import pytest

from ae_lightning.data import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.spec import DataSpec
from ae_lightning.variants.denoising import DenoisingAE
from ae_lightning.variants.double import DoubleAE
from ae_lightning.variants.sample_vae import SampleVAE
from ae_lightning.variants.sparse import SparseAE
from ae_lightning.variants.vanilla import VanillaAE

SHAPE = (1, 8, 8)


@pytest.mark.parametrize(
    ("variant", "key", "wrong", "nearest"),
    [
        (SparseAE, "penalty", "KL1", "kl"),
        (DoubleAE, "schedule", "Joint", "joint"),
        (SampleVAE, "estimator", "agregate", "aggregate"),
        (DenoisingAE, "corruption", "gausian", "gaussian"),
        (VanillaAE, "scheduler_interval", "epochs", "epoch"),
        (VanillaAE, "reconstruction", "mse2", "mse"),
    ],
)
def test_a_variant_refuses_a_name_that_it_does_not_know(variant, key, wrong, nearest):
    with pytest.raises(ConfigError, match=rf"^model\.{key}: '{wrong}' is not known; .*Allowed: .*{nearest}"):
        variant(spec=DataSpec(SHAPE), **{key: wrong})


@pytest.mark.parametrize(("key", "wrong"), [("scaling", "max"), ("on_error", "ignore"), ("predict_split", "tset")])
def test_data_refuse_a_name_that_they_do_not_know(key, wrong, tmp_path):
    source = {"name": "folder", "path": str(tmp_path)} if key == "on_error" else {}
    with pytest.raises(ConfigError, match=rf"^data\.{key}: '{wrong}' is not known; .*Allowed: "):
        DataModule(**source, **{key: wrong})
