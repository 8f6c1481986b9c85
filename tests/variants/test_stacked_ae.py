from __future__ import annotations

import lightning.pytorch as pl
import pytest
import torch

from ae_lightning.data.datamodule import DataModule
from ae_lightning.errors import ConfigError
from ae_lightning.losses.reconstruction import mse
from ae_lightning.networks import MLP, Conv, ResNet, Unpool
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer, generate_batch
from ae_lightning.variants.stacked import StackedAE

pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
NETWORKS = {
    "mlp": MLP(hidden=[16, 8]),
    "conv": Conv(filters=[4, 6]),
    "batch_norm": Conv(filters=[4, 6], batch_norm=True),
    "unpool": Unpool(filters=[4, 6]),
    "residual": ResNet(widths=[4, 6]),
}
NUM_LAYERS = 3


class Snapshots(pl.Callback):
    """The state of every stage, batch norm's statistics included, before each phase and at the end."""

    def __init__(self):
        self.states = {}

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.states[pl_module.phase + 1] = stage_states(pl_module)

    def on_train_start(self, trainer, pl_module):
        self.states[0] = stage_states(pl_module)

    def changed(self, phase):
        """The stages that a phase changed."""
        before, after = self.states[phase], self.states[phase + 1]
        return {
            stage for stage in before if any(not torch.equal(before[stage][k], after[stage][k]) for k in before[stage])
        }


def stage_states(model):
    stages = {("encoder", i): stage for i, stage in enumerate(model.encoder)}
    stages |= {("decoder", i): stage for i, stage in enumerate(model.decoder)}
    return {name: {k: v.clone() for k, v in stage.state_dict().items()} for name, stage in stages.items()}


@pytest.fixture(scope="module", params=NETWORKS)
def training(request):
    torch.manual_seed(0)
    model = StackedAE(spec=DataSpec(SHAPE), network=NETWORKS[request.param], latent_dim=3)
    snapshots = Snapshots()
    build_trainer(2, callbacks=[snapshots]).fit(model, DataModule(name="digits"))
    return snapshots


def test_there_is_a_phase_a_layer_and_one_for_all(training):
    assert sorted(training.states) == list(range(NUM_LAYERS + 2))


@pytest.mark.parametrize("layer", range(NUM_LAYERS))
def test_a_layers_phase_changes_its_two_stages_and_no_other(training, layer):
    """Bit for bit: Adam's memory of earlier phases must not move them either."""
    assert training.changed(layer) == {("encoder", layer), ("decoder", NUM_LAYERS - 1 - layer)}


def test_fine_tuning_changes_every_stage(training):
    assert training.changed(NUM_LAYERS) == training.states[0].keys()


def test_the_first_layer_learns_the_image_and_later_ones_what_comes_before_them():
    model = StackedAE(spec=DataSpec(SHAPE), network=NETWORKS["mlp"], latent_dim=3)
    x_BCHW = generate_batch(SHAPE, 5)
    first = model.encoder[0](x_BCHW)
    second = model.encoder[1](first)
    torch.testing.assert_close(model.layer_term(x_BCHW, 0), mse(x_BCHW, model.decoder[2](first).sigmoid()))
    torch.testing.assert_close(model.layer_term(x_BCHW, 1), mse(first, model.decoder[1](second)))
    torch.testing.assert_close(model.layer_term(x_BCHW, 2), mse(second, model.decoder[0](model.encoder[2](second))))


class Recorded(StackedAE):
    """Keeps the terms of every step, by phase."""

    def log_training_terms(self, loss, means, batch):
        self.seen = getattr(self, "seen", {})
        self.seen.setdefault(self.phase, []).append({name: mean.item() for name, mean in means.items()})
        assert loss == sum(means.values())
        super().log_training_terms(loss, means, batch)


def test_each_phase_minimises_its_own_term():
    torch.manual_seed(0)
    model = Recorded(spec=DataSpec(SHAPE), network=NETWORKS["mlp"], latent_dim=3)
    build_trainer(20).fit(model, DataModule(name="digits"))
    names = ["layer_1", "layer_2", "layer_3", "reconstruction"]
    assert [{name for terms in model.seen[phase] for name in terms} for phase in range(4)] == [{n} for n in names]
    for phase, name in enumerate(names):
        values = [terms[name] for terms in model.seen[phase]]
        assert sum(values[-5:]) < 0.9 * sum(values[:5])


def test_validation_judges_the_whole_from_the_start():
    model = StackedAE(spec=DataSpec(SHAPE), network=NETWORKS["mlp"], latent_dim=3)
    data = DataModule(name="digits")
    (logged,) = build_trainer(validate=True).validate(model, data, verbose=False)
    x_BCHW = data.scale(data.split("val").x)
    assert logged["val/loss"] == pytest.approx(mse(x_BCHW, model.reconstruct(x_BCHW)).mean().item(), rel=1e-5)


class Uneven(MLP):
    """Its decoder has a stage more than its encoder."""

    def build_decoder(self, code, spec):
        return torch.nn.Sequential(torch.nn.Identity(), *super().build_decoder(code, spec))


class Reshaped(MLP):
    """Its decoder hands on a map where its encoder has a vector."""

    def build_decoder(self, code, spec):
        first, middle, last = super().build_decoder(code, spec)
        middle = torch.nn.Sequential(middle, torch.nn.Unflatten(1, (1, 4, 4)))
        return torch.nn.Sequential(first, middle, torch.nn.Sequential(torch.nn.Flatten(), last))


class Reordered(MLP):
    """The widths of its decoder are those of its encoder in the same order."""

    def build_decoder(self, code, spec):
        return MLP(hidden=self.hidden[::-1]).build_decoder(code, spec)


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Uneven, r"its encoder has 3 stages, its decoder 4; layer by layer they are trained in pairs"),
        (Reshaped, r"its decoder's stage 2 gives 1 × 4 × 4 where the encoder's stage 2 takes 16; layer by layer .*"),
        (Reordered, r"its decoder's stage 3 takes no 16 \(.*\)"),
    ],
)
def test_a_network_that_cannot_be_divided_is_refused(network, said):
    with pytest.raises(ConfigError, match=rf"^model\.network: {said}$"):
        StackedAE(spec=DataSpec(SHAPE), network=network(hidden=[16, 8]), latent_dim=3)


def test_a_network_is_left_in_training_mode():
    model = StackedAE(spec=DataSpec(SHAPE), network=NETWORKS["batch_norm"], latent_dim=3)
    assert all(module.training for module in model.modules())
