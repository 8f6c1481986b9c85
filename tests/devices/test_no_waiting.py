"""A training step gives the device work and never waits for it; what no GPU is needed for to see."""

from __future__ import annotations

from collections import Counter

import lightning.pytorch as pl
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ae_lightning.callbacks.loss_watch import interval_of_looks
from ae_lightning.callbacks.stopping import Stopping
from ae_lightning.callbacks.throughput import Throughput
from ae_lightning.data.augmentation_settings import known_augmentations
from ae_lightning.data.augmentations.color_jitter import NAMES as JITTERED
from ae_lightning.data.augmenting import Augmenter
from ae_lightning.data.datamodule import DataModule
from ae_lightning.draws import Draws
from ae_lightning.losses.penalty import exact_jacobian_norm, jacobian_norm
from ae_lightning.machine.signals import Requests
from ae_lightning.networks import Conv
from ae_lightning.spec import DataSpec
from ae_lightning.testing.cases import describe, modes
from ae_lightning.testing.ranks import train_in_ranks
from ae_lightning.testing.training import TrainingJob, batch_of, build_trainer, write_images
from ae_lightning.variants import find_variants
from ae_lightning.variants.vae import VAE

SHAPE = (1, 8, 8)
NUM_TRAIN, BATCH_SIZE = 48, 4
WAITS = frozenset({"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim", "equal", "is_nonzero"})
"""Operations whose result, or its shape, the host has to know."""
CASES = [
    (variant, mode) for variant in find_variants().values() for mode in modes(variant, fixed=("output_activation",))
]
NAMES = [f"{variant.__name__}-{describe(mode)}" for variant, mode in CASES]


class WaitCounter(TorchDispatchMode):
    """Counts the operations that make the host wait, of forward, backward, optimizer and logging alike."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = Counter()
        self.num_operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.num_operations += 1
        self.waits.update([name] if name in WAITS else [])
        return func(*args, **(kwargs or {}))


class StepsWatched(pl.Callback):
    """Counts from each batch's arrival to the end of its step."""

    def __init__(self) -> None:
        self.counters = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.counters.append(WaitCounter())
        self.counters[-1].__enter__()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.counters[-1].__exit__(None, None, None)


class DrawsOnMeta(Draws):
    """Draws of a device that has shapes and no numbers, which a generator cannot be had for."""

    def __init__(self, num_images: int) -> None:
        self.num_images = num_images

    def normal(self, *shape: int):
        return torch.empty(self.num_images, *shape, device="meta")

    uniform = normal


def build(variant, mode):
    torch.manual_seed(0)
    return variant(spec=DataSpec(SHAPE), network=Conv(filters=[4, 8]), latent_dim=3, **mode)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"), SHAPE, NUM_TRAIN)


def watch(model, images, **options):
    watched = StepsWatched()
    # The watch for losses that are no numbers has tests of its own: on a CPU it may look at each.
    trainer = build_trainer(1, callbacks=[watched, Throughput()], log_every_n_steps=1000, **options)
    trainer.fit(model, DataModule(name="npz", path=str(images), batch_size=BATCH_SIZE, num_val=0))
    return watched.counters


@pytest.mark.filterwarnings("ignore:::lightning")
@pytest.mark.parametrize(("variant", "mode"), CASES, ids=NAMES)
def test_a_step_asks_the_device_for_no_number(images, variant, mode):
    counters = watch(build(variant, mode), images)
    assert len(counters) == NUM_TRAIN // BATCH_SIZE
    assert all(counter.num_operations > 20 for counter in counters)
    assert sum((counter.waits for counter in counters), Counter()) == Counter()


@pytest.mark.filterwarnings("ignore:::lightning")
@pytest.mark.parametrize("options", [{"gradient_clip_val": 1.0}, {"accumulate_grad_batches": 2}], ids=str)
def test_clipping_and_accumulating_ask_for_none_either(images, options):
    counters = watch(build(find_variants()["VAE"], {}), images, **options)
    assert sum((counter.waits for counter in counters), Counter()) == Counter()


class BetweenSteps(pl.Callback):
    """Refuses what makes the host wait between two steps; the last callback of one, the first of the next."""

    def __init__(self) -> None:
        self.counter = None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.counter = WaitCounter()
        self.counter.__enter__()

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if self.counter is not None:
            self.counter.__exit__(None, None, None)
            assert self.counter.waits == Counter()


class StoppableVAE(VAE):
    """One whose ranks agree on when to end."""

    def configure_callbacks(self):
        return [Stopping(Requests()), BetweenSteps()]


@pytest.mark.slow
def test_ranks_that_may_be_told_to_end_wait_for_no_number_either(images):
    options = {"spec": DataSpec(SHAPE), "network": Conv(filters=[4]), "latent_dim": 3}
    data = {"name": "npz", "path": str(images), "batch_size": 2 * BATCH_SIZE, "num_val": 4}
    (left,) = train_in_ranks([TrainingJob(StoppableVAE, options, data, 1)])
    assert len(left.gradients) > 1


@pytest.mark.filterwarnings("ignore:::lightning")
def test_a_step_that_asks_is_seen(images):
    """Else the tests above could not fail."""

    class Asking(find_variants()["VanillaAE"]):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            assert loss.item() > 0
            return loss

    counters = watch(build(Asking, {}), images)
    assert all(counter.waits["_local_scalar_dense"] == 1 for counter in counters)


@pytest.mark.parametrize(("variant", "mode"), CASES, ids=NAMES)
def test_a_loss_needs_no_number_of_its_device(variant, mode):
    """The device `meta` has no numbers to read, and gives none to the host."""
    if variant.__name__ == "ContractiveAE":
        pytest.skip("torch has no autocast for `meta`; its norms are tested below")
    model = build(variant, mode).to("meta")
    batch = batch_of(torch.empty(BATCH_SIZE, *SHAPE, device="meta"))
    loss, means = model.training_loss(batch, DrawsOnMeta(BATCH_SIZE))
    loss.backward()
    tensors = [loss, *means.values(), *(p.grad for p in model.parameters() if p.grad is not None)]
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_nor_do_the_norms_of_a_jacobian():
    encode = torch.nn.Linear(6, 3, device="meta")
    x, v = torch.empty(4, 6, device="meta"), torch.empty(4, 3, device="meta")
    for norm in (jacobian_norm(encode, x, v), exact_jacobian_norm(encode, x)):
        assert norm.device.type == "meta"


@pytest.mark.parametrize("name", known_augmentations())
def test_nor_does_augmentation(name):
    """On a device without numbers nothing can be asked for, and all that is made must lie there."""
    arguments = {"RandomAffine": {"degrees": 5, "fill": [0.1, 0.2, 0.3], "interpolation": "bilinear"}}
    sizes = {"RandomCrop": {"size": 8, "padding": 2, "fill": 0.5}, "RandomResizedCrop": {"size": 8}}
    others = {"GaussianBlur": {"kernel_size": 3}, "ColorJitter": dict.fromkeys(JITTERED, 0.3)}
    given = {**arguments, **sizes, **others}.get(name, {})
    (step,) = Augmenter([{"class_path": name, "init_args": given}], seed=0).steps
    x = torch.empty(4, 3, 8, 8, device="meta")
    changed = step(x, DrawsOnMeta(4), (0.0, 1.0))
    assert (changed.device, changed.shape) == (x.device, x.shape)


def test_losses_are_looked_at_where_the_trainer_logs_unless_looking_costs_nothing():
    assert interval_of_looks("cpu", world_size=1, log_every_n_steps=10) == 1
    assert interval_of_looks("cuda", world_size=1, log_every_n_steps=10) == 10
    assert interval_of_looks("cpu", world_size=2, log_every_n_steps=10) == 10
    assert interval_of_looks("cuda", world_size=1, log_every_n_steps=0) == 50
