"""`sample`: pictures and arrays of what a trained model makes of drawn codes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from ae_lightning.checkpoints.loading import load_autoencoder
from ae_lightning.networks import MLP
from ae_lightning.samplers.gaussian_mixture import GaussianMixture
from ae_lightning.spec import DataSpec
from ae_lightning.testing.training import build_trainer, write_images
from ae_lightning.variants.vae import VAE
from quick_options import JUDGED_QUICKLY


@pytest.fixture(scope="module")
def trained(open_workspace):
    """A run with a sampler of its own."""
    mixture = ("--sampler", "GaussianMixture", "--sampler.num_components", "3")
    with open_workspace() as workspace:
        # As many as a Fréchet distance takes.
        images = write_images(workspace.folder, (1, 8, 8), num_train=1200, num_test=1000)
        data = ("--data.name", "npz", "--data.path", images)
        outcome = workspace.fit("--model", "VanillaAE", *data, *mixture, "--evaluation.measures", "[sample_frechet]")
        assert outcome.code == 0, outcome.err
    return workspace


@pytest.fixture(scope="module")
def conditional(open_workspace):
    """A run of the conditional variant of the examples, trained long enough for classes to differ."""
    with open_workspace() as workspace:
        longer = ("--trainer.max_epochs", "3", "--model.network", "MLP", "--model.network.hidden", "[32]")
        sampler = ("--sampler", "GaussianMixture", "--sampler.num_components", "1")
        outcome = workspace.fit("--model", "conditional_vae.ConditionalVAE", *longer, *sampler)
        assert outcome.code == 0, outcome.err
        yield workspace


def sample(workspace, checkpoint, *arguments):
    outcome = workspace("sample", "--ckpt_path", checkpoint, *arguments)
    assert outcome.code == 0, outcome.err
    return outcome.out


def arrays_of(path):
    with np.load(path) as arrays:
        return dict(arrays)


def test_the_sampler_of_the_run_is_kept_beside_its_best_checkpoint(trained):
    assert trained.checkpoint("best.sampler.safetensors").is_file()
    assert not trained.checkpoint("last.sampler.safetensors").exists()
    model = load_autoencoder(trained.checkpoint())
    assert isinstance(model.sampler, GaussianMixture)
    assert model.sampler.num_components == 3
    codes = model.sampler.draw(20, seed=4)
    assert torch.equal(model.sample(20, seed=4), model.decode(torch.from_numpy(codes)))


def test_arrays_are_the_models_own_samples(trained, bare_workspace):
    said = sample(bare_workspace, trained.checkpoint(), "--num", "20", "--seed", "4", "--output", "a.npz")
    assert "20 samples of VanillaAE, drawn by GaussianMixture, in a.npz" in said
    arrays = arrays_of("a.npz")
    assert list(arrays) == ["x"]
    with torch.no_grad():
        np.testing.assert_allclose(arrays["x"], load_autoencoder(trained.checkpoint()).eval().sample(20, seed=4))


def test_pictures_show_the_arrays(trained, bare_workspace):
    for output in ("a.npz", "folder", "grid.png"):
        sample(bare_workspace, trained.checkpoint(), "--num", "11", "--output", output)
    shown = np.rint(arrays_of("a.npz")["x"].clip(0, 1) * 255).astype(np.uint8)
    files = sorted((bare_workspace.folder / "folder").iterdir())
    assert [path.name for path in files[:2]] == ["00.png", "01.png"]
    assert np.array_equal([np.asarray(Image.open(path)) for path in files], shown[:, 0])
    grid = np.asarray(Image.open("grid.png"))
    assert grid.shape == (3 * 9 - 1, 4 * 9 - 1, 3)
    assert np.array_equal(grid[:8, 9:17, 0], shown[1, 0])


def test_another_sampler_is_fitted_at_once_and_not_kept(trained, bare_workspace):
    kept = trained.checkpoint("best.sampler.safetensors").read_bytes()
    for name in ("GaussianMixture", "Prior", "KernelDensity"):
        said = sample(bare_workspace, trained.checkpoint(), "--sampler", name, "--output", f"{name}.npz")
        assert f"drawn by {name}," in said
    drawn = [arrays_of(f"{name}.npz")["x"] for name in ("GaussianMixture", "Prior", "KernelDensity")]
    assert not np.array_equal(drawn[0], drawn[1])
    assert trained.checkpoint("best.sampler.safetensors").read_bytes() == kept


def test_a_checkpoint_without_a_kept_one_takes_that_of_its_configuration(trained, bare_workspace):
    said = sample(bare_workspace, trained.checkpoint("last.ckpt"), "--output", "last.npz")
    assert "drawn by GaussianMixture" in said


def test_test_judges_with_the_sampler_of_the_run(trained, bare_workspace):
    quick = ("--trainer.logger", "false", *JUDGED_QUICKLY, "--evaluation.measures", "[sample_frechet]")
    values = []
    for options in ((), ("--sampler", "Prior")):
        outcome = bare_workspace("test", "--ckpt_path", trained.checkpoint(), *quick, *options)
        assert outcome.code == 0, outcome.err
        values.append(next(line.split("│")[3] for line in outcome.out.splitlines() if " sample_frechet ↓" in line))
    logged = trained.run().data.metrics["test/sample_frechet"]
    assert 0 < trained.run().data.metrics["test/sample_frechet_floor"] < logged
    assert float(values[0]) == pytest.approx(logged, abs=1e-3)
    assert float(values[1]) != pytest.approx(logged, rel=0.01)


def test_a_conditional_variant_draws_one_class_after_the_other(conditional, bare_workspace):
    sample(bare_workspace, conditional.checkpoint(), "--num", "20", "--output", "all.npz")
    arrays = arrays_of("all.npz")
    assert np.array_equal(arrays["labels"], np.arange(20) % 10)
    sample(bare_workspace, conditional.checkpoint(), "--num", "20", "--output", "all.png")
    # A column a class.
    assert Image.open("all.png").size == (10 * 9 - 1, 2 * 9 - 1)


def test_a_label_chooses_the_class(conditional, bare_workspace):
    drawn = []
    for label in ("0", "1"):
        sample(bare_workspace, conditional.checkpoint(), "--label", label, "--output", f"{label}.npz")
        arrays = arrays_of(f"{label}.npz")
        assert set(arrays["labels"]) == {int(label)}
        drawn.append(arrays["x"].mean(axis=0))
    assert np.abs(drawn[0] - drawn[1]).max() > 0.02
    model = load_autoencoder(conditional.checkpoint()).eval()
    expected = model.sample(64, given=torch.ones(64, dtype=torch.int64)).numpy()
    np.testing.assert_allclose(arrays["x"], expected, atol=1e-6)
    # One Gaussian for each class.
    assert sorted(model.sampler.state["classes"]) == list(range(10))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--output", "there.npz"), "output: there.npz exists already"),
        (("--output", "a.jpg"), "output: 'a.jpg' has no known suffix; Allowed: .npz, .png, none for a folder"),
        (("--output", "no/a.npz"), "output: folder no does not exist"),
        (("--output", "a.npz", "--num", "0"), "num: 0 is not allowed; it must be at least 1"),
        (("--output", "a.npz", "--seed", "-1"), "seed: -1 is not allowed"),
        (("--output", "a.npz", "--label", "3"), "label: VanillaAE is given no classes"),
        (
            ("--output", "a.npz", "--sampler", "Mixture"),
            "sampler: 'Mixture' is not known; did you mean 'GaussianMixture'?",
        ),
        (("--output", "a.npz", "--sampler", "no.Such"), "sampler: 'no.Such' cannot be imported"),
        (("--out", "a.npz"), "sample: "),
    ],
)
def test_what_cannot_be_sampled(trained, bare_workspace, arguments, said):
    (bare_workspace.folder / "there.npz").write_bytes(b"precious")
    outcome = bare_workspace("sample", "--ckpt_path", trained.checkpoint(), *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert {path.name for path in bare_workspace.folder.iterdir()} == {"there.npz"}


@pytest.mark.parametrize("label", ["10", "zero"])
def test_a_class_that_there_is_not(conditional, bare_workspace, label):
    outcome = bare_workspace("sample", "--ckpt_path", conditional.checkpoint(), "--label", label, "--output", "a.npz")
    assert outcome.code == 2
    assert outcome.err.startswith("ae_lightning: error: label: ")


def test_vectors_are_no_pictures(bare_workspace):
    spec = DataSpec((5,), kind="vector", value_range=None)
    trainer = build_trainer()
    trainer.strategy.connect(VAE(spec=spec, network=MLP(hidden=[4]), latent_dim=2))
    trainer.save_checkpoint("vectors.ckpt", weights_only=True)
    outcome = bare_workspace("sample", "--ckpt_path", "vectors.ckpt", "--output", "folder")
    assert outcome.code == 2
    assert "output: folder cannot show vectors of 5 values, without bounds; give a file .npz" in outcome.err
    sample(bare_workspace, "vectors.ckpt", "--num", "3", "--output", "three.npz")
    assert arrays_of("three.npz")["x"].shape == (3, 5)


def test_a_sampler_that_does_not_take_the_codes_is_refused_before_training(bare_workspace):
    write_images(bare_workspace.folder, (1, 8, 8), 20)
    wide = ("--data.name", "npz", "--data.path", "samples.npz", "--model.latent_dim", "1025")
    outcome = bare_workspace.fit("--trainer.logger", "false", "--sampler", "GaussianMixture", *wide)
    assert outcome.code == 2
    assert "sampler: GaussianMixture takes codes of at most 1,024 numbers, not 1,025" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sampler", "null"), "sampler: 'null' is not known; Allowed: GaussianMixture"),
        (("--sampler", "prior"), "sampler: 'prior' is not known; did you mean 'Prior'?"),
        (("--sampler", "KernelDensity", "--sampler.num", "3"), "sampler: 'num' is not known; Allowed: bandwidth"),
        (
            ("--sampler", "KernelDensity", "--sampler.bandwidth", "x"),
            "sampler.bandwidth: 'x' is not allowed; it must be",
        ),
        (("--model.prior", "null"), "model.prior: null is not allowed"),
        (("--model.prior", "mixture"), "model.prior: 'mixture' is not known; did you mean 'Mixture'?"),
        (("--model.prior", "Mixture", "--model.prior.num", "3"), "model.prior: 'num' is not known; Allowed:"),
        (("-c", "kernel.yaml"), "sampler.bandwidth: 'x' is not allowed; it must be"),
    ],
)
def test_a_configuration_that_names_no_such_part(bare_workspace, arguments, said):
    (bare_workspace.folder / "kernel.yaml").write_text(
        "sampler:\n  class_path: KernelDensity\n  init_args: {bandwidth: x}\n"
    )
    outcome = bare_workspace.fit("--trainer.logger", "false", *arguments)
    assert outcome.code == 2
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1
