"""A model whose parameters FSDP divides among two processes, judged by its parts."""

from __future__ import annotations

import pytest
import torch
from ranks import on_ranks
from torch.distributed.fsdp import FullyShardedDataParallel

from ae_lightning.machine.distributed import whole_parameters
from ae_lightning.spec import DataSpec
from ae_lightning.variants.vanilla import VanillaAE

pytestmark = pytest.mark.slow

NUM_RANKS = 2
IMAGES = torch.linspace(0, 1, 4 * 64).view(4, 1, 8, 8)


def build_model():
    torch.manual_seed(0)
    return VanillaAE(spec=DataSpec((1, 8, 8)), latent_dim=4)


@torch.no_grad()
def found_by(_rank):
    """Return reconstructions, codes, reconstructions after, and how many parameters are this process's own."""
    model = build_model()
    wrapped = FullyShardedDataParallel(model, use_orig_params=True, device_id=torch.device("cpu"))
    before = wrapped(IMAGES)
    with whole_parameters(wrapped):
        codes = model.encode(IMAGES)
    return before, codes, wrapped(IMAGES), sum(weight.numel() for weight in model.parameters())


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    return on_ranks(found_by, NUM_RANKS, tmp_path_factory.mktemp("ranks"))


@pytest.mark.slow
def test_parts_of_a_divided_model_give_what_the_whole_model_gives(ranks):
    with torch.no_grad():
        expected = build_model().encode(IMAGES)
    for before, codes, after, _ in ranks:
        torch.testing.assert_close(codes, expected)
        torch.testing.assert_close(after, before)


def test_the_parameters_are_divided_again_afterwards(ranks):
    """Else the test above would show nothing."""
    num_parameters = sum(weight.numel() for weight in build_model().parameters())
    assert all(own < num_parameters for *_, own in ranks)


def test_one_process_has_all_its_parameters():
    model = build_model()
    with whole_parameters(model):
        assert model.encode(IMAGES).shape == (4, 4)
