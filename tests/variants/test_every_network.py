"""Every variant takes a training step with every network: no pair is refused."""

from __future__ import annotations

import inspect

import pytest
import torch

from ae_lightning import networks
from ae_lightning.data.datamodule import DataModule
from ae_lightning.networks import Conv, Network
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer, write_images
from ae_lightning.variants import find_variants

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

VARIANTS = find_variants()
NETWORKS: dict[str, Network] = {
    **{
        name: cls()
        for name, cls in inspect.getmembers(networks, inspect.isclass)
        if issubclass(cls, Network) and not inspect.isabstract(cls)
    },
    "Conv(batch_norm)": Conv(batch_norm=True, activation="leaky_relu"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Colour images with an odd side, two batches of four."""
    path = write_images(tmp_path_factory.mktemp("images"), (3, 9, 8), 8)
    return DataModule(name="npz", path=str(path), batch_size=4, num_val=0)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_trains(variant, network, data):
    """Forward, backward and step, twice; the last step is that of a phased variant's last phase."""
    torch.manual_seed(0)
    model = VARIANTS[variant](spec=DataSpec((3, 9, 8)), network=NETWORKS[network], latent_dim=3)
    before = [parameter.clone() for parameter in model.encoder.parameters()]
    trainer = build_trainer(1)
    trainer.fit(model, data)
    assert trainer.callback_metrics["train/loss"].isfinite()
    assert any(not torch.equal(a, b) for a, b in zip(before, model.encoder.parameters(), strict=True))
    assert all(parameter.isfinite().all() for parameter in model.parameters())
