"""Which pictures are drawn, when, and where they are kept."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.text import Text

from ae_lightning.callbacks.evaluation import Evaluation
from ae_lightning.errors import ConfigError
from ae_lightning.judging.encoded import EncodedSplit
from ae_lightning.judging.picture import known_pictures, select_pictures
from ae_lightning.judging.pictures.code_histograms import MAX_PRIOR_BYTES, num_prior_codes
from ae_lightning.judging.pictures.reconstructions import Reconstructions

pytestmark = pytest.mark.slow

CHEAP = {"reconstructions", "worst_reconstructions", "latent_scatter", "latent_grid", "samples"}
OF_SOME_RUNS = {"augmented", "novelty", "compression", "features"}
OF_CONVOLUTIONS = {"filters", "activations"}
IN_EVERY_RUN = {picture.name for picture in known_pictures()} - OF_SOME_RUNS
"""Every picture of a labelled data set, a network of convolutions and a code of two dimensions."""

PAGES = {"latent_scatter.html", "interpolations.html", "latent_traversals.html"}


@pytest.fixture(scope="module")
def trained(open_workspace):
    """A run of four epochs on a network of two convolutions, drawn after the second and the fourth and at the end."""
    with open_workspace() as workspace:
        outcome = workspace.fit(
            *("--trainer.max_epochs", "4", "--model.network", "Conv"),
            *("--evaluation.every_n_epochs", "2", "--evaluation.draw_every_n_epochs", "2"),
            *("--evaluation.num_images", "60", "--evaluation.pictures", "all"),
        )
        assert outcome.code == 0, outcome.err
        yield workspace


def pictures(workspace, folder="plots"):
    found = workspace.artifacts(workspace.run().info.run_id, folder)
    return {name.removesuffix(".png") for name in found if name.endswith(".png")}


def test_all_pictures_and_pages_are_kept_after_training(trained):
    run_id = trained.run().info.run_id
    assert pictures(trained) == IN_EVERY_RUN
    assert trained.artifacts(run_id, "plots") >= PAGES
    for name in IN_EVERY_RUN:
        assert trained.artifact(run_id, f"plots/{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("folder", ["plots/val/epoch-0002", "plots/val/epoch-0004"])
def test_cheap_pictures_without_pages_are_kept_during_training(trained, folder):
    assert trained.artifacts(trained.run().info.run_id, folder) == {f"{name}.png" for name in CHEAP}


def test_pictures_stand_in_the_charts_image_grid(trained):
    """MLflow's charts put the pictures of several runs side by side from these files, by name and step."""
    grids = {tuple(name.split("+")[:3]) for name in trained.artifacts(trained.run().info.run_id, "images")}
    during = {(f"val~{name}", "step", step) for step in ("2", "4") for name in CHEAP}
    assert grids == during | {(f"test~{name}", "step", "0") for name in IN_EVERY_RUN}


def test_the_plane_has_a_grid_and_a_network_without_convolutions_no_filters(workspace):
    assert workspace.fit("--model.latent_dim", "3", "--evaluation.pictures", "all").code == 0
    assert pictures(workspace) == IN_EVERY_RUN - OF_CONVOLUTIONS - {"latent_grid"}


def test_images_come_from_all_over_a_split_that_lies_class_by_class():
    labels = np.repeat(np.arange(10), 30)
    images = np.random.default_rng(0).random((len(labels), 1, 4, 4), dtype=np.float32)
    split = EncodedSplit(images, np.zeros((len(labels), 2), np.float32), images, labels)
    figure = Reconstructions().draw(SimpleNamespace(evaluated=split, class_names=None, pca=None))
    assert {str(label) for label in range(10)} <= {text.get_text() for text in figure.findobj(Text)}


def test_classes_and_features_are_drawn_by_names_that_do_nothing_to_a_terminal():
    """What matplotlib has no letter for it repeats in a warning."""
    model, judgement = SimpleNamespace(has=lambda name: False), SimpleNamespace(codecs={})
    for names, shown in ((("a\x1b[2J", "b"), ("a\\x1b[2J", "b")), (None, None)):
        data = SimpleNamespace(class_names=names, feature_names=names)
        case = Evaluation()._picture_case(model, data, None, judgement, None)
        assert case.class_names == case.feature_names == shown


def test_unlabelled_images_of_one_dimensional_codes_are_drawn_too(workspace):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 8, 8, 3), dtype=np.uint8)
    np.savez(workspace.folder / "images.npz", x_train=pixels[:70], x_test=pixels[70:])
    outcome = workspace.fit(
        *("--data.name", "npz", "--data.path", "images.npz", "--model.latent_dim", "1"),
        *("--evaluation.pictures", "all", "--evaluation.projection", "umap", "--model.network", "Unpool"),
    )
    assert outcome.code == 0, outcome.err
    assert pictures(workspace) == IN_EVERY_RUN - {"latent_grid", "confusion_kmeans", "confusion_gmm"}


def test_a_class_left_out_and_a_measured_codec_have_their_pictures(workspace):
    options = ("--data.leave_out_class", "3", "--evaluation.measures", "[compression]", "--evaluation.cache", "null")
    chosen = ("--evaluation.pictures", "[novelty, compression, samples]")
    outcome = workspace.fit(*options, *chosen)
    assert outcome.code == 0, outcome.err
    assert pictures(workspace) == {"novelty", "compression", "samples"}


def test_pictures_during_training_can_be_chosen(workspace):
    options = (
        *("--trainer.max_epochs", "2", "--evaluation.every_n_epochs", "1", "--evaluation.draw_every_n_epochs", "2"),
        *("--evaluation.training_pictures", "[code_histograms]"),
    )
    assert workspace.fit(*options).code == 0
    assert pictures(workspace, "plots/val/epoch-0002") == {"code_histograms"}
    assert not pictures(workspace, "plots/val/epoch-0001")


@pytest.mark.parametrize("latent_dim", [1, 2, 32, 256, 2048, 16_384, 10**6])
def test_the_prior_is_drawn_in_bounded_memory(latent_dim):
    num_codes = num_prior_codes(latent_dim)
    assert 1_000 <= num_codes <= 100_000
    assert num_codes == 1_000 or 4 * num_codes * latent_dim <= MAX_PRIOR_BYTES


def test_one_picture_is_chosen_by_its_name():
    (chosen,) = select_pictures("evaluation.pictures", "filters")
    assert chosen.name == "filters"
    with pytest.raises(ConfigError, match="did you mean 'latent_grid'"):
        select_pictures("evaluation.pictures", "latent_gird")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pictures": ["sample"]}, "evaluation.pictures: .* did you mean 'samples'?"),
        ({"training_pictures": ["filter"]}, "evaluation.training_pictures: .* did you mean 'filters'?"),
    ],
)
def test_unknown_pictures_are_refused_at_once(options, said):
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        Evaluation(**options)


def test_a_convolution_that_there_is_not_is_refused_before_training(workspace):
    outcome = workspace.fit("--model.network", "Conv", "--evaluation.convolution", "3")
    assert outcome.code == 2
    assert "evaluation.convolution: 3 is not allowed; this network shows 1 to 2" in outcome.err
    assert not pictures(workspace) if workspace.runs() else True
