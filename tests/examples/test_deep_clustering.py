"""The deep clustering of the examples: a phase that begins with k-means, and clusters that are judged."""

from __future__ import annotations

import pytest
import torch
from deep_clustering import DeepClustering
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from ae_lightning.data.datamodule import DataModule
from ae_lightning.networks import MLP
from ae_lightning.spec import DataSpec
from ae_lightning.testing import VariantSuite
from ae_lightning.testing.training import batch_of, build_trainer, draws_for, generate_batch

pytestmark = pytest.mark.slow

SMALL = {"spec": DataSpec((1, 8, 8)), "network": MLP(hidden=[16]), "latent_dim": 3}


class TestDeepClustering(VariantSuite):
    variant = DeepClustering
    options = {"num_clusters": 4}  # noqa: RUF012  # as a user would write it
    # Codes that have hardly been trained are 0.01 apart, which is their unit of distance: rounding is large in it.
    rank_tolerance = 1e-4


def test_shares_and_divergence_are_the_papers():
    torch.manual_seed(0)
    model = DeepClustering(**SMALL, num_clusters=4).double()
    x = generate_batch((1, 8, 8), 5).double()
    z, centres = model.encode(x).double(), model.centres_KL
    q = torch.stack([torch.stack([1 / (1 + (code - centre).square().sum()) for centre in centres]) for code in z])
    q = q / q.sum(dim=1, keepdim=True)
    torch.testing.assert_close(model.assign(z), q, check_dtype=False, rtol=1e-4, atol=1e-5)
    weights = q.square() / q.sum(dim=0)
    p = weights / weights.sum(dim=1, keepdim=True)
    found = model.loss_terms(batch_of(x), draws_for(model, x))["clustering"]
    expected = torch.nn.functional.kl_div(q.log(), p, reduction="none").sum(dim=1)
    torch.testing.assert_close(found, expected, check_dtype=False, rtol=1e-3, atol=1e-4)


@pytest.fixture(scope="module")
def digits():
    """A model trained on the digits, its data, and the codes that its second phase began with."""
    torch.manual_seed(0)
    data, begun = DataModule(batch_size=64), []

    class Watched(DeepClustering):
        def find_centres(self, codes):
            super().find_centres(codes)
            begun.append((codes, self.assign(codes)))

    model = Watched(spec=data.spec, network=MLP(hidden=[256, 64]), latent_dim=10, clustering_weight=5.0)
    build_trainer(20).fit(model, data)
    return model.eval(), data, begun


@pytest.mark.filterwarnings("ignore:::lightning")
def test_clusters_begin_as_those_of_k_means(digits):
    _, data, ((codes, shares),) = digits
    clusters = KMeans(10, n_init=10, random_state=0).fit_predict(codes.numpy())
    assert len(codes) == data.num_samples("train")
    assert adjusted_rand_score(clusters, shares.argmax(dim=1)) == pytest.approx(1)


@pytest.mark.filterwarnings("ignore:::lightning")
def test_codes_are_drawn_together_in_clusters_that_are_digits(digits):
    model, data, ((_, before),) = digits
    split = data.split("train")
    with torch.no_grad():
        shares = model.assign(model.encode(data.scale(split.x)))
    assert shares.max(dim=1).values.mean() > 1.2 * before.max(dim=1).values.mean()
    assert adjusted_rand_score(split.labels, shares.argmax(dim=1)) > 0.4


def test_a_run_from_the_command_line_is_judged_by_its_own_clusters(workspace):
    outcome = workspace.fit(
        *("--model", "deep_clustering.DeepClustering", "--evaluation.measures", "[mse, model_clusters, kmeans]"),
    )
    assert outcome.code == 0, outcome.err
    metrics = workspace.run().data.metrics
    assert 0 < metrics["test/model_clusters_accuracy"] <= 1
    assert "test/kmeans_accuracy" in metrics
