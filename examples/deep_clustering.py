"""Deep embedded clustering: an autoencoder whose codes are first learnt, and then drawn together in clusters.

    python -m ae_lightning fit --model deep_clustering.DeepClustering --model.latent_dim 10 --model.num_clusters 10

with this file's folder on PYTHONPATH. Its clusters are judged as `model_clusters_accuracy`, `_nmi` and `_ari`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from sklearn.cluster import KMeans
from torch import Tensor, nn

from ae_lightning.checks import require_at_least, require_non_negative
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.machine.distributed import mean_over_batch
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.phases import Phase


class DeepClustering(Autoencoder):
    """Minimise rec(x, g(f(x))) + weight · KL(P ‖ Q) (Xie et al. 2016, equations 1 to 3; Guo et al. 2017 keep rec).

    q_ij is the share of cluster j in code i, by Student's t-distribution around centre j, and p_ij = q_ij² / Σ_i q_ij,
    normalised over j, the sharper one that it is drawn to. In the first half of the training the reconstruction stands
    alone; then k-means of the codes gives the centres to begin with, and the distribution's width, which is 1 in the
    paper whatever size codes have.

    Args:
        num_clusters: K, how many there are.
        clustering_weight: Weight of KL(P ‖ Q).

    Raises:
        ConfigError: If there is no cluster or the weight negative.
    """

    spread: Tensor
    leaves_parameters_out: ClassVar[bool] = True

    def __init__(self, *, num_clusters: int = 10, clustering_weight: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.num_clusters = require_at_least("model.num_clusters", num_clusters)
        self.clustering_weight = require_non_negative("model.clustering_weight", clustering_weight)
        self.centres_KL = nn.Parameter(torch.randn(num_clusters, self.latent_dim))
        self.register_buffer("spread", torch.ones(()))

    def phases(self) -> Sequence[Phase]:
        """Return the reconstruction alone, and then the whole objective."""
        return Phase("codes", terms=super().loss_terms), Phase("clusters", begin=self.find_centres)

    def find_centres(self, codes: Tensor) -> None:
        """Set the centres to those of k-means, and the unit of distance to how far codes are from them.

        Args:
            codes: Of the train split, shape (N, L).
        """
        found = KMeans(self.num_clusters, n_init=10, random_state=self.seed).fit(codes.numpy())
        self.centres_KL.copy_(torch.from_numpy(found.cluster_centers_))
        self.spread.fill_(found.inertia_ / len(codes))

    def assign(self, latent: Tensor) -> Tensor:
        """Return each cluster's share in codes, shape (B, K), float32 (Xie et al. 2016, equation 1)."""
        squares = (latent.float()[:, None] - self.centres_KL).square().sum(dim=2)
        closeness = 1 / (1 + squares / self.spread)
        return closeness / closeness.sum(dim=1, keepdim=True)

    def loss_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction, and KL(P ‖ Q) of each code in nats, shape (B,).

        The clusters' frequencies, of all samples in the paper, are those of the batch, in validation too.
        """
        z_BL = self.encode(batch.x, batch.labels)
        q_BK = self.assign(z_BL)
        # P is a target, and is not differentiated.
        sharp_BK = (q_BK.square() / mean_over_batch(q_BK)).detach()
        p_BK = sharp_BK / sharp_BK.sum(dim=1, keepdim=True)
        divergence = (p_BK * (p_BK.clamp_min(torch.finfo(p_BK.dtype).tiny).log() - q_BK.log())).sum(dim=1)
        return {"reconstruction": self.reconstruction_term(batch, z_BL), "clustering": divergence}

    def term_weights(self) -> Mapping[str, float]:
        """Weigh the clustering."""
        return {"clustering": self.clustering_weight}
