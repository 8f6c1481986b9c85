"""The suite itself: it passes a user's own variant, and sees the faults that it is there for."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from ae_lightning.data.datamodule import DataModule
from ae_lightning.losses.divergence import gaussian_kl
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.phases import Phase
from ae_lightning.spec import DataSpec
from ae_lightning.testing import VariantSuite
from ae_lightning.testing.cases import choices, describe, modes, optimizer_arguments, pairwise_cases
from ae_lightning.testing.ranks import train_in_ranks
from ae_lightning.testing.training import TrainingJob, write_images
from ae_lightning.variants.vae import VAE
from ae_lightning.variants.vanilla import VanillaAE

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.filterwarnings("ignore:::lightning")

SHAPE = (1, 8, 8)
CASE = {"spec": DataSpec(SHAPE), "latent_dim": 2}


@pytest.fixture
def data(tmp_path):
    return DataModule(name="npz", path=str(write_images(tmp_path, SHAPE, 48)), batch_size=16, num_val=16)


def suite_of(cls):
    return type("Suite", (VariantSuite,), {"variant": cls})()


class GlobalNoise(VAE):
    """Consumes the global generator."""

    def loss_terms(self, batch, draws):
        mean_BL, log_variance_BL = self.posterior(batch.x)
        z_BL = mean_BL + torch.randn_like(mean_BL)
        return {"reconstruction": self.reconstruction_term(batch, z_BL), "kl": gaussian_kl(mean_BL, log_variance_BL)}


class LocalNoise(VAE):
    """Draws the same on every rank, as if each had the whole batch."""

    def _draws(self, stream, batch, *key):
        return super()._draws(stream, batch._replace(offset=0, global_size=len(batch.x)), *key)


class LocalStatistic(VanillaAE):
    """A statistic of this rank's images that is no mean: ranks do not average to that of the global batch."""

    def loss_terms(self, batch, draws):
        terms = super().loss_terms(batch, draws)
        return {**terms, "spread": self.encode(batch.x).var(dim=0).sum()}


class NamedAsMeasure(VanillaAE):
    """Calls a term what a measure is called."""

    def loss_terms(self, batch, draws):
        return {"mse": super().loss_terms(batch, draws)["reconstruction"]}


class NoisyEncoder(VanillaAE):
    """Its codes are draws, also where the mean is asked for."""

    def encode(self, x_BCHW, given=None):
        z_BL = super().encode(x_BCHW)
        return z_BL + torch.randn_like(z_BL)


class WrongName(VAE):
    """Weighs a term that there is not."""

    def term_weights(self):
        return {"KL": self.beta}


class WeighedTwice(VAE):
    """Its total is not the weighted sum of what it logs."""

    def objective(self, batch, draws):
        total, means = super().objective(batch, draws)
        return total + means["kl"], means


class PerPixel(VanillaAE):
    """A term a pixel."""

    def loss_terms(self, batch, draws):
        return {"reconstruction": (batch.x - self.reconstruct(batch.x)).square()}


class Unused(VanillaAE):
    """Has a layer that nothing uses."""

    def __init__(self, **options):
        super().__init__(**options)
        self.forgotten = torch.nn.Linear(2, 2)


class Stuck(VanillaAE):
    """Cuts the gradient between decoder and encoder, and forgets the decoder's."""

    def loss_terms(self, batch, draws):
        z_BL = self.encode(batch.x)
        return {"reconstruction": self.reconstruction_term(batch, z_BL.detach()).detach() + 0 * z_BL.sum(dim=1)}


class Forgetful(VanillaAE):
    """Has a number that shapes its outputs and is in no checkpoint."""

    def __init__(self, **options):
        super().__init__(**options)
        self.shift = 0.0

    def training_step(self, batch, batch_idx):
        self.shift += 0.1
        return super().training_step(batch, batch_idx)

    def encode(self, x_BCHW, given=None):
        return super().encode(x_BCHW) + self.shift


class ForgetfulPhase(VanillaAE):
    """Begins its second phase with what is in no checkpoint."""

    leaves_parameters_out = True

    def phases(self):
        return Phase("free"), Phase("drawn", terms=self.drawn_terms, begin=self.begin)

    def begin(self, codes):
        self.centre_L = codes.mean(dim=0)

    def drawn_terms(self, batch, draws):
        centre_L = getattr(self, "centre_L", torch.zeros(self.latent_dim))
        distance = (self.encode(batch.x) - centre_L).square().sum(dim=1)
        return {**super().loss_terms(batch, draws), "distance": distance}


class WrongNameInTraining(VAE):
    """Weighs a term that no step of its training has."""

    def training_weights(self):
        return {**super().training_weights(), "KL": 2.0}


class HalfPrecise(VanillaAE):
    """Gives images in the precision of autocast."""

    def decode(self, z_BL, given=None):
        return super().decode(z_BL).bfloat16()


@pytest.mark.parametrize(
    ("cls", "test"),
    [
        (WeighedTwice, "test_terms_are_per_image_and_sum_to_the_total"),
        (PerPixel, "test_terms_are_per_image_and_sum_to_the_total"),
        (HalfPrecise, "test_shapes"),
    ],
)
def test_faults_of_the_objective_are_seen(cls, test):
    with pytest.raises(AssertionError):
        getattr(suite_of(cls), test)(CASE)
    getattr(suite_of(VAE), test)(CASE)


@pytest.mark.parametrize(
    ("cls", "test"),
    [
        (WrongName, "test_weights_name_terms"),
        (WrongNameInTraining, "test_weights_name_terms"),
        (NamedAsMeasure, "test_terms_are_named_unlike_what_is_logged_beside_them"),
        (NoisyEncoder, "test_evaluation_is_deterministic"),
    ],
)
def test_faults_of_a_mode_are_seen(cls, test):
    with pytest.raises(AssertionError):
        getattr(suite_of(cls), test)({})
    getattr(suite_of(VAE), test)({})


@pytest.mark.parametrize(
    ("cls", "test"),
    [
        (GlobalNoise, "test_same_seed_same_weights"),
        (GlobalNoise, "test_validation_repeats_itself"),
        (Unused, "test_gradients_reach_every_parameter"),
        (Stuck, "test_one_batch_can_be_overfitted"),
    ],
)
def test_faults_of_training_are_seen(cls, test, data):
    with pytest.raises(AssertionError):
        getattr(suite_of(cls), test)({}, data)


def test_what_a_checkpoint_lacks_is_seen(data, tmp_path):
    with pytest.raises(AssertionError):
        suite_of(Forgetful).test_checkpoint_gives_identical_outputs({}, data, tmp_path)
    with pytest.raises(AssertionError):
        suite_of(ForgetfulPhase).test_going_on_ends_with_the_same_weights({}, data, tmp_path)


def test_ranks_that_do_not_train_as_one_are_seen(tmp_path):
    path = write_images(tmp_path, SHAPE, 24)
    arguments = {"name": "npz", "path": str(path), "batch_size": 8, "num_val": 4}
    faulty = [LocalNoise, LocalStatistic]
    jobs = [suite_of(cls)._rank_job({}, arguments) for cls in faulty]
    for cls, job, together in zip(faulty, jobs, train_in_ranks(jobs), strict=True):
        alone = job.run()
        with pytest.raises(AssertionError):
            suite_of(cls).test_two_processes_train_as_one({}, partial(_given, (alone, together)))


def _given(pair, mode):
    return pair


class Failing(VanillaAE):
    """Raises in the middle of training."""

    def training_step(self, batch, batch_idx):
        raise ArithmeticError("on purpose")


def test_a_rank_that_fails_is_reported_at_once(tmp_path):
    path = write_images(tmp_path, SHAPE, 24)
    job = TrainingJob(Failing, {"spec": DataSpec(SHAPE)}, {"name": "npz", "path": str(path), "batch_size": 8}, 1)
    with pytest.raises(RuntimeError, match="ArithmeticError: on purpose"):
        train_in_ranks([job])


USERS_FILE = """
from typing import Literal
from ae_lightning.losses.divergence import gaussian_kl
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.testing import VariantSuite
from ae_lightning.spec import DataSpec


class MyVAE(Autoencoder):
    outputs_per_latent = 2

    def __init__(self, *, gamma: float, noise: Literal["normal", "uniform"] = "normal", **options):
        super().__init__(**options)
        self.gamma, self.noise = gamma, noise

    def encode(self, x_BCHW, given=None):
        return super().encode(x_BCHW).chunk(2, dim=1)[0]

    def loss_terms(self, batch, draws):
        mean_BL, log_variance_BL = self.encoder(batch.x).float().chunk(2, dim=1)
        noise = draws.normal(self.latent_dim) if self.noise == "normal" else draws.uniform(self.latent_dim) - 0.5
        z_BL = mean_BL + (0.5 * log_variance_BL).exp() * noise
        return {"reconstruction": self.reconstruction_term(batch, z_BL), "kl": gaussian_kl(mean_BL, log_variance_BL)}

    def term_weights(self):
        return {"kl": self.gamma}


class TestMyVAE(VariantSuite):
    variant = MyVAE
    options = {"gamma": 0.5}
"""


@pytest.mark.slow
def test_a_users_variant_passes_in_every_mode(pytester):
    """A file outside the package, as the package's docstring shows it; the ranks import it too."""
    pytester.makepyfile(test_mine=USERS_FILE)
    chosen = "train_as_one or checkpoint or hyperparameters or weights_name_terms or same_seed"
    outcomes = pytester.runpytest_inprocess("-q", "-k", chosen).parseoutcomes()
    assert outcomes["passed"] == 10
    assert not {"failed", "errors", "skipped"} & set(outcomes)


class Choosy(Autoencoder):
    """For what is found in a constructor."""

    def __init__(self, *, exact: bool = True, weight: float = 1.0, second=torch.optim.Adam, **options):
        super().__init__(**options)


def test_choices_are_found_with_the_default_first():
    assert choices(Choosy) == {"exact": (True, False)}
    assert modes(Choosy) == [{}, {"exact": False}]
    assert modes(Choosy, fixed=["exact"]) == [{}]
    assert optimizer_arguments(VAE) == ["optimizer"]


def test_any_two_values_meet():
    factors = {"a": [1, 2, 3], "b": ["x", "y"], "c": [True, False], "d": range(4)}
    cases = pairwise_cases(factors)
    met = {frozenset([(a, case[a]), (b, case[b])]) for case in cases for a in factors for b in factors if a != b}
    wanted = {
        frozenset([(a, one), (b, other)])
        for a in factors
        for b in factors
        if a != b
        for one in factors[a]
        for other in factors[b]
    }
    assert met == wanted
    assert len(cases) < 20  # of 48
    assert cases == pairwise_cases(factors)
    assert len({describe(case) for case in cases}) == len(cases)
