"""A split whose bytes lie on the device: batches made there, nothing sent but an epoch's order."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ae_lightning.data.datamodule import DataModule
from ae_lightning.data.loader import BatchLoader
from ae_lightning.data.memory import device_to_keep_on
from ae_lightning.data.sampling import BatchSampler, Sampling
from ae_lightning.data.splits import Split
from ae_lightning.testing.training import build_trainer, generate_images, weights_of
from ae_lightning.variants import find_variants

NUM_IMAGES, BATCH_SIZE = 23, 4
ELSEWHERE = torch.device("meta")
"""A device that is not the host's and needs no hardware: it has shapes and no numbers."""


class TransferCounter(TorchDispatchMode):
    """Counts what is sent from the host to the device, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.transfers = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in {"_to_copy", "copy_"}:
            source = args[1] if func.overloadpacket.__name__ == "copy_" else args[0]
            if source.device != result.device:
                self.transfers[result.device.type] += source.numel()
        return result


def build_loader(device, shuffle=True):
    split = Split(torch.from_numpy(generate_images((1, 4, 4), NUM_IMAGES)))
    return BatchLoader(split, BatchSampler(NUM_IMAGES, Sampling(BATCH_SIZE, shuffle, seed=5), device), device)


@pytest.mark.parametrize(("shuffle", "num_sent"), [(True, NUM_IMAGES), (False, 0)])
def test_an_epoch_sends_its_order_and_no_image(shuffle, num_sent):
    resident = build_loader(ELSEWHERE, shuffle)
    data = DataModule()
    with TransferCounter() as counter:
        batches = [data.on_after_batch_transfer(batch, 0) for batch in resident]
    assert counter.transfers == (Counter({"meta": num_sent}) if num_sent else Counter())
    for batch in batches:
        assert batch.x.device == batch.indices.device == ELSEWHERE
        assert batch.x.dtype == torch.float32
    assert [len(batch.x) for batch in batches] == [len(batch.x) for batch in build_loader(None, shuffle)]


def test_images_of_the_host_are_sent_batch_by_batch():
    """Else the test above could not fail."""
    with TransferCounter() as counter:
        for batch in build_loader(None):
            batch.x.to(ELSEWHERE)
    assert counter.transfers["meta"] == NUM_IMAGES * 16


def test_a_batch_is_sent_only_where_it_is_not():
    data = DataModule()
    batch = next(iter(build_loader(None)))
    assert data.transfer_batch_to_device(batch, torch.device("cpu"), 0) is batch
    sent = data.transfer_batch_to_device(batch, ELSEWHERE, 0)
    assert sent.x.device == sent.indices.device == ELSEWHERE
    assert sent[3:] == batch[3:]


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_resident_split_gives_the_same_batches(shuffle):
    for resident, usual in zip(build_loader(torch.device("cpu"), shuffle), build_loader(None, shuffle), strict=True):
        assert torch.equal(resident.x, usual.x)
        assert torch.equal(resident.indices, usual.indices)


@pytest.mark.parametrize("on_device", ["auto", True, False])
def test_on_a_cpu_there_is_nothing_to_move(on_device):
    assert device_to_keep_on(on_device, torch.device("cpu"), 1 << 50, "the train split") is None


def test_a_device_that_tells_no_free_memory_is_used_only_on_request():
    assert device_to_keep_on("auto", ELSEWHERE, 1, "the train split") is None
    assert device_to_keep_on(True, ELSEWHERE, 1, "the train split") == ELSEWHERE
    assert device_to_keep_on(False, ELSEWHERE, 1, "the train split") is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_keeps_what_fits_into_a_quarter_of_its_free_memory():
    device = torch.device("cuda", 0)
    assert device_to_keep_on("auto", device, 1 << 20, "the train split") == device
    assert device_to_keep_on("auto", device, 1 << 50, "the train split") is None
    with pytest.raises(Exception, match="on_device"):
        device_to_keep_on(True, device, 1 << 50, "the train split")


@pytest.mark.parametrize("on_device", ["auto", True, False])
def test_what_is_trained_does_not_depend_on_it(on_device):
    trained = []
    for setting in ("auto", on_device):
        torch.manual_seed(0)
        data = DataModule(name="digits", batch_size=512, on_device=setting)
        model = find_variants()["VanillaAE"](spec=data.spec, latent_dim=2)
        build_trainer(1).fit(model, data)
        trained.append(weights_of(model))
    assert torch.equal(*trained)


def test_the_command_line_takes_it(bare_workspace):
    outcome = bare_workspace("fit", "--model", "VAE", "--data.on_device", "true", "--print_config")
    assert outcome.code == 0, outcome.err
    assert "on_device: true" in outcome.out
    assert "on_device" in bare_workspace("fit", "--model", "VAE", "--data.on_device", "maybe").err
